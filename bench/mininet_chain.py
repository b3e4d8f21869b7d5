"""Make and unmake a chain of Mininet hosts and print both times in ms. Run by `engine_create` with Debian's own Python,
for which the package `mininet` is. Only hosts and links: no switch, no controller. Importing Mininet is not counted.
"""

import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet


def main(count: int) -> None:
    setLogLevel("error")
    began = time.perf_counter()
    net = Mininet(controller=None, autoSetMacs=False, build=False)
    hosts = [net.addHost(f"h{i}", ip=None) for i in range(count)]
    for i in range(count - 1):
        network = f"10.{i >> 8}.{i & 255}"
        net.addLink(hosts[i], hosts[i + 1], params1={"ip": f"{network}.1/24"}, params2={"ip": f"{network}.2/24"})
    net.start()
    made = time.perf_counter()
    reached = "1 received" in hosts[0].cmd("ping -c1 -W2 10.0.0.2")
    removing = time.perf_counter()
    net.stop()
    gone = time.perf_counter()
    print(json.dumps({"create_ms": (made - began) * 1e3, "delete_ms": (gone - removing) * 1e3, "reached": reached}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
