#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sends frames that no program sends by itself: ./frames.py vlan|qinq|short"""
import socket
import sys

HEADER = bytes.fromhex("ffffffffffff 020000000001")
PING = bytes.fromhex("45000028 00000000 4001 0000 0a000001 0a000002" "0800 0000 0001 0002") + bytes(12)
TAG_7, TAG_8, IPV4 = bytes.fromhex("8100 0007"), bytes.fromhex("88a8 0008"), bytes.fromhex("0800")
FRAMES = {
    "vlan": HEADER + TAG_7 + IPV4 + PING,
    "qinq": HEADER + TAG_8 + TAG_7 + IPV4 + PING,
    "short": HEADER + IPV4 + PING[:12],  # an IPv4 header has 20 bytes
}

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for _ in range(10):
    wire.send(FRAMES[sys.argv[1]])
print(f"10 frames, {len(FRAMES[sys.argv[1]])} bytes each: {FRAMES[sys.argv[1]].hex(' ')}")
