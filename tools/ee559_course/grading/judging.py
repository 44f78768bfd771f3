"""Decide the marks, in the grader's own process: cases are drawn here, and answers judged here by their values.

No code of a student's runs in this process, and nothing of the judgement runs in a student's.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from ee559.practicals.hidden import Case, HiddenTest
from ee559.practicals.wire import WireError, pack, unpack
from nbformat import NotebookNode

from ee559_course.grading.record import TestMark
from ee559_course.grading.run.task import Answer, RunResult, Step, StepResult
from ee559_course.practicals.hidden_tests import answer_source, hidden_test_of

ENDED = {
    "time": "it ran longer than a cell may",
    "processor time": "it used more processor time than a notebook may",
    "memory": "it used more memory than a notebook may",
    "disk": "it wrote more to the disk than a notebook may",
    "output": "it showed more than a notebook may",
    "itself": "the notebook ended its own process",
}
LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Question:
    """A hidden test, and what is sent to a student's process for it.

    Attributes:
        cell: id of its cell.
        part: such as ``Part 2``.
        about: what it looks at, in the words of the notebook.
        points: that it gives.
        test: draws and judges.
        source: of the function that asks.
    """

    cell: str
    part: str
    about: str
    points: float
    test: HiddenTest
    source: str


def read_questions(notebook: NotebookNode) -> dict[str, Question]:
    """Read the hidden tests of a practical's source, by cell."""
    questions = {}
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader")
        if not marks or marks.solution or not marks.grade:
            continue
        title = re.match(r"# (Part \d+), [^:]+: (.*)", cell.source)
        part, about = title.groups() if title else ("", cell.id)
        questions[cell.id] = Question(
            cell.id, part, about, float(marks.points), hidden_test_of(cell), answer_source(cell)
        )
    return questions


def secret_seed(secret: bytes, practical: str, digest: str) -> str:
    """Return the seed of a submission's cases: nobody can know it before, and it is the same in every run.

    Args:
        secret: the course's.
        practical: its name.
        digest: of the submission.
    """
    return hmac.new(secret, f"{practical} {digest}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Drawn:
    """The cases of one submission, by test cell; they are drawn once its code is there to be graded, and not before."""

    questions: dict[str, Question]
    cases: dict[str, list[Case]]

    def step(self, cell: str) -> Step:
        """Return what asks a test's question."""
        question = self.questions[cell]
        timed = question.test.seconds is not None
        return Step(cell, question.source, [pack(case) for case in self.cases[cell]], timed)

    def mark(self, cell: str, result: StepResult, run: RunResult) -> TestMark:
        """Judge what came for a test."""
        question = self.questions[cell]
        message = self._first_fault(cell, result, run)
        points = 0.0 if message else question.points
        return TestMark(cell, question.part, question.about, points, question.points, message[:LONGEST_MESSAGE])

    def _first_fault(self, cell: str, result: StepResult, run: RunResult) -> str:
        for case, answer in zip(self.cases[cell], result.answers, strict=False):
            if (fault := self._fault(cell, case, answer, result)) is not None:
                return fault
        if result.status == "interrupted":
            return ENDED["time"].capitalize() + "."
        if result.status in ("unfinished", "not run"):
            why = ENDED.get(run.ended, f"its process ended ({run.ended})")
            return f"{'Here' if result.status == 'unfinished' else 'Before this test'}, {why}."
        return "" if len(result.answers) == len(self.cases[cell]) else "No answer came."

    def _fault(self, cell: str, case: Case, answer: Answer, result: StepResult) -> str | None:
        if answer.error is not None:
            said = ": ".join(part for part in answer.error if part)
            return None if result.status in ("interrupted", "unfinished") else said or "No answer came."
        try:
            came = unpack(answer.value)
        except WireError:
            return "What came back cannot be read."
        try:
            self.questions[cell].test.verdict(case, came, answer.seconds)
        except AssertionError as error:
            return str(error) or "The answer is not right."
        return None


def draw(questions: dict[str, Question], seed: str) -> Drawn:
    """Draw the cases of one submission."""
    return Drawn(questions, {cell: question.test.drawn(seed) for cell, question in questions.items()})
