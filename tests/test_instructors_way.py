"""An instructor's whole way with our own grading: collect, grade, grade words by hand, give back, export."""

import csv
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from course_copies import NEEDS_CONFINEMENT, course_at, solved
from ee559_course.grading.course_folder import CourseFolder
from formgrader import formgrader, give_points
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, expect

pytestmark = NEEDS_CONFINEMENT
ATTACK = """Windows share weights. <script>document.title = "attacked"</script>
<img src="nothing" onerror="document.title = 'attacked'"> [here](javascript:document.title='attacked')
[or here](< JavaScript:document.title='attacked'>) [there](java&#115;cript:document.title='attacked') [ref]

[ref]: javascript:document.title='attacked'

<svg onload="document.title = 'attacked'"></svg>"""
SHOWS = """from IPython.display import HTML, Javascript, SVG, Markdown, display
display(HTML('<script>document.title = "attacked"</script>'))
display(HTML('<img src="nothing" onerror="document.title = \\'attacked\\'">'))
display(Javascript('document.title = "attacked"'))
display(SVG('<svg xmlns="http://www.w3.org/2000/svg" onload="document.title = \\'attacked\\'"></svg>'))
display(Markdown('<img src="nothing" onerror="document.title = \\'attacked\\'">'))
print('<script>document.title = "attacked"</script>')"""


def run(course: CourseFolder, program: str, *arguments: str, status: int = 0) -> str:
    command: list[str | Path] = [Path(sys.executable).with_name(program), *arguments]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    """Collect and grade what three students hand in, one of them to attack who looks at it."""
    course = course_at(tmp_path_factory.mktemp("way") / "course")
    downloaded = course.root / "downloaded" / "tiny" / "archive"
    downloaded.mkdir(parents=True)
    answers = {
        "ada": {"words-why": "Windows share weights."},
        "grace": {"double": "def double(x):\n    return x * x"},
        "mallory": {"words-why": ATTACK, "progress": SHOWS},
    }
    with zipfile.ZipFile(downloaded / "all.zip", "w") as archive:
        for student, filled in answers.items():
            archive.writestr(f"{student}_tiny.ipynb", nbformat.writes(solved(filled)))
        archive.writestr("linus_tiny.ipynb", "{")
    run(course, "nbgrader", "zip_collect", "tiny")
    said = run(course, "ee559", "grade", "tiny", status=3)
    assert "3 of 4 submissions are graded" in said
    assert "linus: it is cut off or damaged" in said
    return course


@pytest.fixture
def course(graded: CourseFolder, tmp_path: Path) -> CourseFolder:
    """Copy what is graded, for a test that may change it."""
    return CourseFolder(shutil.copytree(graded.root, tmp_path / "course"))


def scores(course: CourseFolder) -> dict[str, float]:
    with course.gradebook() as gradebook:
        return {each.student.id: each.score for each in gradebook.assignment_submissions("tiny")}


def grade_words(course: CourseFolder) -> None:
    """Give two students points by hand, as the formgrader does."""
    with course.gradebook() as gradebook:
        for student in ("mallory", "ada"):
            grade = gradebook.find_grade("words-why", "tiny", "tiny", student)
            grade.manual_score, grade.needs_manual_grade = 2.0, False
        gradebook.db.commit()


def submission_id(course: CourseFolder, student: str) -> str:
    with Gradebook(course.db_url) as gradebook:
        return str(gradebook.find_submission_notebook("tiny", "tiny", student).id)


def test_graded_submissions_are_in_the_gradebook_and_the_others_are_no_zero(course: CourseFolder) -> None:
    assert scores(course) == {"ada": 15.0, "grace": 13.0, "mallory": 15.0}


def test_words_are_graded_by_hand_and_nothing_that_a_student_wrote_acts(course: CourseFolder, browser: Browser) -> None:
    with formgrader(course.root) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(address.format("").replace("/formgrader/", "/login"))
        for student in ("mallory", "ada"):
            page.goto(address.format(f"submissions/{submission_id(course, student)}"))
            give_points(page, "words-why", 2)
            expect(page.locator("body")).to_contain_text("Windows share weights.")
            assert "attacked" not in page.title(), student
            links = page.locator("#notebook a, .jp-Cell a, .cell a").evaluate_all(
                "all => all.map(each => each.protocol)"
            )
            assert "javascript:" not in links
            assert page.locator("h2").count() > 3, "the practical's own headings stay headings"
    assert scores(course)["ada"] == 17.0


def test_class_gets_pages_a_report_and_files_for_the_platforms(course: CourseFolder, browser: Browser) -> None:
    grade_words(course)
    assert "4 pages in" in run(course, "ee559", "feedback", "tiny")
    run(course, "ee559", "report", "tiny")
    page = browser.new_page()
    for path in (*(course.root / "feedback").rglob("*.html"), course.grading("tiny") / "report.html"):
        page.goto(path.as_uri())
        assert "attacked" not in page.title()
    page.goto((course.feedback("grace", "tiny") / "tiny.html").as_uri())
    expect(page.locator("body")).to_contain_text("double(x=tensor([3.])): ")
    said = run(course, "ee559", "export", "tiny", "moodle")
    assert "linus: in quarantine" in said
    with (course.root / "tiny-moodle.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert "linus" not in {row[0] for row in rows}


def test_nbgraders_own_commands_work_on_the_result(course: CourseFolder) -> None:
    grade_words(course)
    run(course, "nbgrader", "generate_feedback", "tiny", "--student", "grace", "--force")
    page = (course.feedback("grace", "tiny") / "tiny.html").read_text(encoding="utf-8")
    assert "double(x=tensor([3.])): " in page
    run(course, "nbgrader", "export")
    with (course.root / "grades.csv").open(encoding="utf-8", newline="") as file:
        exported = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file) if row["score"]}
    assert exported["grace"] == 13.0
    run(course, "nbgrader", "autograde", "tiny", "--student", "grace", "--force")
    run(course, "nbgrader", "autograde", "tiny", "--student", "mallory", "--force")
    assert scores(course) == {"ada": 17.0, "grace": 13.0, "mallory": 17.0}
    graded = nbformat.read(course.autograded("mallory", "tiny") / "tiny.ipynb", as_version=4)
    texts = "".join(cell.source for cell in graded.cells if cell.cell_type == "markdown")
    assert "onerror" in texts
    assert re.search(r"<(script|img|svg)", texts) is None
    shown = {mime for cell in graded.cells for output in cell.get("outputs", []) for mime in output.get("data", {})}
    assert shown == {"text/plain"}
