"""Traces: netlab's own bcc programs, in a process of their own, while somebody looks."""
