"""Every attack on the list is refused in the way that is written beside it, and nobody else notices."""

from collections import Counter

import pytest

from tests.attacks.attack import CONTROLS, Attack
from tests.attacks.conftest import Box
from tests.attacks.families import host, kernel, network

pytestmark = pytest.mark.kernel

ATTACKS = [*kernel.ATTACKS, *host.ATTACKS, *network.ATTACKS]


def test_the_list_is_long_enough_and_no_attack_is_there_twice() -> None:
    assert len(ATTACKS) >= 60
    assert not [name for name, count in Counter(a.id for a in ATTACKS).items() if count > 1]


@pytest.mark.parametrize("name", CONTROLS)
def test_what_a_node_may_do_gets_through_by_the_same_helpers(box: Box, name: str) -> None:
    outcome = box.carry_out(Attack("control", name, CONTROLS[name]))
    assert outcome.word == "open", f"{outcome.word} {outcome.detail}"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id)
def test_refused(box: Box, attack: Attack) -> None:
    outcome = box.carry_out(attack)
    assert outcome.is_refusal_of(attack), f"{attack.name}: {outcome.word} {outcome.detail}"
    box.alive()


def test_every_network_setting_changed_in_a_node_stays_in_it(box: Box) -> None:
    """The fixture compares the host's and the neighbour's settings at its end; here they are compared at once, too."""
    before = box.evidence()
    changed = box.out("a", r"""
        n=0; for f in $(find /proc/sys/net -type f -perm -200 ! -name flush); do
          v=$(cat $f 2>/dev/null) || continue; case "$v" in ''|*[!0-9]*) continue;; esac
          for w in $((v + 1)) $((v / 2)) 0 1; do [ $w != $v ] && echo $w > $f 2>/dev/null && n=$((n + 1)) && break; done
        done; echo $n""")
    assert int(changed) > 100, "the attack itself did not work"
    after = box.evidence()
    assert before == after
