"""A course folder as grading leaves it: a real nbgrader gradebook, autograded notebooks and a record for each student.

Who is in it, all of the practical ``tiny``, which gives 15 points in tests and 3 by hand:

- ada: all right, 2.5 points by hand, with a comment.
- grace: two wrong answers of the bank; her words are not graded yet.
- "zoë müller, née o'brien": every part wrong; 2 points late; nothing by hand.
- copy-cat: ada's answers with other names, comments and layout.
- mallory: HTML, scripts and addresses in every place that a student writes.
- leak: all right, in other ways than the solution; prints hidden tests, solutions and rubrics in several ways.
- quinn: in quarantine. fred: a person must look, and ended early. norah: handed nothing in. =cmd(): an id that is a
  formula.
"""

import ast
import base64
import contextlib
import io
import json
import warnings
from pathlib import Path

import torch
from course_copies import course_at, solution, template, tiny
from ee559.practicals.practical import Practical
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.record import Record
from ee559_course.grading.marking.test_mark import TestMark
from ee559_course.practicals.answer_bank import Answer, load_answers
from ee559_course.practicals.release import full_notebook
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook
from sqlalchemy.exc import SAWarning

ZOE = "zoë müller, née o'brien"
FORMULA = "=cmd()"
SCRIPT = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'></style><style>body{display:none}</style>"
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()
NAMES = {
    "ada": ("Ada", 'Byron, "Countess" of Lovelace'),
    "grace": ("Grace", "Hopper"),
    ZOE: ("Zoë", "Müller"),
    "copy-cat": ("Ada 2", "Byron"),
    "mallory": (SCRIPT, "<iframe src='javascript:parent.ran=1'></iframe>"),
    "leak": ("@SUM(1+1)", "+1+1"),
    "quinn": ("Quinn", "O'Hara"),
    "fred": ("Fred", "Flagged"),
    "norah": ("Norah", "Nothing"),
    FORMULA: ('=HYPERLINK("http://evil.example","click")', "\t=1+1"),
}
GRADED = ("ada", "grace", ZOE, "copy-cat", "mallory", "leak", "fred", FORMULA)
WORDS = "words-why"
ANSWERS = {
    "grace": ("takes the square", "rolls"),
    ZOE: (
        "takes the square",
        "moves to the right alone",
        "turns the weights round",
        "keeps the factor as a number",
        "sums the columns",
        "leaves the biases out",
        "counts the biases",
    ),
    "fred": ("takes the square",),
    FORMULA: ("takes the square", "turns the weights round"),
    "leak": (
        "adds it to itself",
        "pads, and cuts",
        "loops over the weights",
        "registers it by its name",
        "multiplies by ones",
        "multiplies the sizes",
        "multiplies in another order",
    ),
}


def answers_of(student: str) -> list[Answer]:
    """Take a student's answers from the bank; what is not among them is the solution."""
    return [answer for answer in load_answers(tiny()) if answer.name in ANSWERS.get(student, ())]


def make_course(root: Path) -> CourseFolder:
    """Make the folder; nothing of it is made by the code under test."""
    if root.exists():
        root.rmdir()
    course = course_at(root)
    with course.gradebook() as gradebook:
        for student, (first, last) in NAMES.items():
            address = f"{student.partition(' ')[0]}@example.org"
            gradebook.add_student(student, first_name=first, last_name=last, email=address, lms_user_id=None)
        for student in GRADED:
            with warnings.catch_warnings(category=SAWarning, action="ignore"):  # nbgrader's own
                _grade(course, gradebook, student)
        for student, points, comment in (("ada", 2.5, "Well said.\n22 is right."), ("mallory", 1.0, SCRIPT)):
            _grade_by_hand(gradebook, student, points, comment)
        gradebook.find_submission_notebook("tiny", "tiny", ZOE).late_submission_penalty = 2.0
        gradebook.db.commit()
    reason = f"the notebook is cut off in the middle {SCRIPT} ({root / 'submitted' / 'quinn'}/tiny.ipynb)"
    record = Record("quinn", "tiny", "0", "0", reason=reason, remedy="Ask for the file again.")
    record.write(course.grading("tiny"))
    return course


def _grade(course: CourseFolder, gradebook: Gradebook, student: str) -> None:
    lost = {test for answer in answers_of(student) for test in answer.fails}
    notebook = _notebook(student)
    gradebook.add_submission("tiny", student)
    tests = []
    for part in tiny().parts:
        for test in part.tests:
            points = 0.0 if test.id() in lost else float(test.points)
            message = _message(student, test.asks) if test.id() in lost else ""
            at = ("smooth", 2) if student == FORMULA and test.asks == "smooth" else None
            mistake = _mistake(student, test.id()) if message else ""
            mark = TestMark(test.id(), part.name, test.title(), points, float(test.points), message, mistake, at)
            tests.append(mark)
            grade = gradebook.find_grade(test.id(), "tiny", "tiny", student)
            grade.auto_score, grade.needs_manual_grade = points, False
    said = {test.cell: test.message for test in tests}
    for cell in notebook.cells:
        if said.get(cell.id):
            cell.outputs = [_failure(said[cell.id], root=course.root)]
    written = gradebook.find_grade(WORDS, "tiny", "tiny", student)
    written.needs_manual_grade = student in ("grace", "leak")
    written.auto_score = None if written.needs_manual_grade else 0.0
    gradebook.db.commit()
    _write(course.autograded(student, "tiny"), notebook)
    Record(
        student,
        "tiny",
        submission="0",
        source="0",
        tests=tuple(tests),
        notes=("double was missing: it was put back.",) if student == "grace" else (),
        added=(f"import os  # {SCRIPT}",) if student == "fred" else (),
        pending=f"its answers came in two notebooks {SCRIPT}" if student == "fred" else "",
        ended="memory" if student == "fred" else "",
        seconds=1.5 + len(tests) + len(student),
        cpu_seconds=1.25,
        peak_memory=300_000_000,
    ).write(course.grading("tiny"))


def _grade_by_hand(gradebook: Gradebook, student: str, points: float, comment: str) -> None:
    grade = gradebook.find_grade(WORDS, "tiny", "tiny", student)
    grade.manual_score, grade.needs_manual_grade = points, False
    gradebook.find_comment(WORDS, "tiny", "tiny", student).manual_comment = comment


def _message(student: str, asks: str) -> str:
    if student == FORMULA:
        return f"{asks}(x=tensor([3.])) raised ValueError: {SCRIPT} /home/grader/secret/x.py"
    return f"{asks}(x=tensor([3.])): expected tensor([6.]), got tensor([9.])"


def _mistake(student: str, test: str) -> str:
    """Name the mistake that the check knows, as the bank has it."""
    known = (answer.says.partition("It looks like this: ")[2] for answer in answers_of(student) if test in answer.fails)
    return next(known, "")


def _failure(message: str, root: Path) -> NotebookNode:
    traceback = [f"File {root}/grader.py", f"AssertionError: {message}"]
    failure: NotebookNode = new_output("error", ename="AssertionError", evalue=message, traceback=traceback)
    return failure


def _notebook(student: str) -> NotebookNode:
    """Make the autograded notebook: the released one with answers, outputs of the checks, and the hidden tests."""
    notebook: NotebookNode = full_notebook(tiny())
    answers = solution(tiny()) | {answer.cell: answer.source.strip() for answer in answers_of(student)}
    answers[WORDS] = "All windows share the **same** weights: $2 + 4 = 6$, and not 28."
    checks = Practical.read(template() / "solutions" / "tiny" / "checks.txt")
    namespace: dict[str, object] = {"torch": torch, "nn": torch.nn}
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
        if cell.id in answers and cell.cell_type == "code":
            if student == "copy-cat":
                cell.source = disguised(cell.source)
            exec(cell.source, namespace)
        elif cell.id.startswith("check-"):
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                print(checks.judged(name := cell.source.partition("(")[2].rstrip(")"), namespace[name]))
            cell.outputs = [new_output("stream", text=printed.getvalue())]
    if student == "mallory":
        _attack(notebook)
    if student == "leak":
        _leak(notebook)
    return notebook


def disguised(source: str) -> str:
    """Give an answer other names, comments and layout."""
    tree = ast.parse(source)
    stored = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    names = {name: f"renamed_{number}" for number, name in enumerate(dict.fromkeys(stored))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)
    first, _, rest = ast.unparse(tree).partition("\n")
    return f'{first}  # mine\n    """All my own work."""\n    # I thought of this myself\n{rest}\n'


def _attack(notebook: NotebookNode) -> None:
    cells = {cell.id: cell for cell in notebook.cells}
    cells[WORDS].source = f"""{SCRIPT}

# Big

[a link](javascript:window.ran=1) <javascript:window.ran=1> ![p](http://127.0.0.1:9/x.png)

![attached](attachment:dot.png) ![not](attachment:vector.svg)

<iframe srcdoc='<script>parent.ran=1</script>'></iframe>

```html onload='window.ran=1'
<script>window.ran=1</script>
```

[x]: javascript:window.ran=1

[x]
"""
    vector = f"<svg xmlns='http://www.w3.org/2000/svg' onload='window.ran=1'>{SCRIPT}</svg>"
    cells[WORDS].attachments = {
        "dot.png": {"image/png": PIXEL},
        "vector.svg": {"image/svg+xml": base64.b64encode(vector.encode()).decode()},
    }
    cells["double"].source += f"\n# {SCRIPT}"
    outputs = [
        new_output("display_data", data={"text/html": SCRIPT, "text/plain": f"plain {SCRIPT}"}),
        new_output("display_data", data={"image/svg+xml": vector}),
        new_output("display_data", data={"application/javascript": "window.ran = 1"}),
        new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"}),
        new_output("display_data", data={"image/png": f"x' onerror='window.ran=1 {PIXEL}", "text/plain": "no picture"}),
        new_output("display_data", data={"image/png": base64.b64encode(vector.encode()).decode()}),
        new_output("stream", name="stderr", text=f"\x1b[31mred\x1b[0m \ud800 half \x00 {SCRIPT} 10%\r100%\n"),
        new_output("error", ename=SCRIPT, evalue=SCRIPT, traceback=[SCRIPT, "File /home/grader/course/solutions/x.py"]),
    ]
    notebook.cells.insert(4, new_code_cell("print('hello')", id="mine", outputs=outputs))
    notebook.cells.insert(5, new_markdown_cell(f"My notes {SCRIPT}", id="notes"))


def all_that_is_hidden() -> str:
    """Join the source's notebook, with its solutions and rubrics, and its tests."""
    source = tiny()
    return "\n".join([*(cell.source for cell in source.notebook.cells), source.code])


def _leak(notebook: NotebookNode) -> None:
    secret = all_that_is_hidden()
    cut = len(secret) // 2
    outputs = [
        new_output("stream", text=secret[:cut]),
        new_output("stream", name="stderr", text=secret[cut:]),
        new_output("stream", text="\n".join(f"{line[:9]}\x1b[1m{line[9:]}\x00" for line in secret.splitlines())),
        new_output("execute_result", data={"text/plain": repr(secret.splitlines())}),
        new_output("display_data", data={"text/plain": json.dumps({"source": secret.splitlines()})}),
        new_output("display_data", data={"text/html": secret, "text/plain": "kept"}),
        new_output("error", ename="E", evalue=secret, traceback=secret.splitlines()),
    ]
    notebook.cells.insert(4, new_code_cell("In", id="history", outputs=outputs))


def _write(folder: Path, notebook: NotebookNode) -> None:
    folder.mkdir(parents=True)
    text = json.dumps(notebook, indent=1)  # nbformat would refuse half a character, which a kernel can send
    (folder / "tiny.ipynb").write_text(text, encoding="utf-8")
