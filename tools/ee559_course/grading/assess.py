"""From a submission to its record: what is asked of it, and what its answers are worth."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from nbgrader.api import Gradebook

from ee559_course.grading.blueprint import Blueprint
from ee559_course.grading.conduct import what_reaches_beyond
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook import graded_notebook, write_graded_notebook, write_marks
from ee559_course.grading.intake import Submission
from ee559_course.grading.judging import LONGEST_MESSAGE, Drawn, Question, draw, secret_seed
from ee559_course.grading.record import HELD_BACK, Record, TestMark
from ee559_course.grading.run.task import RunResult, Step, Task

MISSING = re.compile(r"NameError: name '(\w+)' is not defined")
IN_CELL = re.compile(r" \(\S+, line (\d+)\)$")  # IPython's name for a cell says nothing to a reader
MOST_FLAGS = 5


@dataclass(frozen=True)
class Assessment:
    """A submission with the cases that are drawn for it.

    Attributes:
        submission: that is assessed.
        task: what a worker does for it.
    """

    submission: Submission
    task: Task
    _blueprint: Blueprint
    _drawn: Drawn

    def record(self, course: CourseFolder, gradebook: Gradebook, run: RunResult) -> Record:
        """Judge what came, write notebook and gradebook, and return the record, which is still to be written.

        Args:
            course: where to write.
            gradebook: of the course, open.
            run: what a worker brought back.
        """
        results = {step.cell: step for step in run.steps}
        marks = {
            cell: self._explained(self._drawn.mark(cell, results[cell], run), run) for cell in self._drawn.questions
        }
        beyond = what_reaches_beyond(self.submission.notebook, self._blueprint.notebook)
        held = {cell for cell, mark in marks.items() if beyond and mark.points and self._reported(cell)}
        flags = (_what_is_held(marks, held), *beyond)[:MOST_FLAGS] if held else ()
        marks = {cell: _held(mark) if cell in held else mark for cell, mark in marks.items()}
        notebook = graded_notebook(self.submission.notebook, results, marks)
        student, practical = self.submission.student, self._blueprint.practical
        write_graded_notebook(course, student, self._blueprint, notebook)
        write_marks(gradebook, course, student, practical, notebook, held)
        return Record(
            student,
            practical,
            self.submission.digest,
            self._blueprint.digest,
            tests=tuple(marks.values()),
            notes=self.submission.notes,
            flags=flags,
            ended=run.ended,
            seconds=round(run.seconds, 3),
            cpu_seconds=round(run.cpu_seconds, 3),
            peak_memory=run.peak_memory,
        )

    def _explained(self, mark: TestMark, run: RunResult) -> TestMark:
        """Say, where a test misses a name, what went wrong in the cell that should define it."""
        if not (missing := MISSING.match(mark.message)):
            return mark
        defines = re.compile(rf"^(?:def|class) {missing[1]}\b|^{missing[1]} *=", re.MULTILINE)
        sources = {cell.id: cell.source for cell in self.submission.notebook.cells}
        errors = (
            f"{output['ename']}: {output['evalue']}"
            for step in run.steps
            if step.status == "error" and defines.search(sources[step.cell])
            for output in step.outputs
            if output["output_type"] == "error"
        )
        if not (error := next(errors, "")):
            return mark
        why = IN_CELL.sub(r" in line \1", error)
        words = f"{missing[1]} is not there, because the cell that defines it ends in an error: {why}"
        return replace(mark, message=words[:LONGEST_MESSAGE])

    def _reported(self, cell: str) -> bool:
        return self._drawn.questions[cell].test.reported


def _what_is_held(marks: Mapping[str, TestMark], held: Set[str]) -> str:
    """Say for who looks at it which points the tests would give."""
    points = ", ".join(f"{marks[cell].points:g} of {marks[cell].max_points:g} in {cell}" for cell in sorted(held))
    return f"held back: {points}"


def _held(mark: TestMark) -> TestMark:
    return replace(mark, points=0.0, message=HELD_BACK)


def assess(
    submission: Submission, blueprint: Blueprint, questions: dict[str, Question], secret: bytes, cell_seconds: float
) -> Assessment:
    """Draw the cases for a submission, now that its code cannot change any more.

    Args:
        submission: to assess.
        blueprint: its practical.
        questions: of the practical.
        secret: that the draws begin from.
        cell_seconds: how long a cell may run.
    """
    drawn = draw(questions, secret_seed(secret, blueprint.practical, submission.digest))
    steps = [
        drawn.step(cell.id) if cell.id in questions else Step(cell.id, cell.source)
        for cell in submission.notebook.cells
        if cell.cell_type == "code"
    ]
    return Assessment(submission, Task(submission.digest, steps, blueprint.files, cell_seconds), blueprint, drawn)
