"""Traces asked for over REST: functions only of a kernel of one's own, and only what may be a function's name."""

from typing import Any

import pytest

from netlab.wire.commands import FindFunctions, StartTrace
from netlab.workshops.models import Attendee
from tests.web.conftest import FakeHost
from tests.web.vm_people import ask, running

pytestmark = pytest.mark.django_db(transaction=True)


def test_functions_of_ones_own_kernel(vm_people: list[Attendee], host: FakeHost) -> None:
    run = running(vm_people[0])
    host.nudges()
    answer = ask(run, "traces", {"mode": "functions", "function": "veth_poll", "depth": 4, "calls": 3})
    ask(run, "functions", {"search": "ip rcv"})
    trace, search = host.commands()
    assert isinstance(trace, StartTrace) and trace.id == answer.json()["command"]
    assert (trace.function, trace.depth, trace.calls) == ("veth_poll", 4, 3)
    assert isinstance(search, FindFunctions) and search.search == "ip rcv"


@pytest.mark.parametrize(("what", "body"), [("traces", {"mode": "functions"}), ("functions", {"search": "ip_rcv"})])
def test_not_of_a_kernel_that_is_shared(what: str, body: dict[str, Any], attendee: Attendee, host: FakeHost) -> None:
    run = running(attendee)
    host.nudges()
    answer = ask(run, what, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_trace")
    assert "follow a packet's way" in answer.json()["hint"] and host.commands() == []


@pytest.mark.parametrize(("what", "body"), [
    ("traces", {"mode": "functions", "function": "ip_rcv; reboot"}), ("traces", {"mode": "functions", "function": "*"}),
    ("traces", {"mode": "functions", "function": "a" * 129}), ("traces", {"mode": "functions", "depth": 33}),
    ("traces", {"mode": "functions", "calls": 51}), ("functions", {"search": "ip\n"}), ("functions", {"search": "[a-z]"}),
])
def test_what_is_no_functions_name_is_refused(
    what: str, body: dict[str, Any], vm_people: list[Attendee], host: FakeHost
) -> None:
    run = running(vm_people[0])
    host.nudges()
    assert ask(run, what, body).status_code == 422
    assert host.commands() == []
