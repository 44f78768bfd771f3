"""A course folder as grading leaves it: a real nbgrader gradebook, autograded notebooks and a record for each student.

Who is in it, all of the practical ``sizes``, which gives 24 points in tests and 3 by hand:

- ada: all right, 2.5 points by hand, with a comment.
- grace: two wrong answers of the bank; her words are not graded yet.
- "zoë müller, née o'brien": every part wrong; 2 points late; nothing by hand.
- copy-cat: ada's answers with other names, comments and layout.
- mallory: HTML, scripts and addresses in every place that a student writes.
- leak: all right, in other ways than the solution; prints hidden tests, solutions and rubrics in several ways.
- quinn: in quarantine. fred: flagged, and ended early. norah: handed nothing in. =cmd(): an id that is a formula.
"""

import ast
import base64
import contextlib
import io
import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from ee559.practicals.sizes import sizes
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.record import Record, TestMark
from ee559_course.paths import ROOT
from ee559_course.practicals.answer_bank import load_answers, source_notebook
from ee559_course.practicals.release import REGION
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
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


def answers_called(*names: str) -> dict[str, str]:
    """Take answers of the bank by what they do."""
    return {answer.cell: answer.source for answer in load_answers("sizes") if answer.name in names}


ANSWERS = {
    "grace": ("takes the absolute value", "counts the frame on one side"),
    ZOE: ("leaves ceil_mode out", "returns a mask", "takes the mean", "turns the kernel round", "ends one too far"),
    "fred": ("takes the absolute value",),
    FORMULA: ("takes the absolute value", "takes the mean"),
    "leak": (
        "where",
        "loops over places",
        "loops, and adds up",
        "a list of what is seen",
        "counts the windows one after another",
    ),
}


def make_course(root: Path) -> CourseFolder:
    """Make the folder; nothing of it is made by the code under test."""
    course = CourseFolder(root)
    for folder in ("solutions", "practicals"):
        shutil.copytree(ROOT / folder / "sizes", root / folder / "sizes")
    done = NbGraderAPI(config=course.config).generate_assignment("sizes", force=True, create=True)
    assert done["success"], done
    with course.gradebook() as gradebook:
        for student, (first, last) in NAMES.items():
            address = f"{student.partition(' ')[0]}@example.org"
            gradebook.add_student(student, first_name=first, last_name=last, email=address, lms_user_id=None)
        for student in GRADED:
            with warnings.catch_warnings(category=SAWarning, action="ignore"):  # nbgrader's own
                _grade(course, gradebook, student)
        for student, points, comment in (("ada", 2.5, "Well said.\n22 is right."), ("mallory", 1.0, SCRIPT)):
            _grade_by_hand(gradebook, student, points, comment)
        gradebook.find_submission_notebook("sizes", "sizes", ZOE).late_submission_penalty = 2.0
        gradebook.db.commit()
    reason = f"the notebook is cut off in the middle {SCRIPT} ({root / 'submitted' / 'quinn'}/sizes.ipynb)"
    record = Record("quinn", "sizes", "0", "0", reason=reason, remedy="Ask for the file again.")
    record.write(course.grading("sizes"))
    return course


def _grade(course: CourseFolder, gradebook: Gradebook, student: str) -> None:
    answers = answers_called(*ANSWERS.get(student, ()))
    lost = {
        test for answer in load_answers("sizes") if answer.name in ANSWERS.get(student, ()) for test in answer.fails
    }
    notebook = _notebook(student, answers)
    gradebook.add_submission("sizes", student)
    tests = []
    part = ""
    for cell in notebook.cells:
        part = cell.source.split(" ·")[0].removeprefix("## ") if cell.source.startswith("## Part") else part
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade") and not marks.get("solution"):
            points = 0.0 if cell.id in lost else marks["points"]
            message = _message(student, cell.id) if cell.id in lost else ""
            about = cell.source.partition("\n")[0].partition(": ")[2]
            tests.append(TestMark(cell.id, part, about, points, marks["points"], message))
            cell.outputs = [_failure(message, root=course.root)] if message else []
            grade = gradebook.find_grade(cell.id, "sizes", "sizes", student)
            grade.auto_score, grade.needs_manual_grade = points, False
    written = gradebook.find_grade("words-receptive-field", "sizes", "sizes", student)
    written.needs_manual_grade = student in ("grace", "leak")
    written.auto_score = None if written.needs_manual_grade else 0.0
    gradebook.db.commit()
    _write(course.autograded(student, "sizes"), notebook)
    Record(
        student,
        "sizes",
        submission="0",
        source="0",
        tests=tuple(tests),
        notes=("my-relu was missing: it was put back.",) if student == "grace" else (),
        flags=(f"it changed torch {SCRIPT}",) if student == "fred" else (),
        ended="killed: memory" if student == "fred" else "",
        seconds=1.5 + len(tests) + len(student),
        cpu_seconds=1.25,
        peak_memory=300_000_000,
    ).write(course.grading("sizes"))


def _grade_by_hand(gradebook: Gradebook, student: str, points: float, comment: str) -> None:
    grade = gradebook.find_grade("words-receptive-field", "sizes", "sizes", student)
    grade.manual_score, grade.needs_manual_grade = points, False
    gradebook.find_comment("words-receptive-field", "sizes", "sizes", student).manual_comment = comment


def _message(student: str, cell: str) -> str:
    function = {
        "test-relu": "my_relu",
        "test-max": "my_max_pool2d",
        "test-con": "my_conv2d",
        "test-see": "first_and_last",
    }
    name = function.get(cell[:9], function.get(cell[:8], "output_size"))
    return f"{name}: wrong values" if student != FORMULA else f"{name}: ValueError: {SCRIPT} /home/grader/secret/x.py"


def _failure(message: str, root: Path) -> NotebookNode:
    traceback = [f"File {root}/grader.py", f"AssertionError: {message}"]
    return new_output("error", ename="AssertionError", evalue=message, traceback=traceback)


def _notebook(student: str, answers: Mapping[str, str]) -> NotebookNode:
    """Make the autograded notebook: the released one with answers, outputs of the checks, and the hidden tests."""
    notebook = source_notebook("sizes")
    namespace: dict[str, object] = {"torch": torch}
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution"):
            cell.source = answers.get(cell.id, own_solution(cell))
            if student == "copy-cat" and cell.cell_type == "code":
                cell.source = disguised(cell.source)
            if cell.cell_type == "code":
                exec(cell.source, namespace)
        elif cell.id.startswith("check-"):
            name = cell.source.partition("(")[2].rstrip(")")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                sizes.check(namespace[name])
            cell.outputs = [new_output("stream", text=printed.getvalue())]
    if student == "mallory":
        _attack(notebook)
    if student == "leak":
        _leak(notebook)
    return notebook


def own_solution(cell: NotebookNode) -> str:
    """Take the solution out of its marks, as a student would write it; words get an answer of the student's own."""
    if cell.cell_type != "code":
        return "Each place sees **22** pixels, counted from the back: $2 + 4 = 6$, then 18, then 22."
    lines = cell.source.split("\n    raise NotImplementedError")[0].splitlines()
    return "\n".join(line for line in lines if "### " not in line)


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
    cells["words-receptive-field"].source = f"""{SCRIPT}

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
    cells["words-receptive-field"].attachments = {
        "dot.png": {"image/png": PIXEL},
        "vector.svg": {"image/svg+xml": base64.b64encode(vector.encode()).decode()},
    }
    cells["my-relu"].source += f"\n# {SCRIPT}"
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


def _leak(notebook: NotebookNode) -> None:
    secret = "\n".join(region[0] for cell in source_notebook("sizes").cells for region in REGION.finditer(cell.source))
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
    (folder / "sizes.ipynb").write_text(text, encoding="utf-8")
