"""Grade all that was handed in: workers run the code side by side, and this process alone judges and writes."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import filelock
import torch
from distributed import Future, as_completed
from nbgrader.api import Gradebook

from ee559_course.grading.assess import Assessment, assess
from ee559_course.grading.blueprint import Blueprint, read_blueprint
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook import back_up
from ee559_course.grading.intake import read_submission, submitting_students
from ee559_course.grading.judging import read_questions
from ee559_course.grading.log import write_log
from ee559_course.grading.pool import GradingError, Pool, PoolOptions, connect
from ee559_course.grading.record import Quarantine, Record, read_record, record_path
from ee559_course.grading.run.task import RunResult

ALONE = "it ran out of time beside others, and was run again alone."


@dataclass(frozen=True)
class Options:
    """What to grade, and where code is run.

    Attributes:
        again: whether to grade what has been graded already and has not changed since.
        students: the only ones to grade; all if empty.
        pool: where code is run.
    """

    again: bool = False
    students: Sequence[str] = ()
    pool: PoolOptions = field(default_factory=PoolOptions)


@dataclass(frozen=True)
class Event:
    """Something happened.

    Attributes:
        kind: ``begun``, ``running``, ``graded``, ``quarantined`` or ``unchanged``.
        total: how many submissions there are, in ``begun``.
        student: whose submission it is.
        record: what became of it.
    """

    kind: str
    total: int = 0
    student: str = ""
    record: Record | None = None


Listener = Callable[[Event], None]


def grade(course: CourseFolder, practical: str, options: Options, listen: Listener) -> list[Record]:
    """Grade a practical; what is done is done, however this ends, and the next call goes on with the rest.

    Args:
        course: the course folder.
        practical: such as ``sizes``.
        options: how.
        listen: is told what happens.

    Returns:
        The records of the submissions, in the order of the students' ids.

    Raises:
        GradingError: another process is grading, nothing was handed in, or nothing confines students' code.
        ReleaseError: there is no such practical, or its source is broken.
    """
    torch.set_num_threads(1)  # judging is short, and several threads would wait for each other beside busy workers
    with _alone(course):
        blueprint = read_blueprint(course, practical)
        back_up(course)
        with course.gradebook() as gradebook:
            return _Batch(course, gradebook, blueprint, options, listen).run()


@contextlib.contextmanager
def _alone(course: CourseFolder) -> Iterator[None]:
    """Keep a second grading of the same course out; the lock goes with the process, however it ends."""
    folder = course.root / "grading"
    folder.mkdir(exist_ok=True)
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise GradingError(
            f"another process is grading in {course.root}. Wait until it is done: two would mix their results."
        ) from None
    try:
        yield
    finally:
        lock.release()


def course_secret(course: CourseFolder) -> bytes:
    """Return what the cases of this course are drawn from; it is made once, and only its owner can read it."""
    path = course.root / "grading" / "secret"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        os.replace(unfinished, path)
    return path.read_bytes()


class _Batch:
    def __init__(
        self, course: CourseFolder, gradebook: Gradebook, blueprint: Blueprint, options: Options, listen: Listener
    ) -> None:
        self._course, self._gradebook, self._blueprint = course, gradebook, blueprint
        self._options, self._listen = options, listen
        self._folder = course.grading(blueprint.practical)
        self._questions = read_questions(blueprint.notebook)
        self._secret = course_secret(course)
        self._records: dict[str, Record] = {}

    def run(self) -> list[Record]:
        """Grade what is new or has changed."""
        students = submitting_students(self._course, self._blueprint.practical)
        if not students:
            practical = self._blueprint.practical
            raise GradingError(f"nobody has handed in {practical}: there is no folder submitted/STUDENT/{practical}.")
        if self._options.students:
            if missing := sorted(set(self._options.students) - set(students)):
                raise GradingError(f"nothing was handed in by {', '.join(missing)}. Look for the name in submitted/.")
            students = [student for student in students if student in self._options.students]
        self._listen(Event("begun", total=len(students)))
        todo = (found for student in students if (found := self._take_in(student)) is not None)
        first = next(todo, None)
        if first is not None:  # starting workers takes seconds
            with connect(self._options.pool) as pool:
                for slow in self._run_side_by_side(pool, chain([first], todo)):
                    self._finish(slow, self._begin(pool, slow), alone=True)
        return [self._records[student] for student in sorted(self._records)]

    def _take_in(self, student: str) -> Assessment | None:
        """Read a submission; None if it is graded already, or goes to quarantine."""
        try:
            submission = read_submission(self._course, student, self._blueprint)
        except Quarantine as quarantine:
            self._put_into_quarantine(student, quarantine)
            return None
        before = read_record(record_path(self._folder, student))
        same = before is not None and (before.submission, before.source) == (submission.digest, self._blueprint.digest)
        if before is not None and same and before.graded and not self._options.again:
            self._records[student] = before
            self._listen(Event("unchanged", student=student, record=before))
            return None
        return assess(submission, self._blueprint, self._questions, self._secret, self._course.cell_seconds)

    def _run_side_by_side(self, pool: Pool, todo: Iterator[Assessment]) -> list[Assessment]:
        """Keep every worker busy, with a bounded number of submissions in memory; return those that lacked time."""
        under_way: dict[object, Assessment] = {}
        completed = as_completed()
        slow: list[Assessment] = []

        def begin_next() -> None:
            if (assessment := next(todo, None)) is not None:
                future = self._begin(pool, assessment)
                under_way[future.key] = assessment
                completed.add(future)

        for _ in range(2 * pool.size):
            begin_next()
        for future in completed:
            begin_next()
            assessment = under_way.pop(future.key)
            if not self._finish(assessment, future):
                slow.append(assessment)
        return slow

    def _begin(self, pool: Pool, assessment: Assessment) -> Future[str]:
        self._listen(Event("running", student=assessment.submission.student))
        return pool.submit(assessment.task)

    def _finish(self, assessment: Assessment, future: Future[str], alone: bool = False) -> bool:
        """Write what became of a submission; False if it lacked time that it may have alone."""
        run = None
        try:
            run = RunResult.from_json(future.result())
            if run.waited and not alone:
                return False
            record = assessment.record(self._course, self._gradebook, run)
        except Exception as error:  # such as that a worker died twice: the other submissions go on
            what = "graded" if run else "run"
            reason = f"it could not be {what}: {type(error).__name__}: {error}"[:500]
            remedy = "Run `ee559 doctor`, then grade again: what is graded stays."
            quarantine = Quarantine(reason, remedy, assessment.submission.digest)
            self._put_into_quarantine(assessment.submission.student, quarantine)
            return True
        self._keep(replace(record, notes=(*record.notes, ALONE)) if alone else record, run)
        return True

    def _put_into_quarantine(self, student: str, quarantine: Quarantine) -> None:
        practical, digest = self._blueprint.practical, self._blueprint.digest
        reason, remedy = quarantine.reason, quarantine.remedy
        self._keep(Record(student, practical, quarantine.digest, digest, reason=reason, remedy=remedy))

    def _keep(self, record: Record, run: RunResult | None = None) -> None:
        """Write the record, and that last: what has one is done."""
        write_log(self._folder, record, run)
        record.write(self._folder)
        self._records[record.student] = record
        self._listen(Event("graded" if record.graded else "quarantined", student=record.student, record=record))
