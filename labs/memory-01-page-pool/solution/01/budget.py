"""How long may a packet take, if none is to be lost?

	python3 budget.py
"""

PREAMBLE = 8  # bytes before each frame
GAP = 12  # bytes of silence behind it


def budget_ns(gigabits: float, frame: int) -> float:
    """From one frame of this size to the next, when the wire is full."""
    return (PREAMBLE + frame + GAP) * 8 / gigabits


print("           64 bytes   1518 bytes")
for gigabits in (1, 10, 100):
    print(f"{gigabits:4} Gbit/s {budget_ns(gigabits, 64):8.1f} ns {budget_ns(gigabits, 1518):9.1f} ns")
