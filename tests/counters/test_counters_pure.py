"""The pure parts of the counters: encoding and merging, schema, recent rates, the guard's judgement, parsing."""

from hypothesis import given
from hypothesis import strategies as st

from netlab.host.counters.ethtool import XdpActions, _position
from netlab.host.counters.guard import AGAIN_SAMPLES, StormGuard
from netlab.host.counters.messages import Messages, Report, pack
from netlab.host.counters.reader import DeviceCounters, parse_net_dev
from netlab.host.counters.recent import STALE_S, Recent
from netlab.host.counters.schema import (
    DEVICES_SHOWN_MAX,
    INTERFACE_COUNTERS,
    XDP_COUNTERS,
    Device,
    NodeDevices,
    lab_schema,
    next_version,
    shown,
    xdp_values,
)
from netlab.wire.counters import DELTA, FULL, VALUE_MAX, Encoder, Merged, full_body, history_frame

COUNTS = st.integers(0, 2**63 - 1)
SAMPLES = st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(COUNTS, min_size=n, max_size=n), min_size=1))


def _device(packets: int) -> DeviceCounters:
    return DeviceCounters(packets, 0, 0, 0, 0, 0, 0, 0)


# encoding and merging


def _told(encoder: Encoder, values: list[int], at: float, *, full: bool = False) -> bytes | None:
    encoder.put(0, values)
    return encoder.body(at, full=full)


@given(SAMPLES, st.data())
def test_any_sequence_of_samples_merges_to_the_same_absolute_values(samples: list[list[int]], data: st.DataObject) -> None:
    encoder, merged = Encoder(7), Merged()
    for tick, sample in enumerate(samples):
        body = _told(encoder, sample, tick * 0.1, full=data.draw(st.booleans()))
        if body is not None:
            assert merged.take(body) is not None
        assert merged.values == sample


@given(SAMPLES, st.sets(st.integers(0, 30)))
def test_after_a_loss_the_next_full_body_sets_everything_right(samples: list[list[int]], lost: set[int]) -> None:
    encoder, merged = Encoder(7), Merged()
    for tick, sample in enumerate(samples):
        body = _told(encoder, sample, tick * 0.1)
        if body is not None and tick not in lost:
            merged.take(body)
    body = _told(encoder, samples[-1], 99.0, full=True)
    assert body is not None and merged.take(body) is not None
    assert merged.values == samples[-1]


def test_what_no_counter_can_be_is_told_as_the_nearest_that_one_can() -> None:
    encoder, merged = Encoder(1), Merged()
    for at, (values, told) in enumerate((
        ([5, 2**64 + 1, 3], [5, VALUE_MAX, 3]), ([6, 7, 2**63], [6, 7, VALUE_MAX]), ([2**70, 0, 0], [VALUE_MAX, 0, 0]),
    )):  # fmt: skip
        merged.take(_told(encoder, values, float(at)) or b"")
        assert merged.values == told


def test_nothing_is_said_when_nothing_changed_but_a_full_body_comes_every_ten_seconds() -> None:
    encoder = Encoder(1)
    assert _told(encoder, [1, 2], 0.0) is not None
    assert _told(encoder, [1, 2], 9.9) is None
    body = _told(encoder, [1, 2], 10.0)
    assert body is not None and history_frame(body).kind == FULL


def test_where_ticks_are_dear_each_is_told() -> None:
    """Else nobody could tell a quiet second from one in which the sampler did not come round."""
    encoder, merged = Encoder(1, every_tick=True), Merged()
    assert merged.take(_told(encoder, [1, 2], 0.0) or b"")
    quiet = merged.take(_told(encoder, [1, 2], 3.0) or b"")
    assert quiet is not None and (quiet.kind, quiet.values, quiet.sampled_at) == (DELTA, [], 3.0)


def test_a_delta_of_another_schema_or_before_any_full_body_is_refused() -> None:
    encoder = Encoder(1)
    _told(encoder, [1], 0.0)
    delta = _told(encoder, [2], 0.1)
    assert delta is not None
    assert Merged().take(delta) is None
    other = Merged()
    other.take(full_body(2, 0.0, [5]))
    assert other.take(delta) is None
    assert other.values == [5]


def test_a_frame_that_waits_does_not_change_when_later_samples_are_merged() -> None:
    encoder, merged = Encoder(1), Merged()
    first = merged.take(_told(encoder, [1, 1], 0.0) or b"")
    full = merged.full()
    merged.take(_told(encoder, [1, 9], 0.1) or b"")
    assert first is not None and first.values == [1, 1]
    assert full is not None and full.values == [1, 1]
    assert merged.values == [1, 9]


def test_frames_are_numbered_and_deltas_are_small() -> None:
    encoder, merged = Encoder(1), Merged()
    merged.take(_told(encoder, [0] * 200, 0.0) or b"")
    frame = merged.take(_told(encoder, [0] * 199 + [5], 0.1) or b"")
    assert frame is not None
    assert (frame.kind, frame.number, frame.values) == (DELTA, 2, [199, 5])
    assert len(frame.to_bytes()) < 20


# schema


def test_the_labs_devices_come_first_and_what_the_kernel_made_is_hidden() -> None:
    present = [b"lo", b"tunl0", b"br0", b"eth1", b"eth0"]
    assert shown([b"eth0", b"eth1"], present) == [b"eth0", b"eth1", b"br0"]
    assert shown([b"lo"], [b"lo"]) == [b"lo"]
    assert len(shown([], [b"d%d" % i for i in range(1000)])) == DEVICES_SHOWN_MAX


def test_values_and_schema_have_the_same_order_and_length() -> None:
    schema = lab_schema("r0", 1, [NodeDevices("a", (Device(b"eth0", True), Device(b"br0", False)))])
    assert len(schema.counters) == 2 * len(INTERFACE_COUNTERS) + len(XDP_COUNTERS)
    assert [n for n, _ in INTERFACE_COUNTERS] == list(DeviceCounters._fields)
    found = dict(zip([n for n, _ in XDP_COUNTERS], xdp_values(XdpActions(10, 1, 2, 3, 1)), strict=True))
    assert found == {"xdp_packets": 10, "xdp_drop": 1, "xdp_pass": 3, "xdp_tx": 2, "xdp_redirect": 3, "xdp_errors": 1}
    assert [c.name for c in schema.counters if c.derived] == ["xdp_pass"]


def test_versions_only_grow() -> None:
    first = next_version(0)
    assert next_version(first) > first
    assert next_version(first + 10**9) == first + 10**9 + 1


def test_two_devices_with_odd_names_stay_two() -> None:
    schema = lab_schema("r0", 1, [NodeDevices("a", (Device(b"\xff", False), Device(b"\xfe", False)))])
    assert len({c.object for c in schema.counters}) == 2


# parsing


def test_net_dev_is_parsed_with_every_name_the_kernel_allows() -> None:
    head = b"Inter-|   Receive\n face |bytes\n"
    line = b"%s: 100 10 1 2 0 0 0 0 200 20 3 4 0 0 0 0\n"
    devices = parse_net_dev(head + line % b"  eth0" + line % b"\xff-odd")
    assert devices[b"eth0"] == DeviceCounters(10, 20, 100, 200, 1, 3, 2, 4)
    assert set(devices) == {b"eth0", b"\xff-odd"}


def test_only_receive_queues_xdp_statistics_are_picked() -> None:
    assert _position("rx_queue_0_xdp_drops") == 1
    assert _position("rx_queue_17_xdp_packets") == 0
    assert _position("rx_queue_0_xdp_bytes") is None
    assert _position("tx_queue_0_xdp_xmit") is None
    assert _position("peer_ifindex") is None


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 7))
def test_messages_are_cut_wherever_the_stream_is(bodies: list[bytes], step: int) -> None:
    stream = b"".join(pack(Report.HISTORY, {"r": body}) for body in bodies)
    messages = Messages()
    got = [m for at in range(0, len(stream), step) for m in messages.feed(stream[at : at + step])]
    assert got == [[Report.HISTORY, {"r": body}] for body in bodies]


# the storm guard


def test_two_hot_samples_are_a_storm_and_one_is_not() -> None:
    guard = StormGuard(limit_pps=1000)
    assert guard.judge({b"eth0": _device(0)}, 0.0) == []
    assert guard.judge({b"eth0": _device(5000)}, 0.5) == []
    assert guard.judge({b"eth0": _device(5100)}, 1.0) == []  # calm again
    assert guard.judge({b"eth0": _device(10100)}, 1.5) == []
    (storm,) = guard.judge({b"eth0": _device(15100)}, 2.0)
    assert (storm.device, storm.pps) == (b"eth0", 10000)


def test_a_storm_is_told_once_and_again_only_if_it_goes_on() -> None:
    guard = StormGuard(limit_pps=1000)
    told = [bool(guard.judge({b"eth0": _device(n * 5000)}, n * 0.5)) for n in range(AGAIN_SAMPLES * 2 + 3)]
    assert [n for n, yes in enumerate(told) if yes] == [2, 2 + AGAIN_SAMPLES, 2 + 2 * AGAIN_SAMPLES]


def test_exactly_the_limit_is_allowed_and_a_new_device_too() -> None:
    guard = StormGuard(limit_pps=1000)
    for n in range(5):
        assert guard.judge({b"eth0": _device(n * 500)}, n * 0.5) == []
    assert guard.judge({b"eth0": _device(2500), b"new": _device(0)}, 2.5) == []
    assert guard.judge({b"eth0": _device(3000), b"new": _device(500)}, 3.0) == []


def test_renaming_the_device_does_not_help_a_storm() -> None:
    guard = StormGuard(limit_pps=1000)
    told = [guard.judge({b"x%d" % n: _device(n * 5000)}, n * 0.5) for n in range(6)]
    assert [bool(storms) for storms in told] == [False, False, True, True, True, True]
    assert told[2][0].device == b"x2"


def test_renaming_a_device_once_is_no_storm_however_much_it_has_carried() -> None:
    guard = StormGuard(limit_pps=1000)
    assert guard.judge({b"eth0": _device(10**9)}, 0.0) == []
    assert guard.judge({b"wan": _device(10**9)}, 0.5) == []
    assert guard.judge({b"wan": _device(10**9)}, 1.0) == []


# recent rates


def _recent(samples: list[tuple[float, int]]) -> Recent:
    recent = Recent()
    recent.take_schema(lab_schema("r0", 1, [NodeDevices("a", (Device(b"eth0", False),))]))
    encoder = Encoder(1)
    for at, packets in samples:
        assert recent.take(at, _told(encoder, list(_device(packets)), at))
    return recent


def test_the_rate_is_over_the_last_two_seconds() -> None:
    recent = _recent([(n / 10, n * 10 if n < 50 else 490) for n in range(60)])  # 100 a second, nothing from 4.9 s on
    reading = recent.reading("a", "eth0", "rx_packets", 5.9)
    assert reading is not None and reading.value == 490
    assert 45 <= reading.per_second <= 55  # half of the window moved
    assert recent.reading("a", "eth0", "tx_packets", 5.9) is not None
    assert recent.reading("a", "eth9", "rx_packets", 5.9) is None
    assert recent.reading("a", "eth0", "rx_packets", 5.9 + STALE_S + 1) is None


def test_slow_samples_give_the_same_rate() -> None:
    reading = _recent([(0.0, 0), (1.02, 102), (1.99, 199), (3.01, 301)]).reading("a", "eth0", "rx_packets", 3.02)
    assert reading is not None and abs(reading.per_second - 100) < 2


def test_a_counter_that_starts_again_has_no_negative_rate() -> None:
    reading = _recent([(0.0, 500), (1.0, 3)]).reading("a", "eth0", "rx_packets", 1.0)
    assert reading is not None and (reading.value, reading.per_second) == (3, 0.0)


def test_values_stay_at_their_places_and_only_what_has_changed_is_told() -> None:
    encoder, merged = Encoder(1), Merged()
    encoder.put(0, [1, 2])
    encoder.put(2, [3, 4])
    merged.take(encoder.body(0.0) or b"")
    encoder.put(2, [3, 9])
    encoder.put(0, [7])
    encoder.put(0, [8])  # before anything was told
    frame = merged.take(encoder.body(0.1) or b"")
    assert frame is not None and frame.kind == DELTA
    assert dict(zip(frame.values[::2], frame.values[1::2], strict=True)) == {0: 7, 3: 5}
    assert merged.values == list(encoder.values) == [8, 2, 3, 9]
    assert encoder.body(0.2) is None
