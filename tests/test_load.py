"""Whatever is handed in is read, repaired where that is certain, or put into quarantine with a reason and a remedy."""

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from course_copies import NEEDS_CONFINEMENT, course_at, hand_in, released, solved
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import Quarantine
from ee559_course.grading.plan.grading_plan import GradingPlan, read_plan
from ee559_course.grading.submissions.attachments import with_pictures_beside
from ee559_course.grading.submissions.load import load_submission, parse, submitting_students
from nbformat import NotebookNode


@pytest.fixture
def course(tmp_path: Path) -> CourseFolder:
    return course_at(tmp_path / "course")


@pytest.fixture
def plan(course: CourseFolder) -> GradingPlan:
    return read_plan(course, "tiny")


@dataclass(frozen=True)
class Taken:
    """What is to be graded of a submission, and what was repaired."""

    notebook: NotebookNode
    notes: tuple[str, ...]
    digest: str


def read_submission(course: CourseFolder, student: str, plan: GradingPlan) -> Taken:
    """Take in a student's bytes, and lay out the notebook, as the grader's process and its child do."""
    submission = load_submission(course, student, plan.practical)
    parsed = json.loads(parse(submission.content, plan.to_json()))
    if "notebook" not in parsed:
        raise Quarantine(parsed["reason"], parsed["remedy"], submission.digest)
    notebook = nbformat.from_dict(parsed["notebook"])
    return Taken(notebook, (*submission.notes, *parsed["notes"]), submission.digest)


def read(course: CourseFolder, plan: GradingPlan, notebook: NotebookNode | bytes | str) -> Taken:
    hand_in(course, "ada", notebook)
    return read_submission(course, "ada", plan)


def graded_ids(notebook: NotebookNode) -> list[str]:
    return [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]


def source(notebook: NotebookNode, name: str) -> str:
    (found,) = [cell.source for cell in notebook.cells if cell.id == name]
    return str(found)


def without_marks(notebook: NotebookNode, ids: bool = True) -> NotebookNode:
    """Take nbgrader's metadata away, and the ids too, as some programs do."""
    for number, cell in enumerate(notebook.cells):
        cell.metadata = NotebookNode()
        if not ids:
            cell.id = f"{number:08x}"
    return notebook


def test_whole_submission_keeps_its_cells_and_gets_the_tests(course: CourseFolder, plan: GradingPlan) -> None:
    submission = solved()
    taken = read(course, plan, submission)
    assert taken.notes == ()
    assert [cell.id for cell in taken.notebook.cells] == [cell.id for cell in submission.cells]
    assert graded_ids(taken.notebook) == list(plan.cells)
    assert "hidden_test(" in source(taken.notebook, "test-doubled-values")
    assert source(taken.notebook, "double") == source(submission, "double")
    nbformat.validate(taken.notebook)


def test_marks_and_points_come_from_the_gradebook_and_not_from_the_submission(
    course: CourseFolder, plan: GradingPlan
) -> None:
    submission = solved()
    for cell in submission.cells:
        if cell.id == "test-doubled-values":
            cell.metadata.nbgrader.update(points=1000, locked=False, solution=True, schema_version=99)
            cell.source = "pass"
            cell.cell_type, cell.metadata.more = "raw", "?"
    taken = read(course, plan, submission)
    (cell,) = [cell for cell in taken.notebook.cells if cell.id == "test-doubled-values"]
    assert cell.metadata == plan.cells["test-doubled-values"].metadata
    assert cell.cell_type == "code"
    assert cell.source == plan.cells["test-doubled-values"].source


def damage_truncated(text: str) -> bytes:
    return text.encode()[: len(text) // 2]


QUARANTINED: dict[str, tuple[Callable[[str], bytes], str]] = {
    "truncated": (damage_truncated, "cut off or damaged"),
    "empty": (lambda text: b"", "empty"),
    "blank": (lambda text: b" \n\n", "empty"),
    "latin-1": (lambda text: text.replace("Size", "Größe").encode("latin-1", "replace"), "not UTF-8"),
    "binary": (lambda text: bytes(range(256)) * 40, "not UTF-8"),
    "a list": (lambda text: b"[]", "not a notebook"),
    "a web page": (lambda text: b"<html>Sign in to download</html>", "cut off or damaged"),
    "a number of cells": (lambda text: b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}', "no list"),
    "a cell that is none": (lambda text: b'{"nbformat": 4, "nbformat_minor": 5, "cells": [1]}', "a cell is not"),
    "a future format": (lambda text: text.replace('"nbformat": 4', '"nbformat": 7').encode(), "format 7"),
    "nested deeply": (lambda text: b"[" * 200_000, "cut off or damaged"),
    "a huge number": (lambda text: b'{"nbformat": ' + b"9" * 6000 + b"}", "cut off or damaged"),
    "huge": (lambda text: b" " * 31_000_000, "more than 30 MB"),
    "a long cell": (lambda text: text.replace("# Practical", "# Practical " + "0;" * 30_000).encode(), "50,000 char"),
    "another notebook": (lambda text: json.dumps(nbformat.v4.new_notebook()).encode(), "none of its cells"),
}


@pytest.mark.parametrize("kind", QUARANTINED)
def test_what_cannot_be_read_goes_to_quarantine_with_reason_and_remedy(
    course: CourseFolder, plan: GradingPlan, kind: str
) -> None:
    damage, words = QUARANTINED[kind]
    path = hand_in(course, "ada", damage(nbformat.writes(solved())))
    before = path.read_bytes()
    with pytest.raises(Quarantine, match=words) as caught:
        read_submission(course, "ada", plan)
    assert caught.value.remedy
    assert path.read_bytes() == before


@NEEDS_CONFINEMENT
def test_links_pipes_and_folders_are_not_followed(course: CourseFolder, plan: GradingPlan, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ipynb"
    nbformat.write(solved(), secret)
    ways: dict[str, Callable[[Path], None]] = {
        "link": lambda path: path.symlink_to(secret),
        "pipe": lambda path: os.mkfifo(path),
        "folder": lambda path: path.mkdir(),
        "dangling": lambda path: path.symlink_to(tmp_path / "nothing"),
    }
    for student, make in ways.items():
        path = course.submitted(student, "tiny") / "tiny.ipynb"
        path.parent.mkdir(parents=True)
        make(path)
        with pytest.raises(Quarantine, match=r"not a file|is a link"):
            read_submission(course, student, plan)
    (course.root / "submitted" / "whole").symlink_to(course.root / "submitted" / "link")
    with pytest.raises(Quarantine, match="not a folder"):
        read_submission(course, "whole", plan)


def test_no_notebook_wrong_name_and_several_notebooks(course: CourseFolder, plan: GradingPlan) -> None:
    hand_in(course, "wrong", solved()).rename(course.submitted("wrong", "tiny") / "Tiny (final).ipynb")
    taken = read_submission(course, "wrong", plan)
    assert taken.notes == ("the notebook was called Tiny (final).ipynb, and not tiny.ipynb.",)
    course.submitted("none", "tiny").mkdir(parents=True)
    with pytest.raises(Quarantine, match="no notebook"):
        read_submission(course, "none", plan)
    for name in ("one.ipynb", "two.ipynb"):
        hand_in(course, "several", solved()).rename(course.submitted("several", "tiny") / name)
    with pytest.raises(Quarantine, match="there are 2 notebooks"):
        read_submission(course, "several", plan)


@pytest.mark.parametrize("name", [".hidden", " ada", "ada\u202e", "a\u200bda", "ada\x1b[2J", "ada\n"])
def test_names_that_deceive_go_to_quarantine(course: CourseFolder, plan: GradingPlan, name: str) -> None:
    hand_in(course, name, solved())
    assert submitting_students(course, "tiny") == [name]
    with pytest.raises(Quarantine, match="name of the folder"):
        read_submission(course, name, plan)


def test_names_that_look_the_same_are_noted_and_graded(course: CourseFolder, plan: GradingPlan) -> None:
    for name in ("José", "Jose\u0301", "张伟", "O'Brien, Ann"):
        hand_in(course, name, solved())
    for name in ("José", "Jose\u0301"):
        (note,) = read_submission(course, name, plan).notes
        assert "looks the same" in note
    for name in ("张伟", "O'Brien, Ann"):
        assert read_submission(course, name, plan).notes == ()


REPAIRED: dict[str, tuple[Callable[[str], Any], str]] = {
    "a byte order mark": (lambda text: b"\xef\xbb\xbf" + text.encode(), "utf-8-sig"),
    "UTF-16": (lambda text: text.encode("utf-16"), "utf-16"),
    "format 3": (
        lambda text: json.dumps(nbformat.convert(nbformat.reads(text, as_version=4), 3)).encode(),
        "older notebook format",
    ),
}


@pytest.mark.parametrize("kind", REPAIRED)
def test_encodings_and_formats_that_are_certain_are_repaired(
    course: CourseFolder, plan: GradingPlan, kind: str
) -> None:
    damage, words = REPAIRED[kind]
    taken = read(course, plan, damage(nbformat.writes(solved())))
    assert any(words in note for note in taken.notes)
    assert sorted(graded_ids(taken.notebook)) == sorted(plan.cells)
    assert source(taken.notebook, "smooth") == source(solved(), "smooth")


def test_a_cell_of_another_programs_kind_is_text_and_the_others_are_graded(
    course: CourseFolder, plan: GradingPlan
) -> None:
    submission = json.loads(nbformat.writes(solved()))
    submission["nbformat"] = 4.0
    submission["cells"].insert(0, {"cell_type": "sql", "metadata": {}, "source": "SELECT 1", "id": "query"})
    taken = read(course, plan, json.dumps(submission).encode())
    assert taken.notebook.cells[0].cell_type == "raw"
    assert sorted(graded_ids(taken.notebook)) == sorted(plan.cells)


def test_a_pasted_picture_may_be_cut_into_lines_and_takes_no_words_along() -> None:
    lines = ["iVBORw0KGgo" * 7, "AAAA" * 19]
    words = f"![](data:image/png;base64,{lines[0]}\n{lines[1]})\nseen\n[a]: data:image/png;base64,QUJD\nwords"
    text, pictures = with_pictures_beside(words, None)
    assert text == "![](attachment:pasted-1)\nseen\n[a]: attachment:pasted-2\nwords"
    assert [picture["image/png"] for picture in pictures.values()] == ["".join(lines), "QUJD"]


def test_lost_metadata_is_found_again_by_the_ids(course: CourseFolder, plan: GradingPlan) -> None:
    taken = read(course, plan, without_marks(solved({"words-why": "Windows share weights."})))
    assert graded_ids(taken.notebook) == list(plan.cells)
    assert source(taken.notebook, "words-why") == "Windows share weights."


def test_lost_metadata_and_ids_are_found_again_by_what_the_cells_say(course: CourseFolder, plan: GradingPlan) -> None:
    submission = solved({"words-why": "Windows share weights."})
    taken = read(course, plan, without_marks(submission, ids=False))
    assert graded_ids(taken.notebook) == list(plan.cells)
    assert source(taken.notebook, "words-why") == "Windows share weights."
    assert source(taken.notebook, "double") == source(solved(), "double")
    assert "double had lost its mark: it was found again." in taken.notes


def test_missing_tests_come_back_after_what_they_test(course: CourseFolder, plan: GradingPlan) -> None:
    submission = solved()
    submission.cells = [cell for cell in submission.cells if not cell.id.startswith("test-")]
    taken = read(course, plan, submission)
    assert graded_ids(taken.notebook) == list(plan.cells)
    assert "test-doubled-values was missing: it was put back." in taken.notes


def test_missing_answer_is_not_put_back_over_a_definition_elsewhere(course: CourseFolder, plan: GradingPlan) -> None:
    submission = solved()
    answer = next(cell for cell in submission.cells if cell.id == "double")
    submission.cells = [cell for cell in submission.cells if cell.id != "double"]
    imports = next(cell for cell in submission.cells if cell.id == "imports")
    imports.source += f"\nprint('mine')\n{answer.source}"
    taken = read(course, plan, submission)
    assert sum("def double" in cell.source for cell in taken.notebook.cells) == 1


def test_copied_cells_lose_nothing(course: CourseFolder, plan: GradingPlan) -> None:
    submission = solved({"words-why": "First thought."})
    again = copy.deepcopy([cell for cell in submission.cells if cell.id in ("words-why", "double")])
    test = copy.deepcopy(next(cell for cell in submission.cells if cell.id == "test-doubled-values"))
    for cell in again:
        cell.source = "Second thought." if cell.cell_type == "markdown" else cell.source + "\n\nprint('second')"
    submission.cells += [*again, test]
    taken = read(course, plan, json.dumps(submission))
    ids = [cell.id for cell in taken.notebook.cells]
    assert len(ids) == len(set(ids))
    assert sorted(graded_ids(taken.notebook)) == sorted(plan.cells)
    assert "First thought." in source(taken.notebook, "words-why")
    assert "Second thought." in source(taken.notebook, "words-why")
    assert sum("def double" in cell.source for cell in taken.notebook.cells) == 2
    assert source(taken.notebook, "double").endswith("print('second')")
    assert sum("called double: " in note for note in taken.notes) == 1


def test_cells_of_another_type_are_turned_back(course: CourseFolder, plan: GradingPlan) -> None:
    submission = json.loads(nbformat.writes(solved()))
    for cell in submission["cells"]:
        if cell["id"] == "double":
            cell["cell_type"] = "markdown"
    taken = read(course, plan, json.dumps(submission))
    (cell,) = [cell for cell in taken.notebook.cells if cell.id == "double"]
    assert cell.cell_type == "code"


def test_strange_ids_outputs_and_metadata_of_a_student_do_not_come_through(
    course: CourseFolder, plan: GradingPlan
) -> None:
    submission = json.loads(nbformat.writes(solved()))
    submission["metadata"] = {"kernelspec": {"name": "evil", "argv": ["rm"]}, "x": "y" * 100}
    extra = {
        "cell_type": "code",
        "id": "../../<script>",
        "source": "1 + 1\ud800",
        "metadata": {"tags": ["x"], "nbgrader": {"grade_id": "nonsense", "grade": True, "points": 50}},
        "outputs": [{"output_type": "execute_result", "data": {"text/plain": "50"}}],
        "execution_count": "seven",
    }
    submission["cells"].insert(2, extra)
    taken = read(course, plan, json.dumps(submission))
    assert taken.notebook.metadata == plan.notebook.metadata
    (cell,) = [cell for cell in taken.notebook.cells if cell.source.startswith("1 + 1")]
    assert cell.metadata == {}
    assert cell.outputs == []
    assert cell.id == "cell-2"
    nbformat.validate(taken.notebook)


def test_untouched_release_is_taken_in_as_it_is(course: CourseFolder, plan: GradingPlan) -> None:
    taken = read(course, plan, released())
    assert taken.notes == ()
    assert source(taken.notebook, "double") == plan.cells["double"].source
