"""The page pools of this node's cards, as the kernel tells them: netdev-genl, Documentation/netlink/specs/netdev.yaml.

	python3 pools.py
"""

import socket
import struct

GET_FAMILY, PAGE_POOL_GET = 3, 5
NAMES = {1: "id", 2: "ifindex", 3: "napi-id", 4: "inflight", 5: "inflight-mem", 6: "detach-time"}


def attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def ask(sock: socket.socket, family: int, command: int, flags: int, data: bytes = b"") -> list[bytes]:
    """Generic netlink: what the kernel answers."""
    sock.send(struct.pack("IHHII", 20 + len(data), family, flags, 1, 0) + struct.pack("BBH", command, 1, 0) + data)
    answers = []
    while True:
        said = sock.recv(65536)
        while said:
            length, kind = struct.unpack_from("IH", said)
            if kind in (2, 3):  # an error or that no more comes
                return answers
            answers.append(said[20:length])
            said = said[(length + 3) & ~3 :]
        if not flags & 0x300:
            return answers


sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
family = attributes(ask(sock, 16, GET_FAMILY, 1, struct.pack("HH8s", 11, 2, b"netdev\0"))[0])[1]
for answer in ask(sock, struct.unpack("H", family)[0], PAGE_POOL_GET, 0x301):
    pool = {NAMES[kind]: int.from_bytes(value, "little") for kind, value in attributes(answer).items() if kind in NAMES}
    print("  ".join(f"{name} {value}" for name, value in pool.items()))
