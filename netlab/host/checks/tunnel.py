"""The probe of a WireGuard interface's peers, answered by generic netlink on a socket inside the node. Called by `evaluate`."""

import asyncio
import errno
import socket
import time

from netlab.domain.probes import WireguardPeerProbe
from netlab.host.checks.context import CheckContext, Verdict
from netlab.host.kernel import genetlink, wireguard
from netlab.host.kernel.wireguard import Peer


async def wireguard_peer(probe: WireguardPeerProbe, context: CheckContext) -> Verdict:
    expected = f"{'a' if probe.present else 'no'} peer of {probe.interface}{_wanted(probe)}"
    sock = await context.nodes.open_socket(
        context.run_nodes, probe.node, socket.AF_NETLINK, socket.SOCK_RAW, genetlink.NETLINK_GENERIC
    )
    peers = await asyncio.to_thread(_peers, sock, probe.interface)
    if peers is None:
        return Verdict(False, f"no WireGuard interface {probe.interface}", expected)
    allows = str(probe.allows) if probe.allows else None
    same = [peer for peer in peers if allows is None or allows in peer.allowed_ips]
    now = time.time()
    fits = [peer for peer in same if _fits(probe, peer, now)]
    observed = " and ".join(f"a peer of {probe.interface}{_seen(probe, peer, now)}" for peer in same)
    nothing = f"no peer of {probe.interface}" + (f" that may be {allows}" if allows else "")
    return Verdict(bool(fits) == probe.present, observed or nothing, expected)


def _peers(sock: socket.socket, interface: str) -> list[Peer] | None:
    with sock:
        sock.settimeout(genetlink.TIMEOUT_S)
        family = genetlink.family_id(sock, wireguard.FAMILY)
        if family is None:
            return None
        try:
            return wireguard.tunnel(sock, family, interface).peers
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):
                return None
            raise


def _fits(probe: WireguardPeerProbe, peer: Peer, now: float) -> bool:
    fresh = probe.handshake_within_s is None or now - peer.handshake_at <= probe.handshake_within_s
    received = probe.rx_bytes is None or probe.rx_bytes.accepts(peer.rx_bytes)
    return fresh and received and (probe.tx_bytes is None or probe.tx_bytes.accepts(peer.tx_bytes))


def _wanted(probe: WireguardPeerProbe) -> str:
    words = [f"that may be {probe.allows}"] if probe.allows else []
    words += [f"with a handshake in the last {probe.handshake_within_s} s"] if probe.handshake_within_s else []
    words += [f"with {probe.rx_bytes.words()} bytes received"] if probe.rx_bytes else []
    words += [f"with {probe.tx_bytes.words()} bytes sent"] if probe.tx_bytes else []
    return "".join(f" {word}" for word in words)


def _seen(probe: WireguardPeerProbe, peer: Peer, now: float) -> str:
    age = f"with a handshake {now - peer.handshake_at:.0f} s ago" if peer.handshake_at else "without a handshake"
    words = [f"that may be {', '.join(peer.allowed_ips) or 'nobody'}"]
    words += [age] if probe.handshake_within_s else []
    words += [f"with {peer.rx_bytes} bytes received"] if probe.rx_bytes else []
    words += [f"with {peer.tx_bytes} bytes sent"] if probe.tx_bytes else []
    return "".join(f" {word}" for word in words)
