"""Simulate the grading of 2,000 submissions by 2, 8 and 64 workers, with service times that are measured first.

Run: python benchmarks/grading_scale.py; Linux only. It grades real submissions with `ee559 grade` and two workers, and
takes from them how long a worker has for each. Then it takes apart, and times, what the grader's own process does for
each, because that process is one however many workers there are: it reads a file's bytes, hands them over to a worker,
and writes what comes back. The simulation has a queue for the workers and one for that
process. It is compared with the real run; the script exits with 1 if it is off by more than a quarter.

`sizes` is a practical of short answers; in `network`, students train for seconds. The times are those of workers that
share two cores with the grader: workers with a core of their own are a little faster. Memory is PSS, each worker with
the submission that it runs.
"""

import heapq
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from classroom.clock import Run, run
from classroom.memory import Peak
from classroom.submissions import copy_course, hand_in, make_course
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.database import open_gradebook
from ee559_course.grading.gradebook.log import write_log
from ee559_course.grading.gradebook.write import Tasks, write_result
from ee559_course.grading.marking.seeds import course_secret
from ee559_course.grading.plan.grading_plan import read_plan
from ee559_course.grading.submissions.load import load_submission
from ee559_course.grading.worker.worker import Worker
from ee559_sandbox import Limits

SUBMISSIONS, WORKERS = 2000, (2, 8, 64)
GRADED = {"sizes": 36, "network": 8}  # real submissions
TAKEN_APART = {"sizes": 24, "network": 4}  # those of them whose part in the grader's own process is timed
HANDED_OVER = 100
MAX_ERROR = 0.25
NEEDS_A_LOOK = 3


@dataclass(frozen=True)
class Times:
    """Measured seconds.

    Attributes:
        on_a_worker: of each submission, in the order in which they are taken.
        before: in the grader's own process, until one is handed over.
        after: there too, from its result to its record.
    """

    on_a_worker: Sequence[float]
    before: float
    after: float

    @property
    def alone(self) -> float:
        """What one submission takes of the process that no worker shares."""
        return self.before + self.after


@dataclass(frozen=True)
class Outcome:
    """How a simulated grading went: when each record was written, and the shares of the time that all were busy."""

    records: list[float]
    workers_busy: float
    grader_busy: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.records[-1]


def simulate(times: Times, workers: int) -> Outcome:
    """Grade in simulated time: twice as many submissions as workers are under way, as `ee559 grade` has it."""
    total = len(times.on_a_worker)
    begun = min(2 * workers, total)
    events = [(number * times.before, "ready") for number in range(1, begun + 1)]
    grader_free, idle, waiting = begun * times.before, workers, 0
    seconds, records = iter(times.on_a_worker), []
    while events:
        now, kind = heapq.heappop(events)
        if kind == "ready":
            waiting += 1
        else:
            idle += 1
            grader_free = max(now, grader_free)
            if begun < total:
                begun += 1
                grader_free += times.before
                heapq.heappush(events, (grader_free, "ready"))
            grader_free += times.after
            records.append(grader_free)
        while idle and waiting:
            idle, waiting = idle - 1, waiting - 1
            heapq.heappush(events, (now + next(seconds), "done"))
    return Outcome(records, sum(times.on_a_worker) / (workers * grader_free), total * times.alone / grader_free)


def main() -> int:
    """Print for each practical what was measured, how far the simulation is off, and what it says of 2,000."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as folder:
        return max([_scale(Path(folder), practical) for practical in GRADED])


def _scale(folder: Path, practical: str) -> int:
    course = make_course(folder / practical, practical)
    hand_in(course, practical, GRADED[practical])
    real, memory = _grade(copy_course(course, folder / f"{practical}-graded"), practical)
    parts, sent, brought = _take_apart(course, practical)
    parts["hand over"] = _hand_over(sent, brought)
    before = parts["read"] + parts["hand over"]
    records = sorted((json.loads(line.text) for line in real.lines), key=lambda record: record["student"])
    seconds = [record["seconds"] for record in records]
    times = Times(seconds, before, sum(parts.values()) - before)
    print(f"{practical}, {len(seconds)} real submissions: {statistics.mean(seconds):.2f} s on a worker ", end="")
    print(f"({min(seconds):.2f} to {max(seconds):.2f} s), {times.alone:.3f} s in the grader's own process")
    print("    there: " + ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in parts.items()))
    error = _compare(times, real)
    print(
        f"\n{'2,000 submissions':18}{'time':>10}{'a minute':>11}{'workers busy':>15}{'grader busy':>14}{'memory':>11}"
    )
    for workers in WORKERS:
        drawn = random.Random(0).choices(seconds, k=SUBMISSIONS)
        outcome = simulate(replace(times, on_a_worker=drawn), workers)
        print(f"{workers:10} workers{outcome.seconds / 60:6.1f} min{60 * SUBMISSIONS / outcome.seconds:11.0f}", end="")
        print(f"{outcome.workers_busy:15.0%}{outcome.grader_busy:14.0%}{workers * memory / 1024:7.1f} GiB")
    most = statistics.mean(seconds) / times.alone
    print(f"more than {most:.0f} workers make it no faster: the grader's own process is busy then\n", flush=True)
    return int(abs(error) > MAX_ERROR)


def _grade(course: CourseFolder, practical: str) -> tuple[Run, float]:
    """Grade with two workers; return the run, and the most memory that one of them had, in MiB."""
    peak = Peak()
    command: list[str | Path] = [
        Path(sys.executable).with_name("ee559"),
        "grade",
        practical,
        "--workers",
        "2",
        "--json",
    ]
    done = run(command, course.root, keep=lambda line: '"event": "graded"' in line, watch=peak.look)
    if done.status not in (0, NEEDS_A_LOOK):
        raise SystemExit((course.root / "standard-error.log").read_text(encoding="utf-8")[-2000:])
    return done, peak.of_workers / 2


def _compare(times: Times, real: Run) -> float:
    """Print how long the real run took from its first record to its last, and the simulated one."""
    took = real.lines[-1].seconds - real.lines[0].seconds
    records = simulate(times, 2).records
    simulated = records[-1] - records[0]
    error = simulated / took - 1
    print(f"    two workers, from the first record to the last: {took:.1f} s in the real run, ", end="")
    print(f"{simulated:.1f} s simulated ({error:+.0%})")
    return error


@dataclass
class _Parts:
    """Collects how long each part takes."""

    found: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        yield
        self.found.setdefault(name, []).append(time.perf_counter() - start)


def _take_apart(course: CourseFolder, practical: str) -> tuple[dict[str, float], int, int]:
    """Time what the grader's own process does for a submission.

    Returns:
        The mean seconds of each part, and the mean sizes of what goes to a worker and comes back.
    """
    plan = read_plan(course, practical)
    folder = course.grading(practical)
    tasks, parts = Tasks(plan, course_secret(course)), _Parts()
    students = [f"student-{number:04}" for number in range(TAKEN_APART[practical])]
    worker, results = Worker(Limits()), {}
    with open_gradebook(course) as gradebook:
        for again in (False, True):  # what is imported or read at the first use is not counted
            parts.found.clear()
            for student in students:
                with parts.time("read"):
                    submission = load_submission(course, student, practical)
                    task = tasks.of(submission)
                if not again:
                    results[student] = (len(task), worker.run(task))
                with parts.time("write"):
                    graded = json.loads(results[student][1])
                    record = write_result(course, gradebook, plan, submission, graded)
                with parts.time("log and record"):
                    write_log(folder, record, graded["statuses"])
                    record.write(folder)
    worker.close()
    means = {name: statistics.mean(seconds) for name, seconds in parts.found.items()}
    sent = statistics.mean(size for size, _ in results.values())
    brought = statistics.mean(len(result) for _, result in results.values())
    return means, round(sent), round(brought)


def _hand_over(sent: int, brought: int) -> float:
    """Processor seconds of this process to give a worker one task and get its result, of these sizes."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(_answer, "", 0).result()
        started = time.process_time()
        for _ in range(HANDED_OVER):
            pool.submit(_answer, " " * sent, brought).result()
        return (time.process_time() - started) / HANDED_OVER


def _answer(task: str, size: int) -> str:
    return " " * size


if __name__ == "__main__":
    sys.exit(main())
