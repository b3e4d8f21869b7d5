"""The shapes of Redis' answers about streams, for every protocol version. Used by `streams` alone; no I/O."""

from typing import Any


def rows_of(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """redis-py types its answers for every protocol and decoding at once; ours are always bytes."""
    return answer or []


def offset_of(entry_id: bytes) -> int:
    """Terminal streams carry end offsets as ids: '<end offset>-0'."""
    return int(entry_id.split(b"-")[0])


def by_stream(answer: Any) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREAD(GROUP)'s answer in one shape: RESP2 gives a list, RESP3 a dict with lists of lists."""
    if not answer:
        return []
    if isinstance(answer, dict):
        return [(key, [entry for batch in batches for entry in batch]) for key, batches in answer.items()]
    return [(key, entries) for key, entries in answer]


def entries_of(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Of an XREAD of one stream."""
    return [entry for _, found in by_stream(answer) for entry in found]
