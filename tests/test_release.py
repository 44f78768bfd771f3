"""A practical is a folder: read once, refused with a place where it is broken, released with tests and a version."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from ee559.practicals import practical as student_side
from ee559_course.cli import app
from ee559_course.practicals.answer_bank import load_answers
from ee559_course.practicals.practical import Practical, ReleaseError, practical_names, read_practical
from ee559_course.practicals.release import full_notebook, make_release
from ee559_course.practicals.rules import practical_problems
from ee559_course.practicals.stock import grade_answers
from ee559_course.practicals.trial import bank_problems
from nbformat import NotebookNode
from typer.testing import CliRunner

TINY = Path(__file__).with_name("practicals") / "tiny"


@pytest.fixture
def solutions(tmp_path: Path, root: Path) -> Path:
    """A folder of practicals to which one more has been added."""
    shutil.copytree(TINY, tmp_path / "solutions" / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "solutions"


def test_adding_a_practical_is_adding_a_folder(solutions: Path, tmp_path: Path) -> None:
    assert practical_names(solutions) == ["tiny"]
    shutil.copytree(solutions / "tiny", solutions / "second")
    (solutions / "second" / "tiny.ipynb").rename(solutions / "second" / "second.ipynb")
    assert set(practical_names(solutions)) == {"tiny", "second"}
    records = tmp_path / "records"
    records.mkdir()
    made = make_release(["second"], tmp_path / "practicals", records, solutions)
    practical = read_practical("second", solutions)
    notebook = nbformat.read(made[0], as_version=4)
    assert notebook.metadata.ee559 == {"practical": "second", "version": practical.version}
    assert [cell.id for cell in notebook.cells if cell.id.startswith("test-")] == [
        test.id() for test in practical.tests
    ]
    checks = student_side.Practical.read(records / "second.json")
    assert checks.version == practical.version
    assert checks.forbidden == practical.forbidden
    assert checks.judged("double", lambda x: 2 * x) == "✓ double: right, on 3 cases."


def test_a_release_has_each_tests_title_and_points_and_nothing_else_of_it(solutions: Path, tmp_path: Path) -> None:
    (path,) = make_release(["tiny"], tmp_path / "practicals", tmp_path, solutions)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.id.startswith("test-"):
            assert cell.source.startswith("# Part ")
            assert "\n" not in cell.source.strip()
            assert cell.metadata.nbgrader.locked
        elif cell.metadata.get("nbgrader"):
            assert "your code here" in cell.source or "YOUR ANSWER HERE" in cell.source


def test_a_practical_is_read_once_and_again_when_it_has_changed(solutions: Path) -> None:
    before = read_practical("tiny", solutions)
    assert read_practical("tiny", solutions) is before
    tests = solutions / "tiny" / "hidden_tests.py"
    tests.write_text(tests.read_text(encoding="utf-8").replace("points = 3", "points = 4"), encoding="utf-8")
    after = read_practical("tiny", solutions)
    assert after.version != before.version
    assert sum(test.points for test in after.tests) == sum(test.points for test in before.tests) + 1


def test_a_parts_cells_answers_words_and_tests_belong_together(solutions: Path) -> None:
    practical = read_practical("tiny", solutions)
    assert practical.title == "Practical 9 · Tiny"
    part = practical.part_of("test-smoothed-values")
    assert part is not None
    assert (part.name, part.title, part.minutes, part.difficulty) == ("Part 3", "Weighted sums", 5, "medium")
    assert part.answers == ("smooth",)
    assert part.asked == ("smooth",)
    assert practical.part_of("words-why") is practical.part_of("my-readings")
    assert practical.part_of("title") is None
    assert "Sample for 3" in practical.rubrics()["words-why"]


def test_every_answer_of_the_bank_is_handled_as_it_says(solutions: Path) -> None:
    practical = read_practical("tiny", solutions)
    assert [problem for answer in load_answers(practical) for problem in bank_problems(practical, answer)] == []


def test_stock_nbgrader_runs_the_tests_that_are_put_in(solutions: Path) -> None:
    practical = read_practical("tiny", solutions)
    graded = grade_answers(practical, [])
    assert set(graded["untouched"].points.values()) == {0.0}
    assert graded["solution"].failed == frozenset()
    assert sum(graded["solution"].points.values()) == sum(test.points for test in practical.tests)


def edit_cell(solutions: Path, cell: str, edit: Callable[[NotebookNode], object]) -> None:
    path = solutions / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    edit(next(each for each in notebook.cells if each.id == cell))
    nbformat.write(notebook, path)


def replaced(before: str, after: str) -> Callable[[NotebookNode], object]:
    def edit(cell: NotebookNode) -> None:
        assert before in cell.source
        cell.source = cell.source.replace(before, after)

    return edit


@pytest.mark.parametrize(
    ("cell", "edit", "words"),
    [
        ("double", replaced("raise NotImplementedError", "print"), "double: expected raise NotImplementedError"),
        ("double", lambda cell: cell.metadata.nbgrader.update(grade_id="other"), "its grade_id is 'other'"),
        ("shift", replaced("### BEGIN SOLUTION", "# begin"), "expected a region ### BEGIN SOLUTION"),
        ("check-shift", replaced("tiny", "### BEGIN SOLUTION\n1\n### END SOLUTION\ntiny"), "it would be released"),
        ("check-shift", lambda cell: cell.update(execution_count=3), "it has outputs: clear them"),
        ("title", replaced("**Points** 18", "**Points** 19"), "expected **Points** 18"),
        ("title", replaced("**Minutes** 20", "**Minutes** 25"), "expected **Minutes** 20"),
        ("title", replaced("**Objectives**", "Objectives"), "expected **Objectives** in the first cell"),
        ("part-shift", replaced("2 points", "4 points"), "expected 2 points in its heading, got 4"),
    ],
)
def test_a_broken_notebook_is_named_with_file_and_cell(
    cell: str, edit: Callable[[NotebookNode], object], words: str, solutions: Path
) -> None:
    edit_cell(solutions, cell, edit)
    problems = practical_problems(read_practical("tiny", solutions))
    assert any(problem.startswith("tiny.ipynb, ") and words in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"""Twice each value, for integers as well."""', "", "DoubledValues: expected a docstring"),
        ("return double(x)", "return shifted(x, 0) and double(x)", "answer uses shifted, which it does not have"),
        (
            "double: Callable[..., Any], x: Tensor)",
            "double: Callable[..., Any], x: Tensor = None)",
            "no default values",
        ),
        ('yield {"x": torch.tensor([3.0])}', 'yield {"y": torch.tensor([3.0])}', "expected cases of x"),
        ('asks = "double"', 'asks = "triple"', "no cell that takes an answer has triple"),
        ('    "double": ("01", "What a tensor is"),\n', "", "expected the lecture and heading that explain it"),
    ],
)
def test_a_broken_test_is_named_with_file_and_class(before: str, after: str, words: str, solutions: Path) -> None:
    path = solutions / "tiny" / "hidden_tests.py"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    problems = practical_problems(read_practical("tiny", solutions))
    assert any(words in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("hidden_tests.py", "import nowhere_at_all\n", "tiny/hidden_tests.py: ModuleNotFoundError"),
        ("hidden_tests.py", "def (\n", "tiny/hidden_tests.py: SyntaxError"),
        ("tiny.ipynb", "{", "tiny.ipynb: not a notebook"),
        ("answers.toml", '[[wrong]]\nname = "a"\ncell = "b"\nsource = ""\n', "no cell for an answer is called b"),
        ("answers.toml", '[[wrong]]\nname = "a"\ncell = "double"\nsource = ""\n', "expected the tests that it fails"),
        ("answers.toml", '[[right]]\nname = "a"\ncell = "double"\nsauce = ""\n', "sauce"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name: str, content: str, words: str, solutions: Path) -> None:
    (solutions / "tiny" / name).write_text(content, encoding="utf-8")
    with pytest.raises(ReleaseError) as caught:
        load_answers(read_practical("tiny", solutions))
    assert words in str(caught.value)


def test_a_broken_practical_replaces_nothing_that_is_released(solutions: Path, tmp_path: Path) -> None:
    make_release(["tiny"], tmp_path / "practicals", tmp_path, solutions)
    before = {
        path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "solutions" not in path.parts
    }
    edit_cell(solutions, "title", replaced("**Points** 18", "**Points** 1"))
    with pytest.raises(ReleaseError, match=r"expected \*\*Points\*\* 18"):
        make_release(["tiny"], tmp_path / "practicals", tmp_path, solutions)
    assert {path: path.read_bytes() for path in before} == before


def test_too_many_recorded_bytes_are_refused(solutions: Path, tmp_path: Path) -> None:
    path = solutions / "tiny" / "hidden_tests.py"
    large = 'yield {"x": torch.ones(30_000)}'
    path.write_text(path.read_text("utf-8").replace('yield {"x": torch.tensor([3.0])}', large), encoding="utf-8")
    with pytest.raises(ReleaseError, match="more than 100,000: make the fixed cases of test-doubled-values smaller"):
        make_release(["tiny"], tmp_path / "practicals", tmp_path, solutions)


def test_the_cells_of_hidden_tests_stand_in_their_part_before_its_words(solutions: Path) -> None:
    source: Practical = read_practical("tiny", solutions)
    ids = [cell.id for cell in full_notebook(source).cells]
    assert ids.index("check-shift") + 1 == ids.index("test-shifted-right") == ids.index("test-shifted-left") - 1
    assert ids.index("test-read-off") < ids.index("words-why")
    assert json.dumps(source.notebook).count("test-") == 0, "the source itself stays short"


@pytest.mark.parametrize("command", ["release", "rubric", "catches", "mutate", "bank"])
def test_unknown_practical_gets_one_clear_error(command: str) -> None:
    done = CliRunner().invoke(app, [command, "nonsense"])
    assert done.exit_code == 1
    said = " ".join(done.output.split())  # lines are as long as the terminal is wide
    assert "no such practical: nonsense" in said
    assert "sizes" in said
