"""What is handed to a worker for a submission, and what is written of what it returns."""

import json
from base64 import b64encode
from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.database import write_graded_notebook, write_marks
from ee559_course.grading.gradebook.record import Record
from ee559_course.grading.marking.seeds import secret_seed
from ee559_course.grading.marking.test_mark import TestMark
from ee559_course.grading.plan.grading_plan import GradingPlan
from ee559_course.grading.submissions.load import Submission

ALONE = "it ran out of time beside others, and was run again alone."


class Tasks:
    """Makes the tasks of a practical's submissions, see `ee559_course.grading.worker.grade_submission.grade_one`.

    Args:
        plan: of the practical.
        secret: that the draws begin from.
    """

    def __init__(self, plan: GradingPlan, secret: bytes) -> None:
        self._practical, self._secret = plan.practical, secret
        self._files = plan.files
        self._common = {"plan": plan.to_json(), "cell_seconds": plan.cell_seconds}

    def of(self, submission: Submission) -> str:
        """Make the task of a submission, now that its code cannot change any more."""
        seed = secret_seed(self._secret, self._practical, submission.digest)
        content = b64encode(submission.content).decode("ascii")
        files = {**submission.modules, **self._files}
        return json.dumps({**self._common, "files": files, "content": content, "seed": seed})


def write_result(
    course: CourseFolder,
    gradebook: Connection,
    plan: GradingPlan,
    submission: Submission,
    graded: Mapping[str, Any],
    alone: bool = False,
) -> Record:
    """Write a submission's graded notebook and marks; return its record, which is still to be written.

    Args:
        course: where to write.
        gradebook: of the course, open.
        plan: of the practical.
        handed_in: the submission.
        graded: what a worker returned for it.
        alone: whether it was run again, alone.
    """
    record = Record(
        submission.student,
        plan.practical,
        submission.digest,
        plan.digest,
        tests=tuple(TestMark(**{**test, "at": test["at"] and tuple(test["at"])}) for test in graded["tests"]),
        notes=(*submission.notes, *graded["notes"], *([ALONE] if alone else [])),
        added=tuple(graded["added"]),
        pending=graded["pending"],
        ended=graded["ended"],
        seconds=round(graded["seconds"], 3),
        cpu_seconds=round(graded["cpu_seconds"], 3),
        peak_memory=graded["peak_memory"],
    )
    write_graded_notebook(course, record.student, plan, graded["notebook"])
    write_marks(
        gradebook,
        course,
        record.student,
        record.practical,
        graded["grades"],
        graded["untouched"],
        bool(record.pending),
    )
    return record
