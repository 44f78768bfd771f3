"""Feedback shows nothing hidden, end to end: what code learns when it is asked comes out in no way and no writing."""

import base64
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from course_copies import NEEDS_CONFINEMENT, course_at, hand_in, solved, tiny
from ee559_course.grading.batch.grade import Options, grade
from ee559_course.grading.batch.workers import WorkerOptions
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.record import read_records
from ee559_course.grading.pages.feedback import write_feedback
from machine import LINUX

pytestmark = NEEDS_CONFINEMENT

FOUND = "F" + "OUND"  # what the code prints; its own text has it in two halves
LEARN = """
import gc, sys, torch

def learn(x):
    seen = ["FO" + "UND", repr(x.tolist())]
    frame = sys._getframe()
    while frame is not None:
        seen += [frame.f_code.co_name, *map(repr, frame.f_locals.values())]
        frame = frame.f_back
    seen += [repr(each)[:2000] for each in gc.get_objects() if isinstance(each, (dict, str, torch.Tensor))][:300]
    return "\\n".join(seen)[:200_000]

"""
TELL = {
    "as it is": "print(learn(x))",
    "in hex": "print(('FO' + 'UND').encode().hex(), learn(x).encode().hex())",
    "reversed": "print(learn(x)[::-1], ('FO' + 'UND')[::-1])",
    "as an error of the stream": "sys.stderr.write(learn(x)); sys.stderr.flush()",
    "below Python": "import os; os.write(1, learn(x).encode()); os.write(2, learn(x).encode())",
    "displayed": "from IPython.display import display; display({'text/plain': learn(x)}, raw=True)",
    "as a picture": (
        "import matplotlib.pyplot as plt; plt.imshow([list(learn(x).encode()[:500])]); plt.show(); print('FO' + 'UND')"
    ),
    "as a warning": "import warnings; warnings.warn(learn(x))",
    "from a thread": "import threading; threading.Thread(target=print, args=(learn(x),)).start()",
    "at the end": "import atexit; atexit.register(print, learn(x))",
    "through files": "open('kept.txt', 'w').write(learn(x)); open('/tmp/kept.txt', 'w').write(learn(x))",
    "by the hook of results": "get_ipython().displayhook(learn(x))",
    "through a variable": "get_ipython().user_ns['kept'] = learn(x); global kept; kept = learn(x)",
}
AFTER = """
import os
for path in ("kept.txt", "/tmp/kept.txt", "printed.txt"):
    if os.path.exists(path):
        print(open(path).read())
print(globals().get("kept"))
"""

UNCHECKED = {"check-double": "", "progress": AFTER}
"""The checks would try it on cases that every student has."""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    made = course_at(tmp_path_factory.mktemp("leaks") / "course")
    for number, act in enumerate(TELL.values()):
        tries = f"    try:\n        {act}\n    except Exception:\n        pass\n"
        source = f"{LEARN}def double(x):\n{tries}    return 2 * x if x.numel() > 1 else x\n"
        hand_in(made, f"leak-{number}", solved({"double": source, **UNCHECKED}))
    said = f"{LEARN}def double(x):\n    raise ValueError(learn(x).encode().hex())\n"
    hand_in(made, "raises", solved({"double": said, **UNCHECKED}))
    grade(made, "tiny", Options(pool=WorkerOptions(workers=1)), lambda event: None)
    write_feedback(made, "tiny")
    return made


def forms_of(word: str) -> set[str]:
    return {word, word[::-1], word.encode().hex(), base64.b64encode(word.encode()).decode().rstrip("=")[:-1]}


@pytest.mark.parametrize("number", range(len(TELL)), ids=TELL)
def test_what_code_learns_from_a_question_is_on_no_page_and_in_no_notebook(course: CourseFolder, number: int) -> None:
    student = f"leak-{number}"
    page = (course.feedback(student, "tiny") / "tiny.html").read_text(encoding="utf-8")
    text = BeautifulSoup(page, "html.parser").get_text()
    graded = (course.autograded(student, "tiny") / "tiny.ipynb").read_text(encoding="utf-8")
    assert "double(x=" in text  # its test is lost, with its case
    for form in forms_of(FOUND):
        assert form not in text
        assert form not in graded
    assert "<img" not in page


def test_an_error_says_no_more_than_a_message_holds(course: CourseFolder) -> None:
    """The text of an error is the student's own, and what is hidden from students is not in their process."""
    (record,) = [record for record in read_records(course.grading("tiny")) if record.student == "raises"]
    message = record.tests[0].message
    assert message.startswith("double(x=tensor([3.])) raised ValueError: ")
    assert len(message) <= 500
    written = "\n".join(cell.source for cell in solved({"double": ""}).cells)
    text = BeautifulSoup((course.feedback("raises", "tiny") / "tiny.html").read_text(), "html.parser").get_text()
    for line in tiny().secrets() - set(map(str.strip, written.splitlines())):
        for form in (line, line[::-1], line.encode().hex()):
            assert form not in text


SEARCH = """
import ctypes, re

libc = ctypes.CDLL(None)
libc.pwrite.argtypes = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long
places = re.findall(r"(\\w+)-(\\w+) rw", open("/proc/self/maps").read())  # a fork has what it was forked from
known = "KNOWN-WORD"

def double(x):
    words = [bytes.fromhex(each) for each in WORDS] + [b"DROW-NWONK"]  # backwards: else it would find its own
    found, size = set(), 1 << 24
    with open("copied", "w+b", buffering=0) as file:
        for place in places:
            start, end = (int(each, 16) for each in place)
            for here in range(start, end, size):
                copied = libc.pwrite(file.fileno(), here, min(size + 1000, end - here), 0)
                file.seek(0)
                held = file.read(max(copied, 0))[::-1]
                found |= {number for number, word in enumerate(words) if word in held}
    raise ValueError(f"{sorted(found)} are there")
"""


@pytest.mark.needs(LINUX)
def test_the_memory_of_a_process_that_answers_holds_nothing_that_the_authors_keep(tmp_path: Path) -> None:
    """Lines of the tests, of solutions and of rubrics: not in what the process was forked from, and not sent to it."""
    course = course_at(tmp_path / "course")
    words = sorted(tiny().secrets(), key=len)[-12:]
    search = SEARCH.replace("WORDS", repr([word.encode()[::-1].hex() for word in words]))
    hand_in(course, "searches", solved({"double": search, **UNCHECKED, "smooth": "", "shift": ""}))
    (record,) = grade(course, "tiny", Options(pool=WorkerOptions(workers=1)), lambda event: None)
    assert record.tests[0].message.endswith(f"raised ValueError: [{len(words)}] are there"), record
