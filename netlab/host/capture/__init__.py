"""Captures packets of one interface: a socket, a file, nothing else."""
