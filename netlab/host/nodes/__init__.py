"""Makes and unmakes the nodes and links of runs in the kernel it runs in. Used by the engine; knows no events."""
