"""Make the students' practicals from the solutions with nbgrader, and only if the solutions keep the rules."""

import os
import shutil
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import NbGraderPreprocessor

from ee559_course.files import write_text
from ee559_course.course_settings import nbgrader_config
from ee559_course.paths import PRACTICALS, SOLUTIONS
from ee559_course.practicals.hidden import HiddenTest
from ee559_course.practicals.recording import RECORDED, recorded
from ee559_course.practicals.rules import practical_problems
from ee559_course.practicals.practical import ReleaseError, Practical, code_of_test, practical_names, read_practical

__all__ = ["AddHiddenTests", "ReleaseError", "full_notebook", "make_release", "nbgrader_config"]

TEST_CELL = """\
# {part}, {points:g} point{s}: {title}
### BEGIN HIDDEN TESTS
def hidden_test():
{code}

    from ee559_course.practicals.hidden import Forbidden, in_kernel

    in_kernel({name}, {forbidden!r}, globals())


hidden_test()
### END HIDDEN TESTS"""


class AddHiddenTests(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Put the hidden tests of a practical's folder into its notebook, before nbgrader makes a release of it."""

    def preprocess(
        self, notebook: NotebookNode, resources: dict[str, object]
    ) -> tuple[NotebookNode, dict[str, object]]:
        """Add each part's tests to it; a notebook that has no tests beside it stays as it is."""
        metadata = resources["metadata"]
        assert isinstance(metadata, dict)
        folder = Path(metadata["path"])
        if not (folder / "hidden_tests.py").exists():
            return notebook, resources
        return full_notebook(read_practical(folder.name, folder.parent)), resources


def full_notebook(practical: Practical) -> NotebookNode:
    """Return a practical's notebook with the cells of its hidden tests, as nbgrader needs it.

    The tests of a part stand after the last cell in it that takes code or checks it, and so before its words.
    """
    made: NotebookNode = nbformat.from_dict(practical.notebook)
    after: dict[str, list[NotebookNode]] = {}
    for part in practical.parts:
        code = [cell.id for cell in practical.notebook.cells if cell.id in part.cells and cell.cell_type == "code"]
        checks = [cell for cell in code if cell in part.answers or cell.startswith("check-")]
        last = (checks or list(part.cells))[-1]
        after[last] = [_test_cell(practical, part.name, test) for test in part.tests]
    made.cells = [each for cell in made.cells for each in (cell, *after.get(cell.id, ()))]
    made.metadata["ee559"] = {"practical": practical.name, "version": practical.version}
    return made


def _test_cell(practical: Practical, part: str, test: type[HiddenTest]) -> NotebookNode:
    text = TEST_CELL.format(
        part=part,
        points=test.points,
        s="" if test.points == 1 else "s",
        title=test.title(),
        code=textwrap.indent(code_of_test(practical, test), "    "),
        name=test.__name__,
        forbidden=practical.forbidden,
    )
    cell: NotebookNode = nbformat.v4.new_code_cell(text, id=test.id())
    cell.metadata["nbgrader"] = {
        "grade": True,
        "grade_id": test.id(),
        "locked": True,
        "points": float(test.points),
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    return cell


def make_release(
    names: Sequence[str] = (), output: Path = PRACTICALS, records: Path = RECORDED, solutions: Path = SOLUTIONS
) -> list[Path]:
    """Write the student version of each practical and what its checks compare with, when all of it is made.

    Args:
        names: of the practicals; all of them if there are none.
        output: the folder of the student versions.
        records: the folder of the recorded values, which belongs to the students' package.
        solutions: the folder of the practicals' sources.

    Raises:
        ReleaseError: a solution breaks a rule, or nbgrader refuses it.
    """
    sources = [read_practical(name, solutions) for name in names or practical_names(solutions)]
    if problems := [problem for practical in sources for problem in practical_problems(practical)]:
        raise ReleaseError("\n".join(problems))
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "release"
        api = NbGraderAPI(config=nbgrader_config(Path(scratch), source_directory=solutions, release_directory=fresh))
        texts = {practical.name: recorded(practical) for practical in sources}
        for practical in sources:
            result = api.generate_assignment(practical.name, force=True, create=True)
            if not result["success"]:
                raise ReleaseError(f"{practical.name}: nbgrader refused it: {result.get('error') or result.get('log')}")
        written = []
        for name, text in texts.items():
            target = output / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(fresh / name, target)
            write_text(records / f"{name}.json", text)
            written.append(target / f"{name}.ipynb")
    return written
