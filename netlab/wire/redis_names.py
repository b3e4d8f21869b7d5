"""Every name, length and expiry in Redis that is ours, and nothing else. Used by `streams` and by tests; pure.

    nl:<instance>:run:<run>:events         stream, ids by Redis; field `e` = event JSON; resumable by id
    nl:<instance>:run:<run>:wake           pub/sub: 'there is something new in the events stream'
    nl:<instance>:host:<host>:events       stream: every run's events of a host once more, for the projector
    nl:<instance>:run:<run>:schema         string: CounterSchema JSON
    nl:<instance>:run:<run>:counters       stream: full samples at 1 Hz, HISTORY_S of them
    nl:<instance>:counters:<host>          pub/sub: one packed sample of all labs per tick
    nl:<instance>:term:<terminal>:out      stream, id `<end offset>-0`; field `d` = bytes
    nl:<instance>:term:<terminal>:live     pub/sub: 8 bytes end offset (big endian), then the same bytes
    nl:<instance>:host:<host>:inbox        stream: terminal input, acks, resizes; requests for full samples
    nl:<instance>:watch:<run>              expiring key: a browser looks at this run
    nl:<instance>:host:<host>:report       expiring key: HostReport JSON
    nl:<instance>:blob:<command>           expiring key: bytes that a command handed up
"""

from dataclasses import dataclass

EVENTS_MAX = 2000
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
PROJECTOR_GROUP = "projector"
AGENT_GROUP = "agent"


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

    def inbox(self, host: str) -> str:
        return self._k("host", host, "inbox")

    def watch(self, run: str) -> str:
        return self._k("watch", run)

    def blob(self, command: str) -> str:
        return self._k("blob", command)

    def report(self, host: str) -> str:
        return self._k("host", host, "report")

    def prefix(self) -> str:
        return self._k("")
