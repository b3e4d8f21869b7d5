"""The version of the wire: part of every message; both ends refuse another one with a sentence."""

WIRE_VERSION = 1
