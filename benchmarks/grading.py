"""Grade the same 24 submissions with stock nbgrader, with otter-grader and with `ee559 grade`, on two cores.

Run: python benchmarks/grading.py; Linux only. Exits with 1 if `ee559 grade` with two workers takes more than a sixth of
stock nbgrader's seconds, its start included; if a score differs; if the overhead is over 0.3 s a submission, or the
grader's own process takes over 20 ms of that; or if one resubmission takes more than 0.8 of stock nbgrader's seconds.

The 24 are a class that hands in the practical `modules`: one has the release as it comes, three are right, eleven have
a wrong answer of the practical's bank in as many parts as there is one for, nine have one wrong answer. What students'
own code takes bounds what any grader can gain. It is short here, as in four of the five practicals. The fifth, in which
networks are trained for seconds, is told apart and has no goal.

Stock nbgrader is `nbgrader autograde` with nbgrader's own kernels and its own way to shut them down, one submission
after the other and one thread each (with more it is slower on a busy machine). Ours is `ee559 grade`: two workers,
confined. "Once started" counts from one graded submission to another, 24 later, while the workers are busy: of 36
submissions, which are the class and half of it again.

Overhead is what grading costs beyond the students' own code: all processor time of the grader, its workers, their
servers and the students' processes, once started, less what the cells and the answers to the hidden tests' cases take
in a plain process that is warm, by exec, without drawing or judging. The wall's overhead is stricter: seconds that the
two cores were there for a submission, idle or not, less the same.

A resubmission is one right notebook that is handed in again when it has been graded, and graded by the whole command,
start and end included. What its own code takes is taken off both: a run for stock nbgrader, and two for ours.
"""

import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from classroom import otter_grader
from classroom.clock import COLD, Run, run
from classroom.memory import Peak
from classroom.otter_grader import NotInstalled
from classroom.submissions import SIZE, copy_course, hand_in, make_course, scores_of
from ee559_course.grading.course_folder import CourseFolder

PRACTICAL, ANOTHER, TRAINING = "modules", "sizes", "network"
TRAINED = 2
RATIO, OVERHEAD, GRADER, AGAIN = 6.0, 0.3, 0.02, 0.8
FIRST, MORE = 6, SIZE // 2  # graded submissions before counting begins, and submissions more than the class
NEEDS_A_LOOK = 3
BIN = Path(sys.executable).parent
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Cost:
    """What one submission takes: on the clock, of processors, and of them in the grader's own process."""

    seconds: float
    cpu: float
    grader: float = 0.0


@dataclass(frozen=True)
class Room:
    """Where course folders are made: copies of one whose gradebook knows the practicals."""

    folder: Path
    template: CourseFolder

    def submission(self, name: str, practical: str, number: int = SIZE, first: int = 0) -> CourseFolder:
        """Make a course folder with submissions that are not graded yet."""
        course = copy_course(self.template, self.folder / name)
        hand_in(course, practical, number, first)
        return course


def main() -> int:
    """Print a line for each way to grade, then what a submission costs beyond its own code."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder), make_course(Path(folder) / "template", PRACTICAL, ANOTHER, TRAINING))
        reached = _compare(room)
        _train(room)
    return int(not all(reached))


def _compare(room: Room) -> list[bool]:
    """Grade the class in each way; return whether the goals are reached."""
    course = room.submission("class", PRACTICAL)
    print(f"{SIZE} submissions of {PRACTICAL} on two cores\n")
    print(f"{'seconds a submission':44}{'wall':>6}{'CPU':>7}{'ratio':>8}")
    stock, expected = _nbgrader(course, room.folder / "stock", COLD)
    _line(f"stock nbgrader {version('nbgrader')}, cold kernels", stock, stock)
    warm, scores = _nbgrader(course, room.folder / "warm", {})
    _line("the same nbgrader with our warm kernels", warm, stock, scores == expected)
    _otter(course, room.folder / "otter", stock, expected)
    graded = copy_course(course, room.folder / "ours")
    ours = _cost(_grade(graded, 2))
    same = scores_of(graded, PRACTICAL) == expected
    _line("ee559 grade, 2 workers, its start included", ours, stock, same)
    two = _once_started(room, PRACTICAL, 2)
    _line("ee559 grade, 2 workers, once started", two, stock)
    one = _once_started(room, PRACTICAL, 1, peak := Peak())
    _line("ee559 grade, 1 worker, once started", one, stock)
    ratio = stock.seconds / ours.seconds
    print(f"\ngoal: {ratio:.1f} times as fast as stock nbgrader (at least {RATIO:g}), scores {_agree(same)}")
    print(f"start and end: {SIZE * (ours.seconds - two.seconds):.1f} s, {SIZE * (ours.cpu - two.cpu):.1f} CPU s")
    print(f"submissions a minute, once started: {60 / one.seconds:.0f} with 1 worker, {60 / two.seconds:.0f} with 2")
    print(f"memory of a worker, PSS (RSS): {peak.told()}")
    print(f"the grader's own process: {1000 * two.grader:.0f} ms a submission (limit {1000 * GRADER:.0f} ms)")
    light = [_beyond(room, PRACTICAL, two), _beyond(room, ANOTHER, _once_started(room, ANOTHER, 2))]
    return [ratio >= RATIO, same, two.grader <= GRADER, *light, _resubmit(room)]


def _line(name: str, cost: Cost, stock: Cost, same: bool | None = None) -> None:
    told = "" if same is None else f"   scores {_agree(same)}"
    print(f"{name:44}{cost.seconds:6.2f}{cost.cpu:7.2f}{stock.seconds / cost.seconds:7.1f}×{told}", flush=True)


def _agree(same: bool) -> str:
    return "identical" if same else "DIFFER"


def _cost(done: Run, number: int = SIZE) -> Cost:
    return Cost(done.seconds / number, done.cpu / number)


def _nbgrader(
    course: CourseFolder, root: Path, env: dict[str, str], practical: str = PRACTICAL, number: int = SIZE
) -> tuple[Cost, dict[str, dict[str, float]]]:
    """Grade with `nbgrader autograde`; without variables of ours its kernels start warm."""
    copied = copy_course(course, root, as_nbgrader_comes=bool(env))
    done = _must_end(run([BIN / "nbgrader", "autograde", practical, "--create"], root, env), root)
    return _cost(done, number), scores_of(copied, practical)


def _otter(course: CourseFolder, folder: Path, stock: Cost, expected: dict[str, dict[str, float]]) -> None:
    name = otter_grader.RELEASE.replace("==", " ") + ", no container"
    try:
        done, scores = otter_grader.install(folder).grade(course, PRACTICAL)
    except NotInstalled as error:
        print(f"{name:44}not installed here: {error}", flush=True)
        return
    _line(name, _cost(done), stock, scores == expected)


def _grade(course: CourseFolder, workers: int, practical: str = PRACTICAL, peak: Peak | None = None) -> Run:
    command: list[str | Path] = [BIN / "ee559", "grade", practical, "--workers", str(workers), "--json"]
    done = run(command, course.root, keep=lambda line: '"event": "graded"' in line, watch=peak.look if peak else None)
    return _must_end(done, course.root, NEEDS_A_LOOK)


def _must_end(done: Run, root: Path, *fine: int) -> Run:
    if done.status not in (0, *fine):
        raise SystemExit((root / "standard-error.log").read_text(encoding="utf-8")[-2000:])
    return done


def _once_started(room: Room, practical: str, workers: int, peak: Peak | None = None) -> Cost:
    """Grade a class and half of it again; return what a submission takes while the workers are busy."""
    course = room.submission(f"{practical}-{workers}", practical, SIZE + MORE)
    done = _grade(course, workers, practical, peak)
    first, last = done.lines[FIRST], done.lines[FIRST + SIZE]
    seconds, cpu, own = last.seconds - first.seconds, last.cpu - first.cpu, last.own - first.own
    return Cost(seconds / SIZE, cpu / SIZE, own / SIZE)


def _beyond(room: Room, practical: str, two: Cost) -> bool:
    """Print what grading costs beyond the students' own code; return whether it is little enough."""
    own = _own_code(room.submission(f"{practical}-own", practical), practical)
    overhead = two.cpu - own
    print(f"overhead, {practical}: {overhead:.2f} CPU s a submission (limit {OVERHEAD:g}), ", end="")
    print(f"as two cores' wall time {2 * two.seconds - own:.2f} s; own code {own:.2f} CPU s", flush=True)
    return overhead <= OVERHEAD


def _own_code(course: CourseFolder, practical: str) -> float:
    """Mean seconds of processor time that submissions' own code takes in a plain process that is warm."""
    students = sorted(path.parent.name for path in course.root.glob(f"submitted/*/{practical}"))
    command: list[str | Path] = [sys.executable, "-m", "classroom.own_code", course.root, practical, *students]
    done = _must_end(run(command, course.root, {"PYTHONPATH": str(HERE)}), course.root)
    return float(statistics.mean(json.loads(done.lines[-1].text).values()))


def _resubmit(room: Room) -> bool:
    """Print what one resubmission takes with stock nbgrader and with ours; return whether ours is fast enough."""
    course = room.submission("once", PRACTICAL, 1, first=1)
    _grade(course, 1)
    stock_root = room.folder / "once-stock"
    copy_course(course, stock_root, as_nbgrader_comes=True)
    for root in (course.root, stock_root):
        hand_in(CourseFolder(root), PRACTICAL, 1, first=2)
    own = _own_code(course, PRACTICAL)
    command: list[str | Path] = [BIN / "nbgrader", "autograde", PRACTICAL, "--force"]
    stock = _must_end(run(command, stock_root, COLD), stock_root).seconds
    ours = _grade(course, 1).seconds
    ratio = (ours - own) / (stock - own / 2)
    print(f"one resubmission of {PRACTICAL}: stock {stock:.1f} s, ee559 grade {ours:.1f} s; ", end="")
    print(f"own code apart {ratio:.2f} of stock (limit {AGAIN:g})")
    return ratio <= AGAIN


def _train(room: Room) -> None:
    """Print the same for two right submissions of a practical in which networks are trained."""
    course = room.submission("training", TRAINING, TRAINED, first=1)
    stock, expected = _nbgrader(course, room.folder / "training-stock", COLD, TRAINING, TRAINED)
    graded = copy_course(course, room.folder / "training-ours")
    done = _grade(graded, 2, TRAINING)
    ours = max(json.loads(line.text)["seconds"] for line in done.lines) / TRAINED
    same = scores_of(graded, TRAINING) == expected
    own = _own_code(course, TRAINING)
    print(f"\n{TRAINING}, {TRAINED} right submissions side by side, {own:.1f} CPU s of their own each:")
    print(f"    stock {stock.seconds:.1f} s a submission, ee559 grade, once started, {ours:.1f} s ", end="")
    print(f"({stock.seconds / ours:.1f}×), scores {_agree(same)}")


if __name__ == "__main__":
    sys.exit(main())
