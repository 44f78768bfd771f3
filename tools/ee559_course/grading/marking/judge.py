"""Decide the marks, in a clean child: answers are judged there by their values, and the graded notebook is written.

No code of a student's runs in that process, and nothing of the judgement runs in a student's.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from ee559.checks import difference
from ee559.practicals.wire import WireError, unpack
from nbformat import NotebookNode

from ee559_course.grading.marking.graded_notebook import graded_notebook
from ee559_course.grading.marking.test_mark import TestMark
from ee559_course.grading.plan.grading_plan import GradingPlan, PlannedTest
from ee559_course.grading.plan.loading import load_hidden_tests
from ee559_course.grading.run.task import Answer, Asked, ExitReason, RunResult, StepResult
from ee559_course.practicals.hidden import Case, HiddenTest

ENDED: dict[str, str] = {
    ExitReason.CELL_TIME: "it ran longer than a cell may",
    ExitReason.RUN_TIME: "the notebook ran longer than a notebook may",
    ExitReason.CPU_TIME: "it used more processor time than a notebook may",
    ExitReason.MEMORY: "it used more memory than a notebook may",
    ExitReason.DISK: "it wrote more to the disk than a notebook may",
    ExitReason.OUTPUT: "it showed or returned more than a notebook may",
    ExitReason.ITSELF: "the notebook ended its own process",
}
MAX_MESSAGE = 500
IN_CELL = re.compile(r" \(\S+, line (\d+)\)$")  # IPython's name for a cell says nothing to a reader


def judge(given: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Judge a submission.

    Args:
        given: ``plan`` as JSON, the ``seed`` of its cases, the ``notebook`` to grade, and the results of its run
            ``shown`` and its run ``asked``, as JSON.
        scratch: a folder of the process's own.

    Returns:
        The ``tests``' marks, the graded ``notebook`` as text, the automatic points of each graded cell in ``grades``,
        None where a person gives them, and ``untouched``, the answers that are as they were released.
    """
    plan = GradingPlan.from_json(given["plan"])
    notebook: NotebookNode = nbformat.from_dict(given["notebook"])
    shown, asked = RunResult.from_json(given["shown"]), RunResult.from_json(given["asked"])
    tests, _ = load_hidden_tests(plan, scratch)
    sources = {cell.id: cell.source for cell in notebook.cells}
    texts = _Texts(sources, "\n".join(cell.source for cell in plan.cells.values() if not cell.is_test))
    marks = {planned.cell: _mark(planned, tests[planned.cell], given["seed"], asked, texts) for planned in plan.tests}
    untouched = [
        name
        for name, planned in plan.cells.items()
        if not planned.is_test and sources.get(name, planned.source) == planned.source
    ]
    graded = graded_notebook(notebook, shown, asked, marks)
    return {
        "tests": [asdict(mark) for mark in marks.values()],
        "notebook": json.dumps(graded, indent=1, ensure_ascii=False, sort_keys=True) + "\n",
        "grades": _grades(plan, marks, untouched),
        "untouched": untouched,
    }


@dataclass(frozen=True)
class _Texts:
    """The sources of a submission's cells by id, and the text of the answers as they were released."""

    sources: Mapping[str, str]
    stubs: str

    def unanswered(self, name: str, error: tuple[str, str]) -> str:
        """Say that an answer is not there yet, if an error is a stub's own; nothing if it is another one."""
        kind, text = error
        if kind != "NotImplementedError" or not text or text not in self.stubs:
            return ""
        return f"{name} is not answered yet: {text}"


def _grades(plan: GradingPlan, marks: Mapping[str, TestMark], untouched: list[str]) -> dict[str, float | None]:
    """Return the automatic points of each cell that gives some; words that nobody wrote have none."""
    manual = {name: 0.0 if name in untouched else None for name, cell in plan.cells.items() if cell.points}
    return {**manual, **{name: mark.points for name, mark in marks.items()}}


def _mark(planned: PlannedTest, test: type[HiddenTest], seed: str, run: RunResult, texts: _Texts) -> TestMark:
    actual = run.asked[planned.cell]
    message = _first_fault(test, test.cases(seed), actual, run, texts)
    mistake = _likely(test, actual.answers) if message else ""
    return TestMark(
        planned.cell,
        planned.part,
        planned.about,
        0.0 if message else planned.points,
        planned.points,
        message[:MAX_MESSAGE] + (f". It looks like this: {mistake}" if mistake else ""),
        mistake,
        actual.at,
    )


def _first_fault(test: type[HiddenTest], cases: list[Case], actual: Asked, run: RunResult, texts: _Texts) -> str:
    for case, answer in zip(cases, actual.answers, strict=False):
        if answer.error and actual.status == "interrupted":
            return f"{test.call(case)}: {ENDED[ExitReason.CELL_TIME]}."
        if answer.error:
            return _raised(test, case, answer.error, run, texts)
        if fault := _fault(test, case, answer):
            return fault
    if actual.status == "interrupted":
        return f"Here, {ENDED[ExitReason.CELL_TIME]}."
    if actual.status in ("unfinished", "not run"):
        why = ENDED.get(run.ended, f"its process ended ({run.ended})")
        return f"{'Here' if actual.status == 'unfinished' else 'Before this test'}, {why}."
    if len(actual.answers) != len(cases):
        return "No answer came."
    return test.too_slow([answer.seconds for answer in actual.answers]) or ""


def _raised(test: type[HiddenTest], case: Case, error: tuple[str, str], run: RunResult, texts: _Texts) -> str:
    name, text = error
    if error == ("NameError", f"name '{test.asks}' is not defined"):
        return _why_missing(test.asks, run, texts) or f"{name}: {text}"
    if said := texts.unanswered(test.asks, error):
        return said
    if not name:
        return f"{test.call(case)}: {text or 'no answer came'}"
    return f"{test.call(case)} raised {name}: {text}".removesuffix(": ")


def _fault(test: type[HiddenTest], case: Case, answer: Answer) -> str | None:
    try:
        actual = unpack(answer.value)
    except WireError:
        return "What came back cannot be read."
    return test.verdict(actual, case)


def _likely(test: type[HiddenTest], answers: list[Answer]) -> str:
    """Name a known mistake, if what came is what it gives in every fixed case, and what no other one does."""
    fixed = list(test.fixed())
    if len(answers) < len(fixed) or test.understanding:
        return ""
    same = [sentence for sentence, mistake in test.mistakes.items() if _is_made(test, mistake, fixed, answers)]
    return same[0] if len(same) == 1 else ""


def _is_made(test: type[HiddenTest], mistake: Callable[..., object], cases: list[Case], answers: list[Answer]) -> bool:
    try:
        found = [(unpack(answer.value), case) for case, answer in zip(cases, answers, strict=False) if not answer.error]
        facts = [test.facts(actual, **copy.deepcopy(case)) if test.facts else actual for actual, case in found]
        given = [mistake(**copy.deepcopy(case)) for case in cases]
    except Exception:  # a mistake may well be one that fails, and an answer of a kind that nobody thought of
        return False
    same = (difference(one, other, dtype=False) is None for one, other in zip(facts, given, strict=False))
    return len(facts) == len(cases) and all(same)


def _why_missing(name: str, run: RunResult, texts: _Texts) -> str:
    """Say what went wrong in the cell that should define a name; nothing if that is not known."""
    defines = re.compile(rf"^(?:def|class) {name}\b|^{name} *=", re.MULTILINE)
    for step in run.steps:
        if step.status == "ok" or not defines.search(texts.sources[step.cell]):
            continue
        said = texts.unanswered(name, step.error or ("", ""))
        return said or f"{name} is not there, because the cell that defines it {' '.join(_ends(step))}"
    return ""


def _ends(step: StepResult) -> Iterator[str]:
    """Say how a cell ended, if not well."""
    if step.status == "skipped":
        yield "ends the notebook's process"
    elif step.status == "interrupted":
        yield "runs longer than a cell may"
    elif step.error is not None:
        yield "ends in an error:"
        yield IN_CELL.sub(r" in line \1", ": ".join(part for part in step.error if part))
    else:
        yield "was not run to its end"
