"""Grade answers of a bank in stock nbgrader: what its gradebook and its cells say of them."""

import copy
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nbformat
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from ee559_course.practicals.answer_bank import Answer, pack
from ee559_course.practicals.release import nbgrader_config
from ee559_course.practicals.practical import ReleaseError, Practical, is_answer


@dataclass(frozen=True)
class Graded:
    """What nbgrader made of one submission: the points of each test out of how many, and what each cell printed."""

    points: Mapping[str, float]
    maxima: Mapping[str, float]
    printed: Mapping[str, str]

    @property
    def failed(self) -> frozenset[str]:
        """Ids of the tests that lost points."""
        return frozenset(test for test, points in self.points.items() if points < self.maxima[test])


def bank_submissions(
    practical: Practical, answers: Iterable[Answer]
) -> dict[str, tuple[Mapping[str, str], Sequence[Answer]]]:
    """Lay answers into submissions: for each student, the code of each solution cell, and the bank's answers in it.

    The student ``untouched`` hands in what was released, ``solution`` the solution.
    """
    solutions = {cell.id: cell.source for cell in practical.notebook.cells if is_answer(cell)}
    groups: dict[tuple[str, bool], list[Answer]] = {}
    for answer in answers:
        if answer.kind in ("wrong", "right"):
            groups.setdefault((answer.kind, is_reading(practical, answer)), []).append(answer)
    made: dict[str, tuple[Mapping[str, str], Sequence[Answer]]] = {"untouched": ({}, []), "solution": (solutions, [])}
    for number, answered in enumerate(packed for group in groups.values() for packed in pack(group)):
        sources = {cell: f"{answer.extra}\n{answer.source}".lstrip() for cell, answer in answered.items()}
        made[f"pack-{number}"] = ({**solutions, **sources}, list(answered.values()))
    return made


def is_reading(practical: Practical, answer: Answer) -> bool:
    """Say whether an answer is read off, and so may call what the other answers define."""
    part = practical.part_of(answer.cell)
    return part is not None and any(test.understanding for test in part.tests)


def differing(practical: Practical, contained: Sequence[Answer], graded: Graded) -> list[str]:
    """Return the tests, of the parts that a submission's answers belong to, that went otherwise than the bank says."""
    parts = [practical.part_of(answer.cell) for answer in contained]
    asked = {test.id() for part in parts if part for test in part.tests}
    fails = {test for answer in contained for test in answer.fails}
    return sorted((graded.failed ^ fails) & asked)


def grade_answers(practical: Practical, answers: Sequence[Answer]) -> dict[str, Graded]:
    """Grade answers in stock nbgrader.

    Returns:
        For each answer's name, and for each student of `bank_submissions`, what became of the submission.

    Raises:
        ReleaseError: nbgrader did not grade a submission.
    """
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        config = nbgrader_config(root, source_directory=practical.folder.parent)
        api = NbGraderAPI(config=config)
        _must_succeed(api.generate_assignment(practical.name, force=True, create=True))
        release = nbformat.read(root / "practicals" / practical.name / f"{practical.name}.ipynb", as_version=4)
        results = {}
        for student, (filled, contained) in bank_submissions(practical, answers).items():
            _submit(root, student, practical.name, release, filled)
            _must_succeed(api.autograde(practical.name, student, force=True, create=True))
            graded = _read_marks(root, config.CourseDirectory.db_url, practical.name, student)
            results.update(dict.fromkeys((student, *(answer.name for answer in contained)), graded))
    return results


def stock_problems(practical: Practical, answers: Sequence[Answer]) -> list[str]:
    """Grade answers in stock nbgrader; say which lose other tests there than the bank says.

    Answers without work are left out: nbgrader runs a notebook once, with nothing forbidden until a test asks.
    """
    graded = grade_answers(practical, answers)
    problems = []
    if any(graded["untouched"].points.values()) or graded["solution"].failed:
        problems.append(f"{practical.name}: the release has {graded['untouched'].points}, the solution loses points.")
    for student, (_, contained) in bank_submissions(practical, answers).items():
        if tests := differing(practical, contained, graded[student]):
            names = ", ".join(repr(answer.name) for answer in contained)
            problems.append(f"{practical.name}, {names}: stock nbgrader differs in {', '.join(tests)}.")
    return problems


def _submit(root: Path, student: str, practical: str, release: NotebookNode, filled: Mapping[str, str]) -> None:
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        cell.source = "" if cell.id.startswith("measure") else filled.get(cell.id, cell.source)
    path = root / "submitted" / student / practical / f"{practical}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def _must_succeed(result: Mapping[str, object]) -> None:
    if not result["success"]:
        raise ReleaseError(f"nbgrader refused: {result.get('error') or result.get('log')}")


def _read_marks(root: Path, db_url: str, practical: str, student: str) -> Graded:
    with Gradebook(db_url) as gradebook:
        grades = gradebook.find_submission_notebook(practical, practical, student).grades
        automatic = [grade for grade in grades if grade.cell.cell_type == "code"]
        points = {grade.name: float(grade.auto_score or 0) for grade in automatic}
        maxima = {grade.name: float(grade.max_score) for grade in automatic}
    notebook = nbformat.read(root / "autograded" / student / practical / f"{practical}.ipynb", as_version=4)
    printed = {
        cell.id: "".join(output.get("text", "") or output.get("evalue", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    return Graded(points, maxima, printed)
