"""Honest work loses nothing, however unusual it looks: a sample of the bank in ``unusual``.

``python tests/unusual_bank.py`` grades the whole bank.
"""

import random
from pathlib import Path

from course_copies import NEEDS_CONFINEMENT
from ee559_course.grading.batch.grade import Options
from ee559_course.grading.batch.workers import WorkerOptions
from unusual_bank import bank, grade_unusual

SAMPLE = 14


def test_there_are_enough_notebooks_of_each_kind() -> None:
    assert {unusual.kind for unusual in bank()} == {"answers", "forms", "lines", "settings"}
    assert len(bank()) >= 80
    assert len({(unusual.kind, unusual.name) for unusual in bank()}) == len(bank())


@NEEDS_CONFINEMENT
def test_unusual_notebooks_get_full_marks_beside_broken_files(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed).sample(bank(), SAMPLE)
    graded = grade_unusual(tmp_path / "course", chosen, Options(pool=WorkerOptions(workers=1)))
    assert {what: problem for what, problem in graded if problem} == {}
