"""Twenty customers: each asks the shop for its page every two seconds, from an address of its own. Runs on customers.

	python3 -B customers.py

Prints each second how many requests were good, and how long these took. A request that takes a second is given up.
"""

import os
import socket
import threading
import time

SHOP = ("10.0.3.2", 80)
ADDRESSES = [f"192.0.2.{128 + number}" for number in range(1, 21)]
EVERY_S, PATIENCE_S = 2.0, 1.0
RESULT = "/tmp/good"

lock = threading.Lock()
taken: list[float] = []  # of each request since the last line: its milliseconds, or -1


def ask(address: str) -> float:
    """One request: how many milliseconds it took, -1 when there was no answer."""
    began = time.monotonic()
    try:
        with socket.create_connection(SHOP, PATIENCE_S, (address, 0)) as shop:
            shop.sendall(b"GET / HTTP/1.0\r\n\r\n")
            page = b""
            while data := shop.recv(65536):
                page += data
    except OSError:
        return -1
    return (time.monotonic() - began) * 1000 if b" 200 " in page[:20] else -1


def customer(address: str, first: float) -> None:
    time.sleep(first)
    while True:
        began = time.monotonic()
        ms = ask(address)
        with lock:
            taken.append(ms)
        time.sleep(max(0.0, began + EVERY_S - time.monotonic()))


def median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def verdict(requests: list[float]) -> str:
    good = [ms for ms in requests if ms >= 0]
    if len(good) < 0.3 * len(requests):
        return "DOWN"
    return "well" if len(good) >= 0.8 * len(requests) else "poor"


os.system("ip route replace local 192.0.2.128/27 dev lo")  # all of these addresses are ours
for number, address in enumerate(ADDRESSES):
    threading.Thread(target=customer, args=(address, EVERY_S * number / len(ADDRESSES)), daemon=True).start()
before: list[float] = []
print("     good   median    worst")
try:
    while True:
        time.sleep(1)
        with lock:
            now, taken = taken, []
        good = [ms for ms in now if ms >= 0]
        times = f"{median(good):6.0f} ms{max(good):6.0f} ms" if good else f"{'-':>9}{'-':>9}"
        line = f"{len(good):3} of {len(now):2}{times}   {verdict(before + now)}"
        print(line)
        with open(RESULT + ".new", "w") as file:  # for the checks
            file.write(line + "\n")
        os.replace(RESULT + ".new", RESULT)
        before = now
except KeyboardInterrupt:
    pass
finally:
    os.unlink(RESULT)
