"""Grade all that was handed in: workers read, run and judge side by side, and this process alone writes.

Nothing of what a student wrote is taken apart here: what a worker returns is numbers, and texts to write as they are.
"""

import contextlib
import errno
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import filelock

from ee559_course.grading.batch.workers import Pool, WorkerOptions, connect
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import GradingError, Quarantine, reporting_file_errors
from ee559_course.grading.gradebook.database import back_up, open_gradebook
from ee559_course.grading.gradebook.log import write_log
from ee559_course.grading.gradebook.record import Record, read_record, record_path, rename_records_of_before
from ee559_course.grading.gradebook.write import Tasks, write_result
from ee559_course.grading.marking.seeds import course_secret
from ee559_course.grading.plan.grading_plan import GradingPlan, read_plan
from ee559_course.grading.plan.versions import Versions
from ee559_course.grading.submissions.load import Submission, load_submission, submitting_students

MAX_REASON = 500
OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}  # not of one student's folder
LET_WRITE = "Let yourself write into the student's folder in autograded/, or move it away, and grade again."
TRY_AGAIN = "Run `ee559 doctor`, then grade again: what is graded stays."


@dataclass(frozen=True)
class Options:
    """What to grade, and where code is run.

    Attributes:
        again: whether to grade what has been graded already and has not changed since.
        students: the only ones to grade; all if empty.
        newest: whether to grade by the practical as it is now what was made from an earlier version.
        pool: where code is run.
    """

    again: bool = False
    students: Sequence[str] = ()
    newest: bool = False
    pool: WorkerOptions = field(default_factory=WorkerOptions)


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
    with reporting_file_errors(), _alone(course):
        plan = read_plan(course, practical)
        back_up(course)
        rename_records_of_before(course.grading(practical))
        with open_gradebook(course) as gradebook:
            return _Batch(course, gradebook, plan, options, listen).run()


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


@dataclass(frozen=True)
class _Job:
    """A submission that is to be graded, or is under way."""

    submission: Submission
    plan: GradingPlan
    task: str


class _Batch:
    def __init__(
        self,
        course: CourseFolder,
        gradebook: sqlite3.Connection,
        plan: GradingPlan,
        options: Options,
        listen: Listener,
    ) -> None:
        self._course, self._gradebook, self._plan = course, gradebook, plan
        self._options, self._listen = options, listen
        self._folder = course.grading(plan.practical)
        self._versions = Versions(course, plan, not options.newest)
        self._tasks: dict[str, Tasks] = {}
        self._records: dict[str, Record] = {}

    def run(self) -> list[Record]:
        """Grade what is new or has changed."""
        students = self._students()
        self._listen(Event("begun", total=len(students)))
        todo = (found for student in students if (found := self._load_submission(student)) is not None)
        first = next(todo, None)
        if first is not None:  # starting workers takes seconds
            with connect(self._options.pool) as pool:
                for slow in self._run_side_by_side(pool, chain([first], todo)):
                    self._finish(slow, self._begin(pool, slow), alone=True)
        return [self._records[student] for student in sorted(self._records)]

    def _students(self) -> list[str]:
        practical = self._plan.practical
        students = submitting_students(self._course, practical)
        if not students:
            raise GradingError(f"nobody has handed in {practical}: there is no folder submitted/STUDENT/{practical}.")
        if self._options.students:
            if missing := sorted(set(self._options.students) - set(students)):
                raise GradingError(f"nothing was handed in by {', '.join(missing)}. Look for the name in submitted/.")
            students = [student for student in students if student in self._options.students]
        return students

    def _load_submission(self, student: str) -> _Job | None:
        """Read a submission's bytes; None if it is graded already, or goes to quarantine."""
        practical = self._plan.practical
        try:
            submission = load_submission(self._course, student, practical)
            plan, note = self._versions.of(submission.content)
        except Quarantine as quarantine:
            self._put_into_quarantine(student, quarantine)
            return None
        before = read_record(record_path(self._folder, student))
        same = before is not None and (before.submission, before.source) == (submission.digest, plan.digest)
        if before is not None and same and before.graded and not self._options.again:
            self._records[student] = before
            self._listen(Event("unchanged", student=student, record=before))
            return None
        if plan.version not in self._tasks:
            self._tasks[plan.version] = Tasks(plan, course_secret(self._course))
        submission = replace(submission, notes=(note, *submission.notes)) if note else submission
        return _Job(submission, plan, self._tasks[plan.version].of(submission))

    def _run_side_by_side(self, pool: Pool, todo: Iterator[_Job]) -> list[_Job]:
        """Keep every worker busy, with a bounded number of submissions in memory; return those that lacked time."""
        under_way: dict[Future[str], _Job] = {}
        slow: list[_Job] = []
        while True:
            for job in islice(todo, 2 * pool.size - len(under_way)):
                under_way[self._begin(pool, job)] = job
            if not under_way:
                return slow
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                job = under_way.pop(future)
                if not self._finish(job, future):
                    slow.append(job)

    def _begin(self, pool: Pool, job: _Job) -> Future[str]:
        self._listen(Event("running", student=job.submission.student))
        return pool.submit(job.task)

    def _finish(self, job: _Job, future: Future[str], alone: bool = False) -> bool:
        """Write what became of a submission; False if it lacked time that it may have alone."""
        try:
            graded = json.loads(future.result())
        except Exception as error:  # such as that a worker died twice: the other submissions go on
            reason = f"it could not be run: {type(error).__name__}: {error}"[:MAX_REASON]
            self._put_into_quarantine(job.submission.student, Quarantine(reason, TRY_AGAIN, job.submission.digest))
            return True
        if graded.get("waited") and not alone:
            return False
        if "reason" in graded:
            quarantine = Quarantine(graded["reason"], graded["remedy"], job.submission.digest)
            self._put_into_quarantine(job.submission.student, quarantine)
            return True
        submission = job.submission
        try:
            record = write_result(self._course, self._gradebook, job.plan, submission, graded, alone)
        except OSError as error:
            if error.errno in OF_THE_DISK:
                raise
            reason = f"its graded notebook cannot be written: {error.strerror}."
            self._put_into_quarantine(submission.student, Quarantine(reason, LET_WRITE, submission.digest))
            return True
        self._keep(record, graded["statuses"])
        return True

    def _put_into_quarantine(self, student: str, quarantine: Quarantine) -> None:
        practical, digest = self._plan.practical, self._plan.digest
        reason, remedy = quarantine.reason, quarantine.remedy
        self._keep(Record(student, practical, quarantine.digest, digest, reason=reason, remedy=remedy))

    def _keep(self, record: Record, statuses: Sequence[Sequence[str]] = ()) -> None:
        """Write log and record, and the record last: what has one is done."""
        write_log(self._folder, record, statuses)
        record.write(self._folder)
        self._records[record.student] = record
        self._listen(Event("graded" if record.graded else "quarantined", student=record.student, record=record))
