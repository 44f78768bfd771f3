"""Similar submissions: copies are found through names, comments and layout; what all were given does not count."""

import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from course_copies import course_at, released, solution, tiny
from ee559_course.grading.pages.similarity import Pair, similar_pairs
from ee559_course.practicals.answer_bank import load_answers
from ee559_course.practicals.release import full_notebook
from graded_course import disguised
from nbformat.v4 import new_code_cell

SEED = 559


class Class:
    """A course folder to hand graded notebooks into."""

    def __init__(self, root: Path) -> None:
        self.course = course_at(root / "course")
        self.answers = list(solution(tiny()))

    def hand_in(self, student: str, answers: Mapping[str, str], *more: str) -> None:
        notebook = full_notebook(tiny())
        for cell in notebook.cells:
            cell.source = answers.get(cell.id, cell.source)
        notebook.cells += [new_code_cell(source, id=f"own-{number}") for number, source in enumerate(more)]
        folder = self.course.autograded(student, "tiny")
        folder.mkdir(parents=True)
        (folder / "tiny.ipynb").write_text(json.dumps(notebook), encoding="utf-8")

    def pairs(self, **options: Any) -> list[Pair]:
        return similar_pairs(self.course, "tiny", **options)


@pytest.fixture
def school(tmp_path: Path) -> Class:
    return Class(tmp_path)


def drawn(draw: random.Random) -> dict[str, str]:
    """Answer each part with one of the bank's answers, half of them with a line more."""
    bank = load_answers(tiny())
    cells = sorted({answer.cell for answer in bank})
    answers = {cell: draw.choice([answer.source for answer in bank if answer.cell == cell]) for cell in cells}
    for cell in cells:
        if draw.random() < 0.5:
            answers[cell] = (
                answers[cell].rstrip() + f"\n\n\nassert {draw.randint(1, 99)} > {cell.count('-')}, 'checked'\n"
            )
    return answers


def test_a_copy_is_found_through_names_comments_docstrings_and_layout(school: Class) -> None:
    draw = random.Random(SEED)
    everybody = [drawn(draw) for _ in range(40)]
    for number, answers in enumerate(everybody):
        school.hand_in(f"student-{number:02}", answers)
    school.hand_in("copy", {cell: disguised(source) for cell, source in everybody[7].items()})
    first = school.pairs()[0]
    assert {first.first, first.second} == {"copy", "student-07"}
    assert first.alike == 1.0
    assert set(first.where) <= set(school.answers)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return x.abs()", "return (x.abs())  # mine"),
        ("def double(x):", "def double(x: torch.Tensor) -> torch.Tensor:\n    '''All my own work.'''"),
        ("return x.abs()", "y = 1\n    return x.abs(\n        )"),
    ],
)
def test_layout_and_hints_do_not_hide_an_answer(school: Class, before: str, after: str) -> None:
    longer = "y = x * 1\n    y[y < 0] = 0 * y[y < 0]\n    y = 3 + y.clamp(min=0) - 3\n"
    answer = f"def double(x):\n    {longer}    return x.abs()\n"
    school.hand_in("one", {"double": answer})
    school.hand_in("two", {"double": answer.replace(before, after)})
    (pair,) = school.pairs()
    assert pair.alike > 0.7


def test_released_code_and_given_cells_count_for_nothing(school: Class) -> None:
    untouched = {cell.id: cell.source for cell in released().cells}
    for student in ("one", "two", "three"):
        school.hand_in(student, untouched, untouched["smooth"])
    assert school.pairs() == []


def test_cells_of_their_own_count(school: Class) -> None:
    untouched = {cell.id: cell.source for cell in released().cells}
    own = "for side in range(12):\n    print(side, [shift(side, k + side % 3 + 1) for k in range(1, side)])\n"
    school.hand_in("one", untouched, own)
    school.hand_in("two", untouched, own.replace("side", "n"))
    school.hand_in("three", untouched)
    (pair,) = school.pairs()
    assert (pair.first, pair.second, pair.where) == ("one", "two", ("other cells",))


def test_what_most_students_wrote_is_hardly_unusual(school: Class) -> None:
    for number in range(12):
        school.hand_in(f"same-{number}", solution(tiny()))
    assert max(pair.unusual for pair in school.pairs()) < 3
    rare = drawn(random.Random(1))
    school.hand_in("rare-1", rare)
    school.hand_in("rare-2", {cell: disguised(source) for cell, source in rare.items()})
    first = school.pairs()[0]
    assert {first.first, first.second} == {"rare-1", "rare-2"}
    assert first.unusual > 10


@pytest.mark.parametrize(
    "source",
    [
        "",
        "def f(:\n",
        "%timeit double(x)\n!ls\n",
        "(" * 5000 + ")" * 5000,
        "-" * 100_000 + "1",
        "a." * 20_000 + "b",
        "x\x00y",
        "\ud800 = 1",
        "lambda " * 3000,
        "x = [" * 200,
        "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 90)) + " " * 90 + "x",
    ],
)
def test_code_that_is_no_python_or_too_deep_harms_nobody(school: Class, source: str) -> None:
    good = drawn(random.Random(2))
    school.hand_in("hostile", {"double": source}, source)
    school.hand_in("one", good)
    school.hand_in("two", good)
    first = school.pairs()[0]
    assert (first.first, first.second) == ("one", "two")


def test_a_line_that_is_no_python_does_not_hide_the_rest(school: Class) -> None:
    good = drawn(random.Random(3))
    school.hand_in("one", good)
    school.hand_in("two", {cell: f"%time\n{source}\nthis is no python\n" for cell, source in good.items()})
    (pair,) = school.pairs()
    assert pair.alike == 1.0


def test_notebooks_that_cannot_be_read_are_passed_over(school: Class) -> None:
    good = drawn(random.Random(4))
    school.hand_in("one", good)
    school.hand_in("two", good)
    for number, content in enumerate(["", "[]", '{"nbformat": 4}', '{"nbformat": 4, "cells": [{}]}']):
        school.hand_in(f"broken-{number}", good)
        (school.course.autograded(f"broken-{number}", "tiny") / "tiny.ipynb").write_text(content)
    assert [(pair.first, pair.second) for pair in school.pairs()] == [("one", "two")]


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_of_none_or_one_has_no_pairs(school: Class, count: int) -> None:
    for number in range(count):
        school.hand_in(str(number), drawn(random.Random(5)))
    assert school.pairs() == []


def test_many_submissions_are_feasible(school: Class) -> None:
    draw = random.Random(SEED)
    for number in range(200):
        school.hand_in(f"student-{number:03}", drawn(draw))
    start = time.process_time()
    assert len(school.pairs(most=5)) == 5
    assert time.process_time() - start < 10  # it takes less than one
