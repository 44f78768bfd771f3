"""The instructor's report: its numbers are those of the gradebook and the records, and no student's words run in it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.record import record_path
from ee559_course.grading.pages.report import MAX_WORDS, write_report
from graded_course import FORMULA, GRADED, SCRIPT, ZOE, make_course
from playwright.sync_api import Browser
from soup import parse

Theme = Literal["light", "dark"]
PHONE, DESK = (390, 844), (1280, 800)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    course = make_course(tmp_path_factory.mktemp("course"))
    write_report(course, "tiny")
    return course


@pytest.fixture
def another(course: CourseFolder, tmp_path: Path) -> CourseFolder:
    """Copy the course for a test that changes it."""
    shutil.copytree(course.root, tmp_path / "course")
    return CourseFolder(tmp_path / "course")


def report_of(course: CourseFolder) -> Any:
    return parse((course.grading("tiny") / "report.html").read_text(encoding="utf-8"))


def words_of(tag: Any) -> str:
    return " ".join(tag.get_text(" ").split())


def table_after(course: CourseFolder, heading: str) -> list[list[str]]:
    title = report_of(course).find(["h2", "caption"], string=re.compile(f"^{heading}"))
    table = title.find_parent("table") or title.find_next("table")
    return [[words_of(cell) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]


def test_counts_are_those_of_the_gradebook_and_the_records(course: CourseFolder) -> None:
    cards = [words_of(card) for card in report_of(course).select(".cards li")]
    assert cards == [
        "8 graded",
        "2 of them still to be graded by hand",
        "1 in quarantine",
        "1 to be looked at",
        "1 handed nothing in",
        "1 with points off for being late",
    ]
    assert "Norah Nothing (norah)" in words_of(report_of(course))


def test_distribution_and_its_picture_say_the_same_numbers(course: CourseFolder) -> None:
    with course.gradebook() as gradebook:
        submissions = gradebook.assignment_submissions("tiny")
        totals = [max(0.0, each.score - each.late_submission_penalty) for each in submissions]
    rows = table_after(course, "Marks")[1:]
    edges = [*range(0, 18, 2), 18]
    assert [int(count) for _, count in rows] == list(np.histogram(totals, edges)[0])
    assert rows[0][0] == "0 to less than 2"
    assert rows[-1][0] == "16 to 18"
    picture = report_of(course).select_one("picture img")
    assert f"the median is {np.median(totals):g}" in picture["alt"]
    assert picture["src"].startswith("data:image/svg+xml;base64,")
    assert report_of(course).select_one("picture source")["srcset"] != picture["src"]  # one for dark pages


def test_parts_count_once_they_are_graded(course: CourseFolder) -> None:
    rows = {row[0]: row[1:] for row in table_after(course, "Parts")}
    assert rows["Part 7 · What you see"][0] == "5"
    assert rows["Part 7 · What you see"][1] == f"{(2.5 + 1.0 + 5 * 2) / 6:.2f}"  # two of eight wait
    assert rows["Part 1 · Twice"][3] == "0, 1, 2"
    assert rows["Part 1 · Twice"][4:] == ["4", "4"]
    hardest = report_of(course).select("picture img")[1]["alt"]
    assert hardest.endswith("Part 7 is the hardest.")


def test_tests_messages_and_known_mistakes_are_counted(course: CourseFolder) -> None:
    tests = table_after(course, "Tests that lose points")
    assert tests[1][:2] == ["Part 1: Twice each value, for integers as well", "4 of 8 (50 %)"]
    said = "double(x=tensor([3.])): expected tensor([6.]), got tensor([9.])"
    assert tests[1][2].startswith(f"{said} (3) double(x=tensor([3.])) raised ValueError: <script>")
    assert table_after(course, "Known mistakes")[1:] == [
        ["Part 1: Twice each value, for integers as well", "the square", "4"]
    ]
    assert [said, "3"] in table_after(course, "Messages")


def test_a_mistake_that_a_student_printed_himself_is_not_counted(another: CourseFolder) -> None:
    path = another.autograded("ada", "tiny") / "tiny.ipynb"
    notebook = json.loads(path.read_text())
    cell = next(cell for cell in notebook["cells"] if cell["id"] == "check-double")
    cell["outputs"][0]["text"] = f"✗ double: x. It looks like this: {SCRIPT}\n✗ double: x. It looks like this: one more"
    path.write_text(json.dumps(notebook))
    write_report(another, "tiny")
    assert [row[1] for row in table_after(another, "Known mistakes")[1:]] == ["the square"]


def test_quarantine_what_waits_early_ends_and_repairs_are_listed_with_reasons(course: CourseFolder) -> None:
    (row,) = table_after(course, "In quarantine")[1:]
    assert row[0] == "Quinn O'Hara (quinn)"
    assert row[1].startswith("the notebook is cut off in the middle")
    assert row[2] == "Ask for the file again."
    looked = table_after(course, "To be looked at")[1:]
    assert [row[0] for row in looked] == ["Fred Flagged (fred)"] * 2
    assert looked[0][1].startswith("its answers came in two notebooks <script>")
    assert looked[1][1] == "the run ended early: memory"
    assert table_after(course, "Repaired") == [
        ["Student", "What"],
        ["Grace Hopper (grace)", "double was missing: it was put back."],
    ]
    (added,) = table_after(course, "Beyond the answers")[1:]
    assert added[0] == "Fred Flagged (fred)"
    assert added[1].startswith("import os # <script>")


def test_time_and_memory_have_quantiles_and_the_slowest(course: CourseFolder) -> None:
    rows = {row[0]: row[1:] for row in table_after(course, "Time and memory")}
    assert rows["What"] == ["least", "25 %", "50 %", "75 %", "90 %", "most"]
    assert rows["Memory, in MB"] == ["300.0"] * 6
    assert table_after(course, "The slowest")[1][0] == f"Zoë Müller ({ZOE})"


def test_similar_pairs_come_with_what_they_do_not_mean(course: CourseFolder) -> None:
    page = words_of(report_of(course))
    assert "This accuses nobody" in page
    assert "few right answers" in page
    pairs = table_after(course, "Submissions that are alike")[1:]
    (found,) = [pair for pair in pairs if "(ada)" in pair[0] and "(copy-cat)" in pair[0]]
    assert found[1] == "100 %"


def test_words_of_students_are_capped(another: CourseFolder) -> None:
    path = record_path(another.grading("tiny"), "fred")
    record = json.loads(path.read_text())
    record["tests"][0] |= {"points": 0.0, "message": "x" * 100_000 + SCRIPT}
    path.write_text(
        json.dumps(record | {"pending": "y" * 100_000, "added": ["y" * 100_000] * 50, "notes": ["\ud800 z"]})
    )
    write_report(another, "tiny")
    page = words_of(report_of(another))
    assert "x" * MAX_WORDS + "…" in page
    assert "x" * (MAX_WORDS + 1) not in page
    assert "y" * MAX_WORDS + "…" in page
    assert "y" * (MAX_WORDS + 1) not in page


def test_nothing_runs_or_asks_for_anything(course: CourseFolder, browser: Browser) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (course.grading("tiny") / "report.html").as_uri()
    page.goto(address, wait_until="networkidle")
    assert page.evaluate("window.ran") is None
    assert [url for url in asked if not url.startswith("data:image/svg+xml")] == [address]
    assert page.evaluate("document.querySelectorAll('script, iframe, svg, object, embed, form, link, a').length") == 0
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    assert "Content-Security-Policy" in page.content()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_report_breaks_no_rule_of_axe_and_fits_a_phone(
    course: CourseFolder, browser: Browser, theme: Literal["light", "dark"]
) -> None:
    for size in (PHONE, DESK):
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=theme, bypass_csp=True
        )
        page = context.new_page()
        page.goto((course.grading("tiny") / "report.html").as_uri())
        found = [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in Axe().run(page).response["violations"]]
        assert found == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        drawn = page.evaluate("document.images[0].currentSrc === document.images[0].src ? 'light' : 'dark'")
        assert drawn == theme
        context.close()


def test_a_class_of_which_nothing_is_graded_has_a_report(another: CourseFolder) -> None:
    shutil.rmtree(another.root / "autograded")
    shutil.rmtree(another.grading("tiny"))
    with another.gradebook() as gradebook:
        for student in GRADED:
            gradebook.remove_submission("tiny", student)
    write_report(another, "tiny")
    assert "Nothing is graded yet." in words_of(report_of(another))


def test_gradebook_without_the_practical_is_told_of_the_remedy(another: CourseFolder) -> None:
    another.gradebook_file.unlink()
    with pytest.raises(ValueError, match="run `ee559 grade tiny`"):
        write_report(another, "tiny")


def test_formula_and_unicode_names_stand_as_they_are(course: CourseFolder) -> None:
    assert f'=HYPERLINK("http://evil.example","click") =1+1 ({FORMULA})' in words_of(report_of(course))
