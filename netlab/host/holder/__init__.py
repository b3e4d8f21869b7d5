"""Keeps the masters of terminals in a process of its own, so that no restart of the agent ends a shell."""
