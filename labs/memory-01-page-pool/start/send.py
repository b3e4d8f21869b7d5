"""Sends datagrams that fill a frame.

	python3 send.py [COUNT]
"""

import socket
import sys
import time

PER_SECOND, AT_ONCE = 1000, 20
count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("10.0.0.2", 7000))
began = time.monotonic()
for number in range(count):
    try:
        sock.send(bytes(1472))
    except ConnectionRefusedError:
        sys.exit("Nobody listens there: does read.py run on the server?")
    if number % AT_ONCE == AT_ONCE - 1:
        time.sleep(max(0.0, began + (number + 1) / PER_SECOND - time.monotonic()))
print(f"{count} datagrams sent")
