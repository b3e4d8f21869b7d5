"""Every name, length and expiry in Redis that is ours, and nothing else. Used by `streams` and by tests; pure.

    nl:<instance>:run:<run>:events         stream, ids by Redis; field `e` = event JSON; resumable by id
    nl:<instance>:run:<run>:wake           pub/sub: empty, there is something new in the events stream; or a live event's JSON
    nl:<instance>:host:<host>:events       stream: every run's events of a host once more, for the projector
    nl:<instance>:run:<run>:schema         string: CounterSchema JSON
    nl:<instance>:run:<run>:counters       stream: full samples at 1 Hz, HISTORY_S of them
    nl:<instance>:counters:<host>          pub/sub: one packed sample of all labs per tick
    nl:<instance>:term:<terminal>:out      stream, id `<end offset>-0`; field `d` = bytes
    nl:<instance>:term:<terminal>:live     pub/sub: 8 bytes end offset (big endian), then the same bytes
    nl:<instance>:term:<terminal>:typed:<viewer>  expiring key: how many bytes of this viewer's input went on to the host
    nl:<instance>:host:<host>:inbox        stream: terminal input, acks, resizes; requests for full samples
    nl:<instance>:watch:<run>              expiring key: a browser looks at this run
    nl:<instance>:host:<host>:report       expiring key: HostReport JSON
    nl:<instance>:web:<pid>:report         expiring key: WebReport JSON
    nl:<instance>:blob:<command>           expiring key: bytes that a command handed up
"""

from dataclasses import dataclass

EVENTS_MAX = 2000
EVENTS_BYTES_MAX = 16 << 20
"""Of a run's stream, roughly: an entry may hold a verifier's log of half a megabyte."""
HOST_EVENTS_MAX = 100_000
INBOX_MAX = 50_000
INBOX_BLOCK_MS = 2000
"""Well below the client's socket timeout (5 s): a read that times out would lose what Redis had just handed over."""
ENDED_EXPIRE_S = 24 * 3600
"""How long a run's streams outlive their last entry."""
WATCH_EXPIRE_S = 15
WATCH_REFRESH_S = 5
REPORT_EXPIRE_S = 20
REPORT_EVERY_S = 5
BLOB_EXPIRE_S = 60
TERMINAL_ENTRIES_MAX = 4096
"""An upper bound on entries beside the one on bytes: many small echoes."""
TYPED_EXPIRE_S = 600
"""How long a viewer may be away and still be known to have typed what it typed."""
PROJECTOR_GROUP = "projector"
AGENT_GROUP = "agent"


def events_kept(entry_bytes: int) -> int:
    """How many entries of a run's stream are kept when one of this size is added. A browser that wants older ones begins anew."""
    return min(EVENTS_MAX, EVENTS_BYTES_MAX // max(1, entry_bytes))


@dataclass(frozen=True)
class Keys:
    """Every name in Redis that is ours."""

    instance: str

    def _k(self, *parts: str) -> str:
        return ":".join(("nl", self.instance, *parts))

    def run_events(self, run: str) -> str:
        return self._k("run", run, "events")

    def run_wake(self, run: str) -> str:
        return self._k("run", run, "wake")

    def host_events(self, host: str) -> str:
        return self._k("host", host, "events")

    def schema(self, run: str) -> str:
        return self._k("run", run, "schema")

    def history(self, run: str) -> str:
        return self._k("run", run, "counters")

    def counters(self, host: str) -> str:
        return self._k("counters", host)

    def terminal_out(self, terminal: str) -> str:
        return self._k("term", terminal, "out")

    def terminal_live(self, terminal: str) -> str:
        return self._k("term", terminal, "live")

    def terminal_typed(self, terminal: str, viewer: str) -> str:
        return self._k("term", terminal, "typed", viewer)

    def inbox(self, host: str) -> str:
        return self._k("host", host, "inbox")

    def watch(self, run: str) -> str:
        return self._k("watch", run)

    def blob(self, command: str) -> str:
        return self._k("blob", command)

    def report(self, host: str) -> str:
        return self._k("host", host, "report")

    def celery_queue(self, name: str) -> str:
        """A list; kombu makes it, with `global_keyprefix` before the queue's name."""
        return self._k("celery", name)

    def web_report(self, process: int | str) -> str:
        return self._k("web", str(process), "report")

    def prefix(self) -> str:
        return self._k("")
