"""A connection by Multipath TCP that `ss -M` shows; run in a guest."""

import socket
import subprocess

PORT = 7001

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
server.bind(("127.0.0.1", PORT))
server.listen()
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
client.connect(("127.0.0.1", PORT))
peer, _ = server.accept()
client.sendall(b"hello")
assert peer.recv(5) == b"hello"
assert f"127.0.0.1:{PORT}" in subprocess.run(["ss", "-HMn"], capture_output=True, text=True, check=True).stdout
