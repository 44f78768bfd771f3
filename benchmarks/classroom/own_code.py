"""Run submissions' own code in a plain process that is warm, and print the processor time that each takes.

What is timed are the cells of the notebook, which a grading runs twice, and the student's answers to the hidden tests'
cases, by exec and plain calls: no drawing of cases, no verdict, no confinement, no JSON, no IPython. Each runs in a
fork of its own, on one thread. The arguments are the course folder, the practical, and the students.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from ee559.practicals.asking import as_graded, define, question_names
from ee559.practicals.wire import unpack
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.write import Tasks
from ee559_course.grading.plan.grading_plan import read_plan
from ee559_course.grading.run.preload import preload
from ee559_course.grading.submissions.load import load_submission
from ee559_course.grading.worker.prepare import read

RUNS = 2


def seconds_of(task: dict[str, Any], folder: Path) -> float:
    """Run a submission in this process; return the seconds of processor time that its own code takes when graded."""
    laid_out = read(task, folder)
    for name, text in task["files"].items():
        Path(name).write_text(text, encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = sum(_seconds_of_cell(step["source"], namespace) for step in laid_out["steps"])
        return RUNS * cells + sum(_seconds_of_answers(question, namespace) for question in laid_out["questions"])


def _seconds_of_cell(source: str, namespace: dict[str, Any]) -> float:
    start = time.process_time()
    with contextlib.suppress(Exception):
        exec(compile(source, "<cell>", "exec"), namespace)
    return time.process_time() - start


def _seconds_of_answers(question: dict[str, Any], namespace: dict[str, Any]) -> float:
    """Answer a test's cases up to the first that fails, as a grader does."""
    answer = define(question["answer"], question_names())
    cases: list[Any] = [unpack(case) for case in question["cases"]]
    start = time.process_time()
    with contextlib.suppress(Exception), as_graded():
        for case in cases:
            answer(namespace[question["asks"]], **case)
    return time.process_time() - start


def main(root: str, practical: str, *students: str) -> None:
    """Print the seconds of each student as JSON."""
    preload()
    torch.set_num_threads(1)
    course = CourseFolder(Path(root))
    tasks = Tasks(read_plan(course, practical), b"")
    found = {}
    for student in students:
        task = json.loads(tasks.of(load_submission(course, student, practical)))
        ours, theirs = os.pipe()
        if os.fork() == 0:
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                os.write(theirs, json.dumps(seconds_of(task, Path(folder))).encode())
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            found[student] = json.loads(pipe.read())
        os.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
