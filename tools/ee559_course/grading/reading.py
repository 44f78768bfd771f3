"""Read what was handed in, in a clean child: lay out the notebook to grade, and draw the cases that are asked."""

import ast
import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ee559.practicals.forbidding import Forbidden
from ee559.practicals.wire import pack

from ee559_course.grading.alignment import definitions
from ee559_course.grading.blueprint import Blueprint, PlannedCell
from ee559_course.grading.intake import parse
from ee559_course.grading.run.task import Question, Step
from ee559_course.practicals.hidden import HiddenTest
from ee559_course.practicals.source import TESTS, load_tests, tests_in


def read(given: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Read a submission.

    Args:
        given: ``blueprint`` as JSON, the submission's ``content`` in base64, and the ``seed`` of its cases.
        scratch: a folder of the process's own.

    Returns:
        What `ee559_course.grading.intake.parse` makes of it; if that is a notebook, also the ``steps`` and
        ``questions`` of its runs, and what is ``forbidden``.
    """
    blueprint = Blueprint.from_json(given["blueprint"])
    parsed: dict[str, Any] = json.loads(parse(base64.b64decode(given["content"]), given["blueprint"]))
    if "notebook" not in parsed:
        return parsed
    tests, forbidden = hidden_tests(blueprint, scratch)
    steps = [
        Step(cell["id"], cell["source"], stubs(cell["source"], blueprint.cells.get(cell["id"])))
        for cell in parsed["notebook"]["cells"]
        if cell["cell_type"] == "code" and cell["id"] not in tests
    ]
    questions = [question(test, given["seed"]) for test in tests.values()]
    return {
        **parsed,
        "steps": [asdict(step) for step in steps],
        "questions": [asdict(each) for each in questions],
        "forbidden": asdict(forbidden),
    }


def stubs(source: str, planned: PlannedCell | None) -> list[str]:
    """Return the names of the functions and classes in an answer's cell that are as they were released, unanswered."""
    if planned is None or planned.cell_type != "code":
        return []
    as_released = {ast.dump(node) for node in definitions(planned.source) if "NotImplementedError" in ast.dump(node)}
    return [node.name for node in definitions(source) if ast.dump(node) in as_released]


def hidden_tests(blueprint: Blueprint, scratch: Path) -> tuple[dict[str, type[HiddenTest]], Forbidden]:
    """Load the hidden tests of a practical, and what it forbids.

    Args:
        blueprint: has their code.
        scratch: the folder where it is written, for `inspect` reads sources from files.

    Returns:
        The tests by id, in the order of the blueprint.
    """
    path = scratch / blueprint.practical / TESTS
    path.parent.mkdir(exist_ok=True)
    path.write_text(blueprint.code, encoding="utf-8")
    module = load_tests(path, blueprint.digest)
    found = {test.id(): test for test in tests_in(module)}
    return {test.cell: found[test.cell] for test in blueprint.tests}, getattr(module, "FORBIDDEN", Forbidden())


def question(test: type[HiddenTest], seed: str) -> Question:
    """Draw a test's cases, and return what is asked in the student's process."""
    asked = test.question()
    cases = [pack(case) for case in test.cases(seed)]
    return Question(test.id(), asked["asks"], asked["answer"], cases, test.seconds is not None)
