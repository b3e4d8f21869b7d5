"""Runs in a guest, as its root: nodes with devices that only such a kernel has, made and unmade by the engine's `PlainNodes`.

Started by `test_devices.py`, which reads what `devices_kit.main` prints.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from netlab.domain.errors import ErrorCode, NetlabError
from netlab.domain.resolve import ResolvedLab
from netlab.host.kernel.netem import Netem
from tests.guest.devices_kit import Built, built, check, face, lab, main, node

TUNNEL_NOTICES_S = 120
"""A peer that was made anew is spoken to in old keys for some 15 s, when it cannot speak first."""
VLAN9 = {"kind": "vlan", "parent": "eth0", "id": 9}
XDP_C = """
#define SEC(name) __attribute__((section(name), used))
SEC("xdp") int pass(void *context) { return 2; }
char _license[] SEC("license") = "GPL";
"""


@check
async def devices_on_top_of_links() -> None:
    what = lab(
        [
            node(
                "a", face("v5", "10.5.0.1/24", device={"kind": "vlan", "parent": "eth0", "id": 5}),
                face("bond0", "10.6.0.1/24", device={"kind": "bond", "ports": ["eth1", "eth2"], "mode": "balance-rr"}),
                face("d0", "10.8.0.1/24", device={"kind": "dummy"}, qdisc={"kind": "fq_codel", "options": ["limit", 500]}),
                face("red", device={"kind": "vrf", "ports": ["d0"], "table": 100}),
                face("eth0", qdisc={"kind": "cake", "options": ["bandwidth", "100mbit"]}),
            ),
            node(
                "b", face("br0", device={"kind": "bridge", "ports": ["eth0", "d1"], "vlan_filtering": True, "vlans": [
                    {"interface": "eth0", "id": 5}, {"interface": "d1", "id": 5, "pvid": True, "untagged": True},
                    {"interface": "br0", "id": 5},
                ]}), face("d1", device={"kind": "dummy"}), face("br1", device={"kind": "bridge", "stp": True}),
                face("v5", "10.5.0.2/24", device={"kind": "vlan", "parent": "br0", "id": 5}),
                face("bond0", "10.6.0.2/24", device={"kind": "bond", "ports": ["eth1", "eth2"], "mode": "balance-rr"}),
            ),
        ],
        links=[{"ends": [f"a:eth{n}", f"b:eth{n}"]} for n in range(3)],
    )

    async def is_whole() -> None:
        assert (await on.link("a", "bond0"))["linkinfo"]["info_data"]["mode"] == "balance-rr"
        assert (await on.link("a", "d0"))["master"] == "red"
        assert ((await on.root("a", "d0"))["kind"], (await on.root("a", "eth0"))["kind"]) == ("fq_codel", "cake")
        vlans = json.loads(await on.do("b", "bridge", "-j", "vlan", "show"))
        said = {v["ifname"]: v["vlans"] for v in vlans}
        await on.green("bridge_vlan", "b", "d1", id=5, pvid=True, untagged=True)
        await on.red("bridge_vlan", "b", "eth0", "VLAN 5 on eth0, not as PVID, tagged", id=5, pvid=True)
        await on.red("bridge_vlan", "b", "eth0", "no VLAN 1 on eth0 (VLANs: 5)", id=1)
        await on.green("qdisc", "a", "eth0", type="cake", shows="bandwidth 100Mbit")
        await on.green("interface", "a", "d0", master="red")
        assert said["eth0"] == said["br0"] == [{"vlan": 5}], said
        assert said["d1"] == [{"vlan": 5, "flags": ["PVID", "Egress Untagged"]}], said
        assert (await on.link("b", "br1"))["linkinfo"]["info_data"]["stp_state"] == 1
        await on.ping("a", "10.6.0.2")
        await on.ping("a", "10.5.0.2")

    async with built(what) as on:
        for which in ("", "a", "b"):
            if which:
                await on.reset(which)
            await is_whole()


@check
async def simulated_cards() -> None:
    what = lab(
        [
            node("a", face("eth0", "10.0.0.1/24"), face("v9", "10.9.0.1/24", device=VLAN9)),
            node("b", face("eth0", "10.0.0.2/24", mtu=1400), face("v9", "10.9.0.2/24", device=VLAN9)),
            node("c", face("sim0", device={"kind": "netdevsim", "queues": 4}), face("up1", "10.1.0.2/24")),
        ],
        links=[{"kind": "netdevsim", "ends": ["a:eth0", "b:eth0"]}, {"ends": ["a:up0", "c:up1"]}],
    )
    async with built(what) as on:
        for which in ("", "a", "b", "c"):
            if which:
                await on.reset(which)
            link = await on.link("b", "eth0")
            assert (link["address"], link["mtu"]) == (what.node("b").interface("eth0").mac, 1400)
            await on.ping("a", "10.0.0.2")
            await on.ping("b", "10.9.0.1")
            assert (await on.link("c", "sim0"))["num_tx_queues"] == 4
            assert "netdevsim/netdevsim3" in await on.do("c", "devlink", "dev", "show")


@check
async def an_attendee_who_takes_cards_away_can_reset() -> None:
    what = lab([node("a", face("eth0", "10.0.0.1/24")), node("b", face("eth0", "10.0.0.2/24"))],
               links=[{"kind": "netdevsim", "ends": ["a:eth0", "b:eth0"]}])
    async with built(what) as on:
        await on.do("a", "sh", "-c", "echo 1 > /sys/bus/netdevsim/del_device; echo '7 1' > /sys/bus/netdevsim/new_device")
        await on.reset("a")
        await on.ping("a", "10.0.0.2")
        await on.do("a", "sh", "-c", "echo 7 > /sys/bus/netdevsim/del_device")


@check
async def wireguard() -> None:
    def tunnel(peer: str, far: str | None) -> dict[str, Any]:
        return {"kind": "wireguard", "peers": [{
            "node": peer, "interface": "wg0", "allowed_ips": ["10.7.0.0/24"], **({"endpoint": far} if far else {}),
        }]}

    what = lab(
        [
            node("a", face("eth0", "10.0.0.1/24"), face("wg0", "10.7.0.1/24", device=tunnel("b", "10.0.0.2"))),
            node("b", face("eth0", "10.0.0.2/24"), face("wg0", "10.7.0.2/24", device=tunnel("a", None))),
        ],
        links=[{"ends": ["a:eth0", "b:eth0"]}],
    )
    async with built(what) as on:
        await on.red("wireguard_peer", "a", "wg0", "10.7.0.0/24 without a handshake", handshake_within_s=60)
        await on.ping("a", "10.7.0.2")
        await on.green("wireguard_peer", "a", "wg0", allows="10.7.0.0/24", handshake_within_s=60, rx_bytes={"at_least": 92})
        await on.green("wireguard_peer", "b", "wg0", tx_bytes={"at_least": 92})
        await on.red("wireguard_peer", "b", "wg0", "no peer of wg0 that may be 10.8.0.0/24", allows="10.8.0.0/24")
        await on.red("wireguard_peer", "b", "wg0", "bytes received", rx_bytes={"at_most": 1})
        [peer] = on.slow_counters("a", "wireguard", b"eth0", b"wg0")
        assert (peer.object[:4], peer.kind, len(peer.object)) == ("wg0 ", "wireguard", 12), peer
        assert peer.values[0] >= 92 and peer.values[1] >= 92 and 1 <= peer.values[2] < 60, peer
        first = (await on.do("a", "wg", "show", "wg0", "public-key")).strip()
        await on.reset("a")
        assert (await on.do("a", "wg", "show", "wg0", "public-key")).strip() == first
        await on.ping("a", "10.7.0.2")
        await on.nodes.fresh_keys(on.run)
        assert (await on.do("a", "wg", "show", "wg0", "public-key")).strip() != first
        assert len((await on.do("b", "wg", "show", "wg0", "peers")).split()) == 1
        await on.ping("a", "10.7.0.2")


@check
async def impaired_links() -> None:
    what = lab(
        [node("a", face("eth0", "10.0.0.1/24")), node("b", face("eth0", "10.0.0.2/24"))],
        links=[{"ends": ["a:eth0", "b:eth0"], "impairment": {"delay_ms": 20, "jitter_ms": 1, "rate_kbit": 10_000}}],
    )
    async with built(what) as on:
        root = await on.root("b", "eth0")
        assert (root["kind"], root["handle"]) == ("netem", "4e4c:"), root
        assert [one.object for one in on.slow_counters("b", "qdisc", b"eth0")] == ["eth0"]
        assert abs(root["options"]["delay"]["delay"] - 0.02) < 1e-6 and root["options"]["rate"]["rate"] == 1_250_000, root
        assert await on.ping("a", "10.0.0.2") >= 38
        await on.nodes.impair(on.run, "b", "eth0", Netem())
        assert (await on.root("b", "eth0"))["kind"] != "netem"
        await on.nodes.impair(on.run, "a", "eth0", Netem(loss_percent=50))
        root = await on.root("a", "eth0")
        assert abs(root["options"]["loss-random"]["loss"] - 0.5) < 1e-6, root
        assert "delay" not in root["options"] and "rate" not in root["options"], root
        await on.nodes.impair(on.run, "a", "eth0", Netem(rate_kbit=100_000_000))
        assert (await on.root("a", "eth0"))["options"]["rate"]["rate"] == 12_500_000_000
        await on.do("b", "tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "delay", "1ms")
        try:
            await on.nodes.impair(on.run, "b", "eth0", Netem(delay_ms=5))
        except NetlabError as refused:
            assert refused.code is ErrorCode.CANNOT_IMPAIR and "netem is there" in refused.message
        else:
            raise AssertionError("an attendee's own netem was replaced")


def switched(tagger: str) -> ResolvedLab:
    return lab(
        [
            node(
                "sw", face("eth0"), face("lan1", "10.1.0.254/24"), face("lan2"), face("lan3"),
                face("br0", "10.2.0.254/24", device={"kind": "bridge", "ports": ["lan2", "lan3"]}),
            ),
            node("h1", face("eth0", "10.1.0.1/24")),
            node("h2", face("eth0", "10.2.0.2/24"), face("v9", "10.9.0.2/24", device=VLAN9)),
            node("h3", face("eth0", "10.2.0.3/24", mtu=1400)),
        ],
        switches=[{"name": "sw0", "node": "sw", "conduit": "eth0", "tagger": tagger, "ports": [
            {"name": "lan1", "to": "h1:eth0"}, {"name": "lan2", "to": "h2:eth0"}, {"name": "lan3", "to": "h3:eth0"},
        ]}],
    )


async def switch_is_whole(on: Built, tagger: str) -> None:
    assert (await on.do("sw", "cat", "/sys/class/net/eth0/dsa/tagging")).strip() == tagger
    for name, which in (("eth0", "h2"), ("eth0", "h3"), ("lan2", "sw")):
        link, wanted = await on.link(which, name), on.run.lab.node(which).interface(name)
        assert link["address"] == wanted.mac, (which, name, link["address"])
        assert not wanted.ifindex or link["ifindex"] == wanted.ifindex
    assert (await on.link("h3", "eth0"))["mtu"] == 1400
    assert (await on.link("sw", "lan2"))["linkinfo"]["info_data"]["conduit"] == "eth0"
    await on.ping("h1", "10.1.0.254")
    await on.ping("h2", "10.2.0.3")
    await on.ping("h3", "10.2.0.254")


@check
async def a_switch() -> None:
    for tagger in ("dsa", "edsa", "trailer"):
        async with built(switched(tagger)) as on:
            await switch_is_whole(on, tagger)
            assert "nlwire" not in await on.do("sw", "ip", "link"), "the wire is seen"


@check
async def what_the_hardware_does() -> None:
    async with built(switched("dsa")) as on:
        await on.green("tagger", "sw", "eth0", tagger="dsa")
        await on.red("tagger", "sw", "eth0", "the tagger dsa on eth0", tagger="edsa")
        await on.ping("h2", "10.2.0.3")
        await on.green("fdb", "sw", "lan2", mac=on.run.lab.node("h2").interface("eth0").mac, offloaded=True)
        await on.green("stat", "sw", "lan1", name="rx_packets", total={"at_least": 0})
        await on.red("stat", "sw", "lan1", "0 per second", name="rx_packets", per_second={"at_least": 50})
        await on.do("sw", "tc", "qdisc", "add", "dev", "lan2", "clsact")
        await on.red("filter", "sw", "lan2", "no filter on lan2 ingress")
        rule = "protocol ip pref 7 flower skip_sw dst_ip 10.2.0.3 action drop"
        await on.do("sw", "tc", "filter", "add", "dev", "lan2", "ingress", *rule.split())
        await on.nodes.execute(on.run, "h2", ["ping", "-c3", "-i0.1", "-W1", "10.2.0.3"], cwd="/")
        await on.green("filter", "sw", "lan2", classifier="flower", action="drop", in_hw=True, hw_packets={"at_least": 3})
        await on.red("filter", "sw", "lan2", "a flower filter in hardware", in_hw=False)
        await on.red("filter", "sw", "lan2", "a flower filter with action drop on", action="trap")
        await on.do("sw", *["tc", "filter", "add", "dev", "lan2", "egress", "matchall", "action", "pass"])
        await on.green("filter", "sw", "lan2", direction="egress", classifier="matchall", action="pass")


@check
async def a_program_in_a_cards_hardware() -> None:
    what = lab([node("c", face("sim0", device={"kind": "netdevsim"}))])
    async with built(what) as on:
        await on.red("xdp", "c", "sim0", "no XDP program", mode="offload")
        Path("/run/x.c").write_text(XDP_C)
        await on.do("c", *["clang", "-target", "bpf", "-g", "-O2", "-c", "/run/x.c", "-o", "/run/x.o"])
        await on.do("c", *["ip", "link", "set", "dev", "sim0", "xdpoffload", "obj", "/run/x.o", "sec", "xdp"])
        await on.green("xdp", "c", "sim0", mode="offload")
        await on.red("xdp", "c", "sim0", "in offload mode", mode="native")


@check
async def a_switch_after_resets() -> None:
    async with built(switched("dsa")) as on:
        for which in ("h2", "sw", "h1", "sw"):
            await on.reset(which)
            await switch_is_whole(on, "dsa")
        await on.do("h3", "ip", "link", "set", "eth0", "down")
        await on.do("h3", "ip", "link", "set", "eth0", "name", "other")
        await on.reset("h3")
        await switch_is_whole(on, "dsa")


@check
async def two_switches() -> None:
    what = lab(
        [
            node("s", face("lan1", "10.1.0.254/24"), face("x1", "10.2.0.254/24")),
            node("h", face("e0", "10.1.0.1/24"), face("e1", "10.2.0.1/24")),
        ],
        switches=[
            {"name": "sw0", "node": "s", "conduit": "eth0", "ports": [{"name": "lan1", "to": "h:e0"}]},
            {"name": "sw1", "node": "s", "conduit": "eth1", "ports": [{"name": "x1", "to": "h:e1"}]},
        ],
    )
    async with built(what) as on:
        await on.ping("h", "10.1.0.254")
        await on.ping("h", "10.2.0.254")


@check
async def the_example_of_the_manual() -> None:
    said = json.loads(Path("/lab/example.json").read_text())
    async with built(lab(said.pop("nodes"), **said)) as on:
        for which in ("", "box", "h1", "h3"):
            if which:
                await on.reset(which)
            await on.ping("h1", "10.1.0.2")
            await on.ping("h1", "10.1.0.254")
            await on.execute_until("h1", "ping -n -c1 -W1 10.7.0.3", TUNNEL_NOTICES_S)
            assert await on.ping("h3", "10.4.0.4") >= 56
        await on.green("wireguard_peer", "h3", "wg0", allows="10.7.0.1/32", handshake_within_s=60)
        await on.green("interface", "box", "lan2", master="br0")


if __name__ == "__main__":
    asyncio.run(main())
