"""How long the functions of a page pool take: the kernel's function graph tracer, for some seconds.

	python3 cost.py [SECONDS]

Sources: net/core/page_pool.c. The tracer itself costs something at each call, so do not compare with other measurements.
"""

import re
import sys
import time
from pathlib import Path

TRACING = Path("/sys/kernel/tracing")
RESULTS = Path("results.txt")
FUNCTIONS = {
    "page_pool_refill_alloc_cache": "pages from the ring",
    "__page_pool_alloc_pages_slow": "pages from the kernel",
    "page_pool_return_page": "page back to the kernel",
}
CALL = re.compile(r"([\d.]+) us\s+\|\s*(?:\}\s*/\*\s*)?(\w+)")


def write(name: str, text: str) -> None:
    (TRACING / name).write_text(text)


seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
write("current_tracer", "nop")
write("set_ftrace_filter", "\n".join(FUNCTIONS))
write("options/funcgraph-tail", "1")
write("current_tracer", "function_graph")
try:
    print(f"Tracing for {seconds:g} s. Send now.")
    time.sleep(seconds)
    lines = (TRACING / "trace").read_text().splitlines()
finally:
    write("current_tracer", "nop")
    write("set_ftrace_filter", "")

took: dict[str, list[float]] = {}
for line in lines:
    if call := CALL.search(line):
        took.setdefault(call[2], []).append(float(call[1]))
for function, what in FUNCTIONS.items():
    if times := sorted(took.get(function, [])):
        line = f"{function:30} {len(times):5} calls, half of them below {times[len(times) // 2]:6.2f} us: {what}"
        print(line)
        with RESULTS.open("a") as file:
            file.write(line + "\n")
