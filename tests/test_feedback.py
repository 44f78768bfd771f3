"""Feedback pages: points, messages and lectures are right, nothing secret is on them, and nothing in them runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from course_copies import tiny
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.record import record_path
from ee559_course.grading.pages.feedback import write_feedback
from ee559_course.grading.pages.student_cells import plain, without_places, words
from graded_course import FORMULA, GRADED, PIXEL, SCRIPT, ZOE, all_that_is_hidden, make_course
from machine import POSIX
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page, expect
from soup import parse

Theme = Literal["light", "dark"]
PHONE, DESK = (390, 844), (1280, 800)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    course = make_course(tmp_path_factory.mktemp("course"))
    write_feedback(course, "tiny")
    return course


@pytest.fixture
def another(course: CourseFolder, tmp_path: Path) -> CourseFolder:
    """Copy the course for a test that changes it."""
    shutil.copytree(course.root, tmp_path / "course")
    return CourseFolder(tmp_path / "course")


def page_of(course: CourseFolder, student: str) -> str:
    return (course.feedback(student, "tiny") / "tiny.html").read_text(encoding="utf-8")


def text_of(course: CourseFolder, student: str) -> str:
    return " ".join(parse(page_of(course, student)).get_text(" ").split())


def rows_of(course: CourseFolder, student: str) -> list[list[str]]:
    table = parse(page_of(course, student)).table
    return [
        [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")
    ]


def test_each_graded_or_quarantined_student_has_a_page_where_nbgrader_looks_for_it(course: CourseFolder) -> None:
    pages = {path.relative_to(course.root / "feedback").as_posix() for path in course.root.glob("feedback/**/*.*")}
    assert pages == {f"{student}/tiny/tiny.html" for student in (*GRADED, "quinn")}


def test_points_are_those_of_the_gradebook(course: CourseFolder) -> None:
    rows = rows_of(course, "grace")
    assert rows[0] == ["Part", "Tests", "By hand", "Sum"]
    assert rows[1] == ["Part 1 · Twice", "0 of 2", "none", "0 of 2"]
    assert rows[7] == ["Part 7 · What you see", "2 of 2", "not yet, of 3", "2 so far, of 5"]
    assert rows[-1] == ["Total", "", "", "11 of 18"]
    assert "11 of 18 points , and 3 points are still to be graded by hand" in text_of(course, "grace")
    assert rows_of(course, "ada")[7:] == [
        ["Part 7 · What you see", "2 of 2", "2.5 of 3", "4.5 of 5"],
        ["Total", "", "", "17.5 of 18"],
    ]
    assert ["Late", "", "", "−2"] in rows_of(course, ZOE)
    with course.gradebook() as gradebook:
        for student in GRADED:
            submission = gradebook.find_submission("tiny", student)
            total = max(0.0, submission.score - submission.late_submission_penalty)
            assert rows_of(course, student)[-1][-1] == f"{total:g} of 18"


def test_what_lost_points_has_its_case_its_message_and_the_lecture_that_explains_it(course: CourseFolder) -> None:
    text = text_of(course, "grace")
    assert (
        "Twice each value, for integers as well: 0 of 2 This was tried: double(x=tensor([3.])) "
        "expected tensor([6.]), got tensor([9.]) It looks like this mistake: the square. Lecture 01 · " in text
    )
    assert "explains it, in the section “What a tensor is”." in text
    assert text.count("explains it, in the section") == 3 + 2  # three tests, and the checks' own words
    assert "It looks like this: the square" in text
    assert "explains it" not in text_of(course, "ada")


def test_an_error_leads_to_the_line_of_the_cell_where_it_arose(course: CourseFolder) -> None:
    page = parse(page_of(course, FORMULA))
    assert page.select_one("#part-3 ~ .tests .said").get_text().startswith("raised ValueError")
    (link,) = [link for link in page.find_all("a") if "of your cell" in link.get_text()]
    assert link.get_text() == "line 2 of your cell"
    cell = page.find(id=link["href"].removeprefix("#"))
    assert cell.find("mark").get_text().startswith("    return x.unfold(1, len(weights), 1) @ weights.flip(0) ← line 2")
    assert link.find_next("code").get_text() == "return x.unfold(1, len(weights), 1) @ weights.flip(0)"


@pytest.mark.parametrize(
    "at", [["smooth", 3], ["smooth", 0], ["smooth", -1], ["nowhere", 1], ["test-smoothed-values", 10**9]]
)
def test_a_place_that_is_none_is_not_shown(another: CourseFolder, at: list[object]) -> None:
    path = record_path(another.grading("tiny"), FORMULA)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "tests": [{**test, "at": at} for test in record["tests"]]}))
    write_feedback(another, "tiny", [FORMULA])
    assert "of your cell" not in text_of(another, FORMULA)


def test_code_has_its_colours(course: CourseFolder) -> None:
    page = parse(page_of(course, "grace"))
    cell = next(each for each in page.select("pre.code") if "def double" in each.get_text())
    assert cell.get_text() == "def double(x):\n    return x * x"
    assert [each.get_text() for each in cell.select(".keyword")] == ["def", "return"]


def test_comment_of_the_grader_is_there_and_where_the_run_ended(course: CourseFolder) -> None:
    assert "Comment Well said. 22 is right." in text_of(course, "ada")
    assert "did not come to its end: memory" in text_of(course, "fred")
    for for_the_instructor in ("two notebooks", "import os"):
        assert for_the_instructor not in text_of(course, "fred")


def test_quarantined_student_reads_why_and_what_to_do_and_no_points(course: CourseFolder) -> None:
    text = text_of(course, "quinn")
    assert "could not be graded" in text
    assert "the notebook is cut off in the middle" in text
    assert "Hand it in again" in text
    assert "of 18" not in text
    assert str(course.root) not in page_of(course, "quinn")


def test_own_cells_are_shown_and_no_given_words_and_no_test(course: CourseFolder) -> None:
    text = parse(page_of(course, ZOE)).get_text()
    assert "def double(x):" in text
    assert "All windows share the same weights" in text
    assert "You write six short functions" not in text
    assert "hidden_test" not in text
    assert "BEGIN" not in text


@pytest.mark.parametrize("student", [*GRADED, "quinn"])
def test_no_line_of_a_hidden_test_solution_or_rubric_and_no_path_is_on_a_page(
    course: CourseFolder, student: str
) -> None:
    page = page_of(course, student)
    text = parse(page).get_text()
    own = (
        nbformat.v4.reads((course.autograded(student, "tiny") / "tiny.ipynb").read_text()).cells
        if student != "quinn"
        else []
    )
    written = "\n".join(cell.source for cell in own if not cell.id.startswith("test-"))
    secrets = {line for line in tiny().secrets() if line not in written}
    assert len(secrets) > 70
    for seen in (page, text):
        assert [line for line in secrets if line in seen] == []
        assert str(course.root) not in seen
        assert "/home/grader" not in seen


def test_a_secret_stays_hidden_in_json_repr_and_between_control_characters(course: CourseFolder) -> None:
    text = text_of(course, "leak")
    for told in (
        "pairwise(sizes)",
        "shifted(x, by)",
        "its weights are the same at each place",
        "fixed() ->",
    ):
        assert told in all_that_is_hidden()
        assert told not in text


def requests_of(page: Page) -> list[str]:
    """Return a list that grows with each address that a page asks for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_nothing_of_a_hostile_notebook_runs_or_asks_for_anything(course: CourseFolder, browser: Browser) -> None:
    for student in ("mallory", "quinn", FORMULA, "leak"):
        context = browser.new_context()
        page = context.new_page()
        asked = requests_of(page)
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        address = (course.feedback(student, "tiny") / "tiny.html").as_uri()
        page.goto(address, wait_until="networkidle")
        assert page.evaluate("window.ran") is None
        assert [url for url in asked if not url.startswith("data:image/png")] == [address]
        assert page.evaluate("document.querySelectorAll('script, iframe, svg, object, embed, form, link').length") == 0
        assert page.evaluate("document.querySelectorAll('style').length") == 1
        attributes = page.evaluate("[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())")
        assert [name for name in attributes if name.startswith("on") or name in ("style", "srcset")] == []
        links = page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
        assert all(link == "#points" or link.startswith(("#part-", "#cell-")) for link in links)
        assert page.locator("h1").is_visible()
        context.close()
    assert page_of(course, "mallory").count(f"data:image/png;base64,{PIXEL}") == 2  # one drawn, one attached


def test_the_policy_stops_a_script_that_got_in_all_the_same(
    course: CourseFolder, tmp_path: Path, browser: Browser
) -> None:
    broken = page_of(course, "ada").replace(
        "</main>", f"{SCRIPT}<p id='end'>end</p><svg onload='window.ran=1'></svg></main>"
    )
    (tmp_path / "page.html").write_text(broken, encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri(), wait_until="networkidle")
    assert page.evaluate("window.ran") is None
    assert page.locator("#end").is_visible()  # the smuggled style sheet did nothing


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_break_no_rule_of_axe_and_fit_a_phone(
    course: CourseFolder, browser: Browser, theme: Literal["light", "dark"]
) -> None:
    for student in ("grace", "mallory", "quinn", FORMULA):
        for size in (PHONE, DESK):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]}, color_scheme=theme, bypass_csp=True
            )
            page = context.new_page()
            page.goto((course.feedback(student, "tiny") / "tiny.html").as_uri())
            found = [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in Axe().run(page).response["violations"]]
            assert found == []
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
            context.close()


def test_the_table_leads_to_the_parts_by_keyboard(course: CourseFolder, browser: Browser) -> None:
    page = browser.new_page()
    address = (course.feedback("grace", "tiny") / "tiny.html").as_uri()
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Part 2"
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}#part-2")
    assert page.locator("#part-2").inner_text() == "Part 2 · Along"
    page.keyboard.press("Tab")  # goes on from the part
    assert page.evaluate("document.activeElement.textContent") == "Back to the points"
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{address}#points")


def test_print_is_black_on_white(course: CourseFolder, browser: Browser) -> None:
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto((course.feedback("grace", "tiny") / "tiny.html").as_uri())
    page.emulate_media(media="print")
    colours = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_some_students_can_be_named_and_others_pages_stay(another: CourseFolder) -> None:
    before = page_of(another, "grace")
    (another.feedback("ada", "tiny") / "tiny.html").unlink()
    assert write_feedback(another, "tiny", ["ada"]) == [another.feedback("ada", "tiny") / "tiny.html"]
    assert page_of(another, "grace") == before
    with pytest.raises(ValueError, match="nothing of nobody, norah is graded"):
        write_feedback(another, "tiny", ["norah", "nobody", "ada"])


def test_a_submission_that_went_into_quarantine_after_it_was_graded_shows_no_points(another: CourseFolder) -> None:
    path = record_path(another.grading("tiny"), "ada")
    path.write_text(json.dumps({**json.loads(path.read_text()), "reason": "no notebook", "tests": []}))
    write_feedback(another, "tiny", ["ada"])
    assert "could not be graded" in text_of(another, "ada")
    assert "17.5" not in text_of(another, "ada")


def test_a_test_that_a_person_must_look_at_says_so(another: CourseFolder) -> None:
    with another.gradebook() as gradebook:
        gradebook.find_grade("test-doubled-values", "tiny", "tiny", "ada").needs_manual_grade = True
        gradebook.db.commit()
    write_feedback(another, "tiny", ["ada"])
    assert "for integers as well: 2 of 2, but your instructor still looks at it" in text_of(another, "ada")
    assert rows_of(another, "ada")[1][1] == "2 so far, of 2"


@pytest.mark.parametrize(
    "content", ["", "{", '{"cells": 3}', '{"nbformat": 4, "cells": [{}]}', '{"cells": [{"cell_type": "code"}]}']
)
def test_points_are_shown_where_the_graded_notebook_cannot_be_read(another: CourseFolder, content: str) -> None:
    (another.autograded("ada", "tiny") / "tiny.ipynb").write_text(content)
    write_feedback(another, "tiny", ["ada"])
    assert rows_of(another, "ada")[-1][-1] == "17.5 of 18"


def test_without_records_messages_come_from_the_notebook_that_nbgrader_graded(another: CourseFolder) -> None:
    shutil.rmtree(another.grading("tiny"))
    write_feedback(another, "tiny")
    assert "This was tried: double(x=tensor([3.])) expected tensor([6.])" in text_of(another, "grace")
    assert not another.grading("tiny").exists()


@pytest.mark.needs(POSIX)  # nbgrader has no exchange on Windows
def test_nbgrader_releases_the_pages(another: CourseFolder, tmp_path: Path) -> None:
    for name, text in (("timestamp.txt", "2026-10-01 12:00:00 UTC"), ("submission_secret.txt", "secret")):
        for student in (*GRADED, "quinn"):
            another.submitted(student, "tiny").mkdir(parents=True, exist_ok=True)
            (another.submitted(student, "tiny") / name).write_text(text + student)
    (another.submitted("ada", "tiny") / "submission_secret.txt").unlink()
    (another.submitted("ada", "tiny") / "submission_secret.txt").symlink_to("/etc/hostname")  # is not followed
    write_feedback(another, "tiny")
    assert not (another.feedback("ada", "tiny") / "submission_secret.txt").exists()
    (another.feedback("ada", "tiny") / "submission_secret.txt").write_text("ada")
    shutil.copy2(Path(__file__).parents[1] / "nbgrader_config.py", another.root)
    exchange = tmp_path / "exchange"
    (exchange / "ee559").mkdir(parents=True)
    exchange.chmod(0o777)
    done = subprocess.run(
        [Path(sys.executable).with_name("nbgrader"), "release_feedback", "tiny", f"--Exchange.root={exchange}"],
        cwd=another.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    released = [path.read_text(encoding="utf-8") for path in (exchange / "ee559" / "feedback").glob("*.html")]
    assert sorted(released) == sorted(page_of(another, student) for student in (*GRADED, "quinn"))


def many(count: int) -> Iterator[nbformat.NotebookNode]:
    for number in range(count):
        yield new_output("stream", text=f"{number}\n" * 1000)
        yield new_output("display_data", data={"image/png": PIXEL})


def test_a_page_stays_small_whatever_a_notebook_prints(another: CourseFolder) -> None:
    cells = [new_code_cell("x" * 100_000, id=f"own-{n}", outputs=list(many(300)) if n == 0 else []) for n in range(20)]
    (another.autograded("ada", "tiny") / "tiny.ipynb").write_text(json.dumps(new_notebook(cells=cells)))
    write_feedback(another, "tiny", ["ada"])
    page = page_of(another, "ada")
    assert len(page) < 5_000_000
    assert page.count("<img") == 40


def test_paths_lose_their_folders_and_nothing_else_changes() -> None:
    kept = [
        "1/2/3 and a/b",
        "http://pytorch.org/docs/x",
        "x = a / b",
        "../../lectures/02.ipynb",
        "repr: 'a\\nb\\tc'",
        "tab\there",
    ]
    assert [without_places(plain(text)) for text in kept] == kept
    assert without_places('File "/home/me/course/x.py", line 3') == 'File "…/x.py", line 3'
    assert without_places("~/course/x.py and C:\\Users\\me\\x.py") == "…/x.py and …/x.py"


def test_a_progress_bar_shows_its_last_state() -> None:
    assert plain("0%\r50%\r100%\r\nnext \x1b[1mbold\x1b[0m") == "100%\nnext bold"


def test_markdown_keeps_its_form_without_addresses() -> None:
    shown = words("# T\n\n*a* **b** `c`\n\n- x\n\n| a |\n|:-:|\n| 1 |\n\n[l](http://a.example)", {})
    for part in (
        "<strong>T</strong>",
        "<em>a</em>",
        "<code>c</code>",
        "<li>x</li>",
        "<td>1</td>",
        "[l](http://a.example)",
    ):
        assert part in shown
    assert "style" not in shown
