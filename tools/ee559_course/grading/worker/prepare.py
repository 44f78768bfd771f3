"""Read what was handed in, in a clean child: lay out the notebook to grade, and draw the cases that are asked."""

import ast
import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ee559.practicals.wire import pack

from ee559_course.grading.plan.grading_plan import GradingPlan, PlannedCell
from ee559_course.grading.plan.loading import load_hidden_tests
from ee559_course.grading.run.task import Question, Step
from ee559_course.grading.submissions.load import parse
from ee559_course.grading.submissions.repair import definitions
from ee559_course.practicals.hidden import HiddenTest


def read(given: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Read a submission.

    Args:
        given: ``plan`` as JSON, the submission's ``content`` in base64, and the ``seed`` of its cases.
        scratch: a folder of the process's own.

    Returns:
        What `ee559_course.grading.submissions.load.parse` makes of it; if that is a notebook, also the ``steps`` and
        ``questions`` of its runs, and what is ``forbidden``.
    """
    plan = GradingPlan.from_json(given["plan"])
    parsed: dict[str, Any] = json.loads(parse(base64.b64decode(given["content"]), given["plan"]))
    if "notebook" not in parsed:
        return parsed
    tests, forbidden = load_hidden_tests(plan, scratch)
    steps = [
        Step(cell["id"], cell["source"], stubs(cell["source"], plan.cells.get(cell["id"])))
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


def question(test: type[HiddenTest], seed: str) -> Question:
    """Draw a test's cases, and return what is asked in the student's process."""
    asked = test.question()
    cases = [pack(case) for case in test.cases(seed)]
    return Question(test.id(), asked["asks"], asked["answer"], cases, test.seconds is not None)
