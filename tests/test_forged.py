"""Answers that nobody worked for earn nothing, and cost nothing else: a sample of the bank in ``forged``.

``python tests/forged_bank.py`` runs the whole bank.
"""

import random

import pytest
from course_copies import NEEDS_CONFINEMENT
from forged_bank import bank, run_forged
from machine import ORDINARY_USER

pytestmark = NEEDS_CONFINEMENT
SAMPLE = 6


def test_there_are_enough_forgeries_of_each_kind() -> None:
    kinds = {forged.kind for forged in bank()}
    assert kinds == {"callbacks", "doors", "loops", "magics", "names", "patches", "processes", "tables"}
    assert len(bank()) >= 100
    assert len({forged.name for forged in bank()}) == len(bank())


@pytest.mark.parametrize("ordinary", [False, pytest.param(True, marks=pytest.mark.needs(ORDINARY_USER))])
def test_forged_answers_earn_what_the_rest_is_worth(ordinary: bool, seed: int) -> None:
    chosen = random.Random(f"{seed} {ordinary}").sample(bank(), SAMPLE)
    problems = {
        forged.name: problem for forged, result in run_forged(chosen, ordinary) if (problem := result.problem(forged))
    }
    assert problems == {}
