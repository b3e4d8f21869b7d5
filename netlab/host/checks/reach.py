"""Probes of reach: ping, TCP, UDP, from inside a node. Called by `evaluate`.

Ping is the node's own program; TCP and UDP are sockets made in the node's namespace, so that the answer is an errno.
"""

import asyncio
import errno
import re
import socket

from netlab.domain.probes import PingProbe, TcpProbe, UdpProbe
from netlab.host.checks.context import CheckContext, Verdict

ANSWER_WAIT_S = 1.0
PINGS = 3
PING_INTERVAL_S = 0.2
PING_LIMIT_S = 10.0
"""Two are enough, unless a busy host gives a guest little time: then it is no answer that would be missing."""
NO_ANSWER = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN})
_RECEIVED = re.compile(rb"(\d+) packets transmitted, (\d+) received")


async def ping(probe: PingProbe, context: CheckContext) -> Verdict:
    expected = f"an answer to ping from {probe.to}" if probe.answered else f"no answer to ping from {probe.to}"
    argv = ["ping", "-n", "-q", "-c", str(PINGS), "-i", str(PING_INTERVAL_S), "-W", str(ANSWER_WAIT_S), str(probe.to)]
    done = await context.nodes.execute(context.run_nodes, probe.node, argv, timeout_s=PING_LIMIT_S, cwd="/")
    counted = _RECEIVED.search(done.stdout)
    if counted is None:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        unreachable = done.exit_code == 2 and b"unreachable" in done.stderr
        return Verdict(unreachable and not probe.answered, said[-1] if said else "no result of ping", expected)
    sent, received = int(counted[1]), int(counted[2])
    answers = f"{received} answer{'s' if received > 1 else ''}" if received else "no answer"
    return Verdict((received > 0) == probe.answered, f"{answers} to {sent} pings of {probe.to}", expected)


async def tcp(probe: TcpProbe, context: CheckContext) -> Verdict:
    family = socket.AF_INET if probe.to.version == 4 else socket.AF_INET6
    sock = await context.nodes.open_socket(context.run_nodes, probe.node, family, socket.SOCK_STREAM)
    with sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                await asyncio.get_running_loop().sock_connect(sock, (str(probe.to), probe.port))
            outcome = "open"
        except TimeoutError:
            outcome = "no answer"
        except OSError as error:
            outcome = _outcome(error)
    where = f"TCP port {probe.port} of {probe.to}"
    return Verdict(outcome == probe.expect, _tcp_words(where, outcome), _tcp_words(where, probe.expect))


async def udp(probe: UdpProbe, context: CheckContext) -> Verdict:
    family = socket.AF_INET if probe.to.version == 4 else socket.AF_INET6
    sock = await context.nodes.open_socket(context.run_nodes, probe.node, family, socket.SOCK_DGRAM)
    loop = asyncio.get_running_loop()
    with sock:
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, (str(probe.to), probe.port))
            await loop.sock_sendall(sock, probe.send.encode())
            async with asyncio.timeout(ANSWER_WAIT_S):
                await loop.sock_recv(sock, 2048)
            outcome = "answer"
        except TimeoutError:
            outcome = "no answer"
        except OSError as error:
            outcome = _outcome(error)
    where = f"UDP port {probe.port} of {probe.to}"
    return Verdict(outcome == probe.expect, _udp_words(where, outcome), _udp_words(where, probe.expect))


def _outcome(error: OSError) -> str:
    """Anything else is a broken probe and goes on up."""
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    if error.errno in NO_ANSWER:
        return "no answer"
    raise error


def _tcp_words(where: str, outcome: str) -> str:
    return {"open": f"an open {where}", "refused": f"a refusal by {where}"}.get(outcome, f"no answer from {where}")


def _udp_words(where: str, outcome: str) -> str:
    return {"answer": f"an answer from {where}", "refused": f"a refusal by {where}"}.get(outcome, f"no answer from {where}")
