"""A program that reads datagrams, later or sooner.

	python3 -u read.py [SLEEP]

SLEEP: for so many seconds it does something else, and its packets wait.
"""

import signal
import socket
import sys
import time

ROOM_BYTES = 64 << 20

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, 33, ROOM_BYTES // 2)  # SO_RCVBUFFORCE: as much as root wants
sock.bind(("10.0.0.2", 7000))
if len(sys.argv) > 1:
    print(f"asleep for {sys.argv[1]} s")
    time.sleep(float(sys.argv[1]))
print("reading")
while True:
    sock.recv(2048)
