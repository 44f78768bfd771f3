"""Exports: what Canvas and Moodle read is what the gradebook counts, and nobody without a mark gets a 0."""

import csv
import io
import shutil
from pathlib import Path

import pytest
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.lms.canvas import is_formula, no_formula
from ee559_course.grading.lms.exports import export_grades
from ee559_course.practicals.practical import ReleaseError
from graded_course import FORMULA, GRADED, NAMES, SCRIPT, ZOE, make_course

TITLE = "Practical 9 · Tiny"
WAITING = ("grace", "leak")
UNSEEN = ("\0", "\ufeff", "\u200b", "\u2060", "\u00ad", "\u00a0", "\u202e", "  ", "\0 \ufeff", "\x85", "\u3164")
MARKED = [student for student in GRADED if student not in WAITING]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def another(course: CourseFolder, tmp_path: Path) -> CourseFolder:
    """Copy the course for a test that changes it."""
    shutil.copytree(course.root, tmp_path / "course")
    return CourseFolder(tmp_path / "course")


def rows(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def totals(course: CourseFolder) -> dict[str, float]:
    with course.gradebook() as gradebook:
        submissions = gradebook.assignment_submissions("tiny")
        return {each.student.id: max(0.0, each.score - each.late_submission_penalty) for each in submissions}


def canvas_file(folder: Path, text: str, codec: str = "utf-8") -> Path:
    path = folder / "2026-10-01T0900_Grades-EE-559.csv"
    path.write_bytes(text.encode(codec))
    return path


def exported_by_canvas(assignment: str = f"{TITLE} (4711)", delimiter: str = ",", points: str = "18.00") -> str:
    """Write a gradebook as Canvas exports it, with rows that are no students and columns that it computes."""
    header = [
        "Student",
        "ID",
        "SIS User ID",
        "SIS Login ID",
        "Section",
        "Notes",
        "Homework 0 (12)",
        assignment,
        "Final Score",
    ]
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerow(["", "", "", "", "", "", "", "Manual Posting", ""])
    writer.writerow(["    Points Possible", "", "", "", "", "", "10.00", points, "(read only)"])
    for number, (student, (first, last)) in enumerate(NAMES.items(), 100):
        note = '- ask her, or "him"; soon\nline two'
        writer.writerow([f"{last}, {first}", number, f"S{number}", student, "A; B", note, "7,50", "", "80.00"])
    writer.writerow(["Student, Test", "999", "", "f00", "A", "", "", "", ""])
    return written.getvalue()


def test_moodle_has_each_mark_as_the_gradebook_counts_it(course: CourseFolder) -> None:
    made = export_grades(course, "tiny", "moodle")
    assert not made.content.startswith(b"\xef\xbb\xbf")
    header, *lines = rows(made.content)
    assert header == ["Username", TITLE, f"{TITLE} (Feedback)"]
    expected = totals(course)
    exported = [student for student in MARKED if student != FORMULA]
    assert {line[0]: float(line[1]) for line in lines} == {student: expected[student] for student in exported}
    assert {line[0]: line[1] for line in lines}["ada"] == "17.5"
    assert set(made.exported) == set(exported)


def test_nobody_without_a_mark_is_exported_and_the_caller_is_told_why(course: CourseFolder) -> None:
    for kind in ("moodle", "canvas"):
        made = export_grades(course, "tiny", kind)
        assert made.without_grade == {
            "grace": "still to be graded by hand: words-why",
            "leak": "still to be graded by hand: words-why",
            "norah": "handed nothing in",
            "quinn": "in quarantine",
            FORMULA: "a spreadsheet would take the id for a formula",
        }
        assert made.to_look_at == ("fred",)


def test_moodle_feedback_has_points_comments_and_no_markup(course: CourseFolder) -> None:
    said = {line[0]: line[2] for line in rows(export_grades(course, "tiny", "moodle").content)}
    assert said["ada"].startswith("Part 1: 2 of 2. Part 2: 2 of 2.")
    assert said["ada"].endswith("Part 7: 4.5 of 5. Well said. 22 is right.")
    assert said[ZOE].endswith("Late: 2 off.")
    assert "<" not in said["mallory"]
    assert "&lt;script&gt;" in said["mallory"]


def test_moodle_finds_users_by_id_number_or_address(another: CourseFolder) -> None:
    with another.gradebook() as gradebook:
        gradebook.update_or_create_student("ada", lms_user_id="12345")
        gradebook.update_or_create_student("fred", email=None)
    by_number = export_grades(another, "tiny", "moodle", identifier="idnumber")
    assert rows(by_number.content)[0][0] == "ID number"
    assert "12345" in {line[0] for line in rows(by_number.content)}
    by_address = export_grades(another, "tiny", "moodle", identifier="email")
    assert rows(by_address.content)[0][0] == "Email address"
    assert "ada@example.org" in {line[0] for line in rows(by_address.content)}
    assert by_address.without_grade["fred"] == "no email in the gradebook"
    with pytest.raises(ValueError, match="expected one of username, idnumber, email"):
        export_grades(another, "tiny", "moodle", identifier="shoe size")


def test_new_canvas_file_has_canvas_columns_and_the_points_possible(course: CourseFolder) -> None:
    made = export_grades(course, "tiny", "canvas", column=f"{TITLE} (4711)")
    assert made.content.startswith(b"\xef\xbb\xbf")
    header, possible, *lines = rows(made.content)
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", f"{TITLE} (4711)"]
    assert possible == ["    Points Possible", "", "", "", "", "18"]
    by_login = {line[3]: line for line in lines}
    assert by_login["ada"] == ['Byron, "Countess" of Lovelace, Ada', "", "", "ada", "", "17.5"]
    assert by_login[ZOE][0] == "Müller, Zoë"
    other = rows(export_grades(course, "tiny", "canvas", identifier="SIS User ID").content)
    assert "ada" in {line[2] for line in other}


@pytest.mark.parametrize(("delimiter", "codec"), [(",", "utf-8"), (";", "utf-8-sig")])
def test_filled_canvas_file_is_as_it_came_but_for_the_marks(
    course: CourseFolder, tmp_path: Path, delimiter: str, codec: str
) -> None:
    text = exported_by_canvas(delimiter=delimiter)
    made = export_grades(course, "tiny", "canvas", platform_file=canvas_file(tmp_path, text, codec))
    assert made.content.startswith(b"\xef\xbb\xbf") == (codec == "utf-8-sig")
    assert b"\r\n" not in made.content
    before, after = rows(text.encode(), delimiter), rows(made.content, delimiter)
    assert len(before) == len(after)
    marks = totals(course)
    for old, new in zip(before, after, strict=True):
        assert [old[place] for place in (1, 2, 3, 4, 5, 6, 8)] == [new[place] for place in (1, 2, 3, 4, 5, 6, 8)]
        student = new[3]
        assert new[7] == (f"{marks[student]:g}" if student in MARKED else old[7])
    assert made.warnings == ()
    assert set(made.exported) == set(MARKED)  # a formula for an id stands in Canvas' own file already


def test_names_that_are_formulas_get_an_apostrophe(course: CourseFolder, tmp_path: Path) -> None:
    """Canvas turns the name =X into ="X", which is a formula again, and of X's choosing if X has quotation marks."""
    written = io.StringIO(newline="")
    csv.writer(written).writerow(['="=1"&cmd()&""', "777", "", "x", "A", "", "", "", ""])
    path = canvas_file(tmp_path, exported_by_canvas() + written.getvalue())
    filled = export_grades(course, "tiny", "canvas", platform_file=path)
    assert rows(filled.content)[-1][0].startswith("'=")
    for made in (filled, export_grades(course, "tiny", "canvas"), export_grades(course, "tiny", "moodle")):
        for line in rows(made.content)[1:]:
            students_words = (line[0], line[2]) if len(line) == 3 else (line[0],)
            assert [word for word in students_words if word.lstrip().startswith(("=", "+", "-", "@"))] == []


def test_excused_students_stay_excused(course: CourseFolder, tmp_path: Path) -> None:
    lines = rows(exported_by_canvas().encode())
    for line in lines:
        line[7] = {"ada": "EX", "fred": "N/A", "quinn": "3.5", "grace": "4"}.get(line[3], line[7])
    written = io.StringIO(newline="")
    csv.writer(written).writerows(lines)
    made = export_grades(course, "tiny", "canvas", platform_file=canvas_file(tmp_path, written.getvalue()))
    after = {line[3]: line[7] for line in rows(made.content)}
    assert (after["ada"], after["fred"], after["quinn"], after["grace"]) == ("EX", "N/A", "3.5", "4")
    assert made.without_grade["ada"] == "EX in Canvas"
    assert b"\r\n" in made.content


def test_students_are_matched_by_the_column_that_fits_or_the_one_that_is_named(
    another: CourseFolder, tmp_path: Path
) -> None:
    with another.gradebook() as gradebook:
        for number, student in enumerate(NAMES, 100):
            gradebook.update_or_create_student(student, lms_user_id=str(number))
    lines = rows(exported_by_canvas().encode())
    for line in lines[3:]:
        line[3] = f"login-{line[1]}"
    written = io.StringIO(newline="")
    csv.writer(written).writerows(lines)
    path = canvas_file(tmp_path, written.getvalue())
    for match in ("", "ID"):
        made = export_grades(another, "tiny", "canvas", platform_file=path, match=match)
        assert set(made.exported) == set(MARKED)
    for match, said in (("SIS User ID", "no student of the gradebook"), ("Shoe size", "no column 'Shoe size'")):
        with pytest.raises(ValueError, match=said):
            export_grades(another, "tiny", "canvas", platform_file=path, match=match)


def test_graded_students_whom_canvas_does_not_have_are_told(course: CourseFolder, tmp_path: Path) -> None:
    text = exported_by_canvas().replace(",fred,", ",somebody,")
    made = export_grades(course, "tiny", "canvas", platform_file=canvas_file(tmp_path, text))
    assert made.without_grade["fred"] == "not in 2026-10-01T0900_Grades-EE-559.csv"


@pytest.mark.parametrize("column", [f"{TITLE} (4711)", TITLE, "4711", ""])
def test_column_is_found_by_name_title_or_number(course: CourseFolder, tmp_path: Path, column: str) -> None:
    path = canvas_file(tmp_path, exported_by_canvas())
    made = export_grades(course, "tiny", "canvas", platform_file=path, column=column)
    assert {line[3]: line[7] for line in rows(made.content)}["ada"] == "17.5"


def test_missing_double_or_unlike_columns_are_said(course: CourseFolder, tmp_path: Path) -> None:
    path = canvas_file(tmp_path, exported_by_canvas("Something else (4711)"))
    made = export_grades(course, "tiny", "canvas", platform_file=path)
    assert rows(made.content)[0][-1] == TITLE
    assert rows(made.content)[2][-1] == "18"
    assert "Canvas will offer to make an assignment" in made.warnings[0]
    with pytest.raises(ValueError, match="has no column for 99"):
        export_grades(course, "tiny", "canvas", platform_file=path, column="99")
    twice = canvas_file(tmp_path, exported_by_canvas().replace("Homework 0 (12)", f"{TITLE} (12)"))
    with pytest.raises(ValueError, match="several columns"):
        export_grades(course, "tiny", "canvas", platform_file=twice)
    other_points = canvas_file(tmp_path, exported_by_canvas(points="1,000.00"))
    made = export_grades(course, "tiny", "canvas", platform_file=other_points)
    assert made.warnings == ("Canvas has 1,000.00 points possible, and the practical gives 18.",)
    same_points = canvas_file(tmp_path, exported_by_canvas(points="18,00"))
    assert export_grades(course, "tiny", "canvas", platform_file=same_points).warnings == ()


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"Student,ID\n\xff\xfe\n", b"\xff\xfeS\x00t\x00", b"Student;Name\n"]
)
def test_a_file_that_is_not_canvas_own_is_refused_with_its_name(
    course: CourseFolder, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "grades.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"grades\.csv"):
        export_grades(course, "tiny", "canvas", platform_file=path)


def test_unknown_kinds_and_practicals_are_refused(course: CourseFolder) -> None:
    with pytest.raises(ValueError, match="expected canvas or moodle"):
        export_grades(course, "tiny", "blackboard")
    with pytest.raises(ReleaseError, match="no such practical: another"):
        export_grades(course, "another", "moodle")
    with pytest.raises(ValueError, match="expected one of ID"):
        export_grades(course, "tiny", "canvas", identifier="Shoe size")


def test_a_mark_never_falls_below_zero_and_extra_credit_counts(another: CourseFolder) -> None:
    with another.gradebook() as gradebook:
        gradebook.find_submission_notebook("tiny", "tiny", "fred").late_submission_penalty = 100.0
        gradebook.find_grade("words-why", "tiny", "tiny", "ada").extra_credit = 3.25
        gradebook.db.commit()
    marks = {line[0]: line[1] for line in rows(export_grades(another, "tiny", "moodle").content)}
    assert marks["fred"] == "0"
    assert marks["ada"] == "20.75"


def test_file_is_written_whole(course: CourseFolder, tmp_path: Path) -> None:
    made = export_grades(course, "tiny", "moodle")
    path = made.write(tmp_path / "new" / "moodle.csv")
    assert path.read_bytes() == made.content
    assert [each.name for each in path.parent.iterdir()] == ["moodle.csv"]


@pytest.mark.parametrize(
    ("cell", "formula"),
    [
        *[(cell, True) for cell in ("=1", "+x", "-cmd|' /C calc'!A0", "@SUM(1)", "＝1")],
        *[(f"{start}{cell}", True) for start in UNSEEN for cell in ("=1", "+x", "-x", "@SUM(1)")],
        *[(cell, False) for cell in ("-5", "+41.5", "12", "", "a=b", "Ada")],
    ],
)
def test_formulas_are_told_from_numbers(cell: str, formula: bool) -> None:
    assert is_formula(cell) == formula
    assert no_formula(cell) == (f"'{cell}" if formula else cell)


@pytest.mark.parametrize("start", ["", *UNSEEN])
def test_a_formula_behind_another_separator_is_stopped_too(start: str) -> None:
    for separator in ";|\t\r\n":
        for formula in ("=cmd()", "+x", "-1+cmd|'x'!A0", "@SUM(1)"):
            assert no_formula(f"Bob{separator}{start}{formula}") == f"Bob{separator}'{start}{formula}"
    assert no_formula("no bias; -1 point") == "no bias; -1 point"
    assert no_formula(SCRIPT) == SCRIPT
    assert no_formula("\t=1") == "\t'=1"
