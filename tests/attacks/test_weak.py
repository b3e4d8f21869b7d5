"""With a weakened sandbox some of the same attacks get through: so the list can fail, and each layer has its use."""

import pytest

from tests.attacks.attack import Attack
from tests.attacks.conftest import Box
from tests.attacks.test_attacks import ATTACKS

pytestmark = pytest.mark.kernel

OPEN = [attack for attack in ATTACKS if attack.open_when_weak]


def test_enough_of_the_list_depends_on_the_layers() -> None:
    assert len(OPEN) >= 40


@pytest.mark.parametrize("attack", OPEN, ids=lambda a: a.id)
def test_gets_through(weak_box: Box, attack: Attack) -> None:
    outcome = weak_box.carry_out(attack)
    assert outcome.word == "open", f"{attack.name} is refused without its layer too: {outcome.word} {outcome.detail}"
    assert not outcome.is_refusal_of(attack)
    weak_box.alive()
