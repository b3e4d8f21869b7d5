"""The host's agent process: wires a runtime to Redis, to the worker's socket and to the holder of terminals."""
