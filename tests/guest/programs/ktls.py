"""A TCP connection that is handed to the kernel's TLS; run in a guest."""

import socket

PORT, TCP_ULP = 7002, 31

server = socket.create_server(("127.0.0.1", PORT))
client = socket.create_connection(("127.0.0.1", PORT))
client.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
assert client.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16).startswith(b"tls")
