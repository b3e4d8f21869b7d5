"""The shop: a web server with one page. Runs on the web server.

	python3 -B shop.py
"""

import socket

PAGE = b"<h1>Everything must go</h1>\n" + b"<p>A fine thing, for little money.</p>\n" * 50
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE
BACKLOG = 128  # so many connections may be half open, or wait to be taken

shop = socket.create_server(("", 80), backlog=BACKLOG)
print("the shop is open on port 80")
while True:
    visitor, _ = shop.accept()
    visitor.settimeout(1)
    try:
        visitor.recv(4096)  # there is only one page
        visitor.sendall(ANSWER)
    except OSError:
        pass  # who has gone again
    visitor.close()
