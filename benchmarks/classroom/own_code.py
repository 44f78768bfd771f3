"""Run submissions' own code in a plain process that is warm, and print the processor time that each takes.

What is timed are the cells of the notebook and the student's answers to the hidden tests' cases, by exec and plain
calls: no drawing of cases, no verdict, no confinement, no JSON, no IPython. Each runs in a fork of its own, on one
thread. The arguments are the course folder, the practical, and the students.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time
import types
import warnings
from pathlib import Path

import torch
from ee559.practicals.wire import unpack
from ee559_course.grading.assess import assess
from ee559_course.grading.blueprint import read_blueprint
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.intake import read_submission
from ee559_course.grading.judging import read_questions
from ee559_course.grading.run.preload import preload
from ee559_course.grading.run.task import Step, Task


def seconds_of(task: Task) -> float:
    """Run a submission's steps in this process; return the seconds of processor time that its own code took."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for name, text in task.files.items():
        Path(name).write_text(text, encoding="utf-8")
    return sum(_seconds_of_step(step, namespace) for step in task.steps)


def _seconds_of_step(step: Step, namespace: dict[str, object]) -> float:
    """Run a cell, or ask a test's cases up to the first that fails, as a grader does."""
    cases = [unpack(case) for case in step.cases or ()]
    spent = 0.0
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if step.cases is not None:
            defined: dict[str, object] = {}
            exec(step.source, defined)
            asked = next(value for value in defined.values() if isinstance(value, types.FunctionType))
            answer = types.FunctionType(asked.__code__, namespace)
        start = time.process_time()
        with contextlib.suppress(Exception):
            if step.cases is None:
                exec(compile(step.source, step.cell, "exec"), namespace)
            for case in cases:
                answer(**case)
        spent = time.process_time() - start
    return spent


def main(root: str, practical: str, *students: str) -> None:
    """Print the seconds of each student as JSON."""
    preload()
    torch.set_num_threads(1)
    course = CourseFolder(Path(root))
    blueprint = read_blueprint(course, practical)
    questions = read_questions(blueprint.notebook)
    found = {}
    for student in students:
        task = assess(read_submission(course, student, blueprint), blueprint, questions, b"", 120.0).task
        ours, theirs = os.pipe()
        if os.fork() == 0:
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                os.write(theirs, json.dumps(seconds_of(task)).encode())
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            found[student] = json.loads(pipe.read())
        os.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
