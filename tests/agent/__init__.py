"""The agent's process with a real Redis, a real holder and its real socket."""
