"""Websockets: events, counters and terminals to browsers, keystrokes back. Reads Redis streams, never the kernel."""
