"""Runs on the server, and answers each datagram with the times at which it was seen here.

	python3 -B receive.py [MILLISECONDS]

MILLISECONDS: how long this program is busy with each datagram.
"""

import socket
import sys
import time

from stamps import RX_SOFTWARE, SO_TIMESTAMPING, SOFTWARE, answer, kernel_time

busy_s = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("10.0.0.2", 7000))
sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, RX_SOFTWARE | SOFTWARE)

print("receive.py waits on port 7000")
while True:
    data, control, _, sender = sock.recvmsg(2048, 512)
    now = time.time_ns()
    sock.sendto(answer(data, kernel_time(control), now), sender)
    time.sleep(busy_s)
