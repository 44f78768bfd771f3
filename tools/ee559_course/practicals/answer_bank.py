"""The bank of answers beside each practical: right and wrong ones, graded in real nbgrader, and who catches whom."""

import copy
import os
import tempfile
import tomllib
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

from ee559_course.paths import SOLUTIONS
from ee559_course.practicals.release import PRACTICAL_NAMES, ReleaseError, nbgrader_config

BANK = "answers.toml"
AS_A_COMMAND = {"OMP_NUM_THREADS": "1"}  # what nbgrader_config.py sets for nbgrader's own commands
if hasattr(os, "fork"):
    AS_A_COMMAND["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "ee559-warm"


@dataclass(frozen=True)
class Answer:
    """An answer to one part.

    Attributes:
        name: what it does, in words.
        cell: the id of the solution cell that it stands in.
        source: the code.
        right: whether it earns full marks.
        fails: ids of the tests that it fails, and it fails no others.
        says: words of the message that the part's check prints for it.
    """

    name: str
    cell: str
    source: str
    right: bool
    fails: frozenset[str] = frozenset()
    says: str = ""


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


def load_answers(practical: str) -> list[Answer]:
    """Read the bank of a practical.

    Raises:
        ReleaseError: there is no such practical, an answer names a cell or a test that it does not have, or a name is
            used twice.
    """
    notebook = source_notebook(practical)
    bank = tomllib.loads((SOLUTIONS / practical / BANK).read_text(encoding="utf-8"))
    answers = [
        Answer(**{**entry, "fails": frozenset(entry.get("fails", ())), "right": kind == "right"})
        for kind in ("wrong", "right")
        for entry in bank[kind]
    ]
    ids = {cell.id for cell in notebook.cells}
    names: set[str] = set()
    for answer in answers:
        if unknown := sorted({answer.cell, *answer.fails} - ids):
            raise ReleaseError(f"{practical}/{BANK}, '{answer.name}': no cell is called {unknown[0]}.")
        if answer.name in names:
            raise ReleaseError(f"{practical}/{BANK}: two answers are called '{answer.name}': rename one.")
        names.add(answer.name)
    return answers


def source_notebook(practical: str) -> NotebookNode:
    """Read the source of a practical, solutions and hidden tests included.

    Raises:
        ReleaseError: there is no such practical.
    """
    if practical not in PRACTICAL_NAMES:
        raise ReleaseError(f"no such practical: {practical}: expected one of {', '.join(PRACTICAL_NAMES)}.")
    notebook: NotebookNode = nbformat.read(SOLUTIONS / practical / f"{practical}.ipynb", as_version=4)
    return notebook


def pack(answers: Iterable[Answer]) -> list[dict[str, Answer]]:
    """Lay answers to different cells into the same submission, so that few submissions hold them all."""
    packs: list[dict[str, Answer]] = []
    for answer in answers:
        free = next((each for each in packs if answer.cell not in each), None)
        if free is None:
            packs.append(free := {})
        free[answer.cell] = answer
    return packs


def bank_submissions(practical: str, answers: Iterable[Answer]) -> dict[str, tuple[Mapping[str, str], list[Answer]]]:
    """Lay the bank into submissions, cells without an answer of the bank filled with the solution.

    Returns:
        For each made-up student the sources of the cells that are filled in, and the answers that are among them: the
        release as it comes (``untouched``), the full solution (``solution``), and the bank (``pack-0`` and so on).
    """
    source = source_notebook(practical)
    solutions = {cell.id: cell.source for cell in source.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    answers = list(answers)
    packs = pack(answer for answer in answers if not answer.right) + pack(answer for answer in answers if answer.right)
    made: dict[str, tuple[Mapping[str, str], list[Answer]]] = {"untouched": ({}, []), "solution": (solutions, [])}
    for number, answered in enumerate(packs):
        sources = {cell: answer.source for cell, answer in answered.items()}
        made[f"pack-{number}"] = ({**solutions, **sources}, list(answered.values()))
    return made


def grade_answers(practical: str, answers: Sequence[Answer]) -> dict[str, Graded]:
    """Grade the bank in stock nbgrader.

    Returns:
        For each answer's name, and for each student of `bank_submissions`, what became of the submission.

    Raises:
        ReleaseError: nbgrader did not grade a submission.
    """
    with tempfile.TemporaryDirectory() as scratch, _as_a_command():
        root = Path(scratch)
        config = nbgrader_config(root, source_directory=SOLUTIONS)
        api = NbGraderAPI(config=config)
        _must_succeed(api.generate_assignment(practical, force=True, create=True))
        release = nbformat.read(root / "practicals" / practical / f"{practical}.ipynb", as_version=4)
        results = {}
        for student, (filled, contained) in bank_submissions(practical, answers).items():
            _submit(root, student, practical, release, filled)
            _must_succeed(api.autograde(practical, student, force=True, create=True))
            graded = _read_marks(root, config.CourseDirectory.db_url, practical, student)
            results.update({name: graded for name in (student, *(answer.name for answer in contained))})
    return results


@contextmanager
def _as_a_command() -> Iterator[None]:
    with patch.dict(os.environ, AS_A_COMMAND):
        KernelProvisionerFactory.clear_instance()  # it reads the environment once
        try:
            yield
        finally:
            KernelProvisionerFactory.clear_instance()


def _submit(root: Path, student: str, practical: str, release: NotebookNode, filled: Mapping[str, str]) -> None:
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        if cell.id in filled:
            cell.source = filled[cell.id]
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


def catch_table(practical: str, answers: Sequence[Answer]) -> str:
    """Write as Markdown which hidden test catches which wrong answer."""
    tests = [cell.id for cell in source_notebook(practical).cells if cell.id.startswith("test-")]
    lines = ["| Hidden test | Wrong answers that it catches |", "|---|---|"]
    for test in tests:
        caught = [answer.name for answer in answers if test in answer.fails]
        lines.append(f"| {test} | {'; '.join(caught)} |")
    return "\n".join(lines) + "\n"
