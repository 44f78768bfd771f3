"""An instructor's whole way in stock nbgrader: release, collect, autograde, formgrader in a real browser, feedback."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from ee559_course.course_settings import nbgrader_config
from ee559_course.paths import ROOT
from ee559_course.practicals.practical import is_answer, read_practical
from formgrader import formgrader, give_points
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, expect
from secret_lines import secrets_of
from traitlets import import_item

MET = """
def unseen(length, kernel_size, stride, padding):
    starts = range(-padding, length + padding - kernel_size + 1, stride)
    met = {cell for start in starts for cell in range(start, start + kernel_size)}
    return [cell for cell in range(length) if cell in met]
"""

STUDENTS = {  # what each answers in place of the solution
    "ada": {},
    "grace": {"unseen": MET},
    "van_linus": {
        "check-field": "import IPython\nprint(IPython.get_ipython().user_ns['In'])",
        "progress": "print('\\n'.join(In))",  # comes after the hidden tests, and would show them to the student
    },
}
NAMES = {  # what platforms make of them
    "ada": "ada_sizes.ipynb",
    "grace": "grace_sizes (1).ipynb",
    "van_linus": "hand-ins/van_linus_sizes.ipynb",
}


def nbgrader(course: Path, *command: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("nbgrader"), *command], cwd=course, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a course folder as the repository has it, and grade what three students hand in."""
    course = tmp_path_factory.mktemp("course")
    shutil.copy2(ROOT / "nbgrader_config.py", course)
    for folder in ("solutions", "practicals"):
        shutil.copytree(ROOT / folder / "sizes", course / folder / "sizes")
    nbgrader(course, "generate_assignment", "sizes", "--create", "--force")
    solution = {cell.id: cell.source for cell in read_practical("sizes").notebook.cells if is_answer(cell)}
    downloaded = course / "downloaded" / "sizes" / "archive"
    downloaded.mkdir(parents=True)
    with zipfile.ZipFile(downloaded / "all.zip", "w") as archive:
        for student, answers in STUDENTS.items():
            notebook = nbformat.read(course / "practicals" / "sizes" / "sizes.ipynb", as_version=4)
            for cell in notebook.cells:
                if not cell.id.startswith("test-"):
                    cell.source = answers.get(cell.id, solution.get(cell.id, cell.source))
            archive.writestr(NAMES[student], nbformat.writes(notebook))
    nbgrader(course, "zip_collect", "sizes")
    nbgrader(course, "autograde", "sizes", "--create")
    return course


@pytest.fixture
def another(course: Path, tmp_path: Path) -> Path:
    """Copy the course for a test that changes it."""
    return shutil.copytree(course, tmp_path / "course")


def scores(course: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {each.student.id: each.score for each in gradebook.assignment_submissions("sizes")}


def test_collected_submissions_get_their_points(course: Path) -> None:
    full = 23.0  # 27 points, 4 of them by hand
    assert scores(course) == {"ada": full, "grace": full - 3, "van_linus": full}


def test_source_passes_nbgraders_own_validation(course: Path) -> None:
    assert "Success! Your notebook passes all the tests." in nbgrader(course, "validate", "solutions/sizes/sizes.ipynb")


def test_words_are_graded_by_hand_in_the_browser(another: Path, browser: Browser) -> None:
    with Gradebook(f"sqlite:///{another / 'gradebook.db'}") as gradebook:
        submission = gradebook.find_submission_notebook("sizes", "sizes", "ada").id
    with formgrader(another) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(address.format("").replace("/formgrader/", "/login"))
        page.goto(address.format("gradebook/sizes/sizes"))
        expect(page.locator("table")).to_contain_text("Submission #3")
        page.goto(address.format(f"submissions/{submission}"))
        give_points(page, "words-receptive-field", 2)
    assert scores(another)["ada"] == 25.0


def test_feedback_has_points_and_messages_and_no_hidden_test(course: Path) -> None:
    nbgrader(course, "generate_feedback", "sizes", "--force")
    practical = read_practical("sizes")
    submission = "\n".join(cell.source for cell in practical.notebook.cells)
    tests = secrets_of("sizes") & {line.strip() for line in practical.code.splitlines()}
    hidden = {line for line in tests if line not in submission}
    assert hidden
    for student in STUDENTS:
        page = (course / "feedback" / student / "sizes" / "sizes.html").read_text(encoding="utf-8")
        text = BeautifulSoup(page, "html.parser").get_text()
        assert [line for line in hidden if line in text or line in page] == []
        assert str(course) not in text
        assert re.search(r"Score: \d+\.\d / 27\.0", text)
    told = (course / "feedback" / "grace" / "sizes" / "sizes.html").read_text(encoding="utf-8")
    assert "AssertionError: unseen(length=1, kernel_size=1" in BeautifulSoup(told, "html.parser").get_text()
    assert "It looks like this: the windows" in told


def test_nbgraders_own_autograder_runs_notebooks_on_one_thread_and_changes_nothing_for_other_programs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    config = nbgrader_config(root)
    step = import_item(next(str(each) for each in config.Autograde.autograde_preprocessors if "Execute" in str(each)))
    shows_threads = new_notebook(cells=[new_code_cell("import os\nos.environ['OMP_NUM_THREADS']")])
    notebook, _ = step(config=config, kernel_name="ee559").preprocess(shows_threads, {"metadata": {"path": str(root)}})
    assert notebook.cells[0].outputs[0].data["text/plain"] == "'1'"
    assert "OMP_NUM_THREADS" not in os.environ
