"""The host's side of a guest's port: real sessions over real sockets, at the other end a guest that a test speaks for."""
