"""Websockets against the real application, a real Redis and a host that publishes real wire messages."""
