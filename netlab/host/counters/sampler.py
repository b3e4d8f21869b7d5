"""The sampler process: `python -m netlab.host.counters.sampler FD`, a child of the agent, root, single-threaded.

It has its own tick, because reading 2500 interfaces takes 9 ms that no event loop should lose. It talks MessagePack over the
inherited socket FD (what follows FD is the folder of netlab's own BPF objects, and `client.Pace`) and exits at its end. It
never sets anything in a node: it reads, packs and tells of storms.
"""

import gc
import logging
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path

from netlab.host.counters.attached import StatsSwitch
from netlab.host.counters.lab_sampler import LabSampler
from netlab.host.counters.messages import Messages, NodeSource, Report, Tell, pack
from netlab.host.counters.slots import EventSlots
from netlab.host.kernel.bpf_news import BpfNews
from netlab.wire.counters import FAST_TICK_S

log = logging.getLogger(__name__)

TICKS_PER_S = round(1 / FAST_TICK_S)
GUARD_TICKS = TICKS_PER_S // 2
XDP_TICKS = 2
"""XDP actions of watched labs are asked at 5 Hz at most: the question waits for RTNL, the counters of interfaces do not."""
XDP_SHARE = 10
"""While RTNL is busy, so many times as long as the last questions took passes before the next."""
LATE_S = 0.5
"""So late, ticks are left out instead of made up for."""
RECEIVE_BYTES = 256 * 1024
GARBAGE_AFTER = 50_000
"""Objects: what a tick makes holds itself in no circles, and looking for such in it costs a tenth of the tick."""
NICE = -10
"""A packet storm burns CPU time of everybody; who is to notice it goes first."""


class SamplerProcess:
    def __init__(
        self, agent: socket.socket, bpf_dir: Path, idle_s: float = 0.0, share: float = 1.0, own_kernel: float = 0
    ) -> None:
        self._agent = agent
        self._idle_s, self._share, self._own_kernel = idle_s, share, bool(own_kernel)
        self._next_at = time.monotonic()
        self._agent.setblocking(False)
        self._messages = Messages()
        self._unsent = bytearray()
        self._labs: dict[str, LabSampler] = {}
        self._phases: dict[str, int] = {}
        self._programs_measured = StatsSwitch()
        self._watched: set[str] = set()
        self._want_full: set[str] = set()
        self._slots = EventSlots(bpf_dir)
        self._bpf_news = BpfNews()
        self._tick_number = 0
        self._second_at = float("-inf")
        self._xdp_after = 0.0

    def serve(self) -> None:
        """Until the agent is gone."""
        poll = select.poll()
        while True:
            poll.register(self._agent, select.POLLIN | (select.POLLOUT if self._unsent else 0))
            if poll.poll(max(0.0, self._next_at - time.monotonic()) * 1000):
                if not self._receive():
                    return
                self._flush()
            now = time.monotonic()
            if now >= self._next_at:
                self._tick(now)
                self._schedule(now)

    @property
    def _idle(self) -> bool:
        """Nobody looks, and ticks are dear here."""
        return self._idle_s > 0 and not self._watched & self._labs.keys() and not self._want_full

    def _schedule(self, ticked_at: float) -> None:
        """When the next tick is due: in the rhythm, unless this one took more than its share."""
        if self._idle:
            self._next_at = ticked_at + self._idle_s
            return
        now = time.monotonic()
        earliest = ticked_at + (now - ticked_at) / self._share if self._share < 1 else 0.0
        in_rhythm = self._next_at + FAST_TICK_S if ticked_at - self._next_at < LATE_S else ticked_at + FAST_TICK_S
        self._next_at = max(in_rhythm, earliest)

    def _wake(self) -> None:
        """Somebody wants to see something now."""
        if self._idle_s > 0:
            self._next_at = min(self._next_at, time.monotonic())

    def _receive(self) -> bool:
        """Carry out what the agent has sent; False when it is gone."""
        try:
            data = self._agent.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        for message in self._messages.feed(data):
            self._carry_out(Tell(message[0]), message[1:])
            self._programs_measured.turn(bool(self._watched & self._labs.keys()))
        return bool(data)

    def _carry_out(self, tell: Tell, items: list) -> None:  # type: ignore[type-arg]
        match tell:
            case Tell.ADD:
                run, limit_pps, sources = items
                self._close(run)
                nodes = [NodeSource(*source) for source in sources]
                lab = self._labs[run] = LabSampler(
                    run, limit_pps, nodes, self._slots, news=self._bpf_news, own_kernel=self._own_kernel
                )
                self._phases[run] = min(range(TICKS_PER_S), key=list(self._phases.values()).count)
                self._send(pack(Report.OPENED, run, lab.missing))
                self._wake()
            case Tell.REMOVE:
                self._close(items[0])
                self._send(pack(Report.CLOSED, items[0]))
            case Tell.WATCHED:
                self._watched = set(items[0])
                self._wake()
            case Tell.WANT_FULL:
                self._want_full.add(items[0])
                self._wake()

    def _close(self, run: str) -> None:
        self._phases.pop(run, None)
        self._want_full.discard(run)
        lab = self._labs.pop(run, None)
        if lab is not None:
            lab.close()

    def _tick(self, at: float) -> None:
        self._tick_number += 1
        wall_clock = time.time()
        bodies: dict[str, bytes | None] = {}
        history: dict[str, bytes] = {}
        xdp_s = 0.0
        for run, lab in self._labs.items():
            turn = self._tick_number + self._phases[run]
            watched, second = run in self._watched, self._is_second(turn, at)
            if not (watched or second or turn % GUARD_TICKS == 0 or run in self._want_full):
                continue
            self._tell_storms(lab, at)
            if self._unsent or not (watched or second or run in self._want_full):
                continue  # the agent is behind: it gets fewer ticks, never old ones
            schema = lab.new_schema(at)
            if schema is not None:
                self._send(pack(Report.SCHEMA, schema.model_dump_json()))
            ask_xdp = schema is not None or (at >= self._xdp_after and (second or (watched and turn % XDP_TICKS == 0)))
            began = time.monotonic()
            ask_slow = watched and second and ask_xdp
            bodies[run] = lab.body(wall_clock, ask_xdp=ask_xdp, full=run in self._want_full, ask_slow=ask_slow)
            xdp_s += time.monotonic() - began if ask_xdp else 0.0
            self._want_full.discard(run)
            if second:
                history[run] = lab.history_body(wall_clock)
        self._xdp_after = max(self._xdp_after, at + min(1.0, XDP_SHARE * xdp_s) - FAST_TICK_S)
        if bodies:
            self._send(pack(Report.TICK, wall_clock, bodies))
        if history:
            self._send(pack(Report.HISTORY, history))

    def _is_second(self, turn: int, at: float) -> bool:
        """Every tenth tick; where ticks are dear and few, as much time as ten would have taken."""
        if self._idle_s == 0:
            return turn % TICKS_PER_S == 0
        if at - self._second_at < 1.0 - FAST_TICK_S / 2:
            return False
        self._second_at = at
        return True

    def _tell_storms(self, lab: LabSampler, at: float) -> None:
        for node, storm in lab.read(at):
            self._send(pack(Report.STORM, lab.run, node, os.fsdecode(storm.device), storm.pps, lab.limit_pps))

    def _send(self, message: bytes) -> None:
        self._unsent += message
        self._flush()

    def _flush(self) -> None:
        while self._unsent:
            try:
                del self._unsent[: self._agent.send(self._unsent)]
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self._unsent.clear()  # the next poll says that the agent is gone


def main(argv: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s sampler %(levelname)s %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C at the agent's terminal: the end of the socket is our end
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except PermissionError:
        log.warning("no priority over others: not root")
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    with socket.socket(fileno=int(argv[0])) as agent:
        SamplerProcess(agent, Path(argv[1]), *map(float, argv[2:5])).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
