"""Runs on the server: works 15 ms for each message that comes by TCP, then answers it."""

import socket
import time

WORK_S = 0.015

server = socket.create_server(("10.0.0.2", 7001))
print("work.py waits on port 7001")
while True:
    connection, _ = server.accept()
    with connection:
        while connection.recv(4096):
            time.sleep(WORK_S)
            connection.send(b"done")
