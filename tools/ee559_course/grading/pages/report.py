"""The instructor's page about a practical: marks, what went wrong and how often, time, and what needs a look."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ee559_course.files import write_text
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.marks import ClassMarks, StudentMarks, read_marks
from ee559_course.grading.gradebook.record import Record, read_records
from ee559_course.grading.pages.plots import Plot, histogram, shares
from ee559_course.grading.pages.render import number, render
from ee559_course.grading.pages.similarity import similar_pairs
from ee559_course.grading.pages.student_cells import plain
from ee559_course.grading.plan.released import read_released
from ee559_course.practicals.practical import Practical

MAX_ROWS, MAX_WORDS = 20, 200
QUANTILES = (0, 25, 50, 75, 90, 100)


@dataclass(frozen=True)
class TestRow:
    """A test that lost points: how often, and its most common messages with their numbers."""

    part: str
    about: str
    lost: int
    tried: int
    messages: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class PartRow:
    """A part's points: what can be earned, the mean and the quartiles, and how many earned all or nothing."""

    name: str
    title: str
    max_points: float
    mean: float
    quartiles: Sequence[float]
    full: int
    nothing: int

    @property
    def share(self) -> float:
        """The mean, in % of what can be earned."""
        return 100 * self.mean / self.max_points if self.max_points else 0.0


def write_report(course: CourseFolder, practical: str) -> Path:
    """Write ``grading/<practical>/report.html``, one file that asks for nothing else.

    Args:
        course: the course folder.
        practical: such as ``sizes``.

    Returns:
        The page.

    Raises:
        ReleaseError: there is no such practical.
        ValueError: the gradebook does not know it.
    """
    source = read_released(course, practical).practical
    marks = read_marks(course, practical)
    records = list(read_records(course.grading(practical)))
    quarantined = [record for record in records if not record.graded]
    held = {record.student for record in quarantined}
    graded = [mark for mark in marks.students.values() if mark.submitted and mark.student not in held]
    missing = [mark for mark in marks.students.values() if not mark.submitted and mark.student not in held]
    runs = [record for record in records if record.graded]
    names = {mark.student: _name(mark) for mark in marks.students.values()}
    page = render(
        "report.html.j2",
        title=source.title,
        max_points=marks.max_points,
        graded=graded,
        quarantined=quarantined,
        pending=[record for record in runs if record.pending],
        added=[record for record in runs if record.added],
        ended=[record for record in runs if record.ended],
        repaired=[record for record in runs if record.notes],
        missing=missing,
        waiting=[mark for mark in graded if mark.waiting],
        late=[mark for mark in graded if mark.penalty],
        distribution=_distribution(graded, marks),
        parts=(parts := _part_rows(source, graded)),
        parts_plot=_parts_plot(parts) if graded else None,
        tests=_test_rows(source, runs),
        mistakes=_mistakes(runs)[:MAX_ROWS],
        messages=_common(test.message for record in runs for test in record.tests if test.message)[:MAX_ROWS],
        costs=_costs(runs),
        quantiles=QUANTILES,
        slowest=sorted(runs, key=lambda record: -record.seconds)[:10],
        pairs=similar_pairs(course, practical),
        name=lambda student: names.get(student, _words(student)),
        words=_words,
        most=MAX_ROWS,
    )
    return write_text(course.grading(practical) / "report.html", page)


def _name(mark: StudentMarks) -> str:
    return _words(mark.student if mark.name == mark.student else f"{mark.name} ({mark.student})")


def _words(text: object) -> str:
    """Cut what students can write to a line."""
    line = " ".join(plain(text).split())
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]}…"


def _distribution(graded: Sequence[StudentMarks], marks: ClassMarks) -> tuple[Plot, list[tuple[str, int]], str] | None:
    """Draw the totals in at most ten bins, and give the same numbers in rows and in a sentence."""
    if not graded:
        return None
    totals = np.array([mark.total for mark in graded])
    top = max(marks.max_points, float(totals.max()), 1.0)  # extra credit may go beyond
    step = max(1.0, float(np.ceil(top / 10)))
    edges = [float(edge) for edge in np.arange(0, top + step, step)]
    counts = [int(count) for count in np.histogram(totals, edges)[0]]
    low, first, median, third, high = (number(value) for value in np.percentile(totals, (0, 25, 50, 75, 100)))
    said = f"Of {number(marks.max_points)} points, the {len(graded)} graded students have {low} to {high}; "
    said += f"half of them have {first} to {third}, and the median is {median}."
    rows = [
        (f"{number(start)} to {'' if last else 'less than '}{number(min(end, top) if last else end)}", count)
        for start, end, count, last in zip(edges, edges[1:], counts, [*[False] * (len(counts) - 1), True], strict=False)
    ]
    return histogram(edges, counts, f"Histogram. {said}"), rows, said


def _part_rows(practical: Practical, graded: Sequence[StudentMarks]) -> list[PartRow]:
    rows = []
    for part in practical.parts:
        cells = part.graded
        seen = [[mark.cells[cell] for cell in cells if cell in mark.cells] for mark in graded]
        done = [each for each in seen if each and not any(mark.waiting for mark in each)]
        top = max((sum(mark.max_points for mark in each) for each in seen), default=0.0)
        if not cells or not done:
            rows += [PartRow(part.name, part.title, top, 0.0, (), 0, 0)] if cells and top else []
            continue
        points = np.array([sum(mark.points for mark in each) for each in done])
        quartiles = [float(value) for value in np.percentile(points, (25, 50, 75))]
        full, nothing = int((points >= top).sum()), int((points <= 0).sum())
        rows.append(PartRow(part.name, part.title, top, float(points.mean()), quartiles, full, nothing))
    return rows


def _parts_plot(rows: Sequence[PartRow]) -> Plot | None:
    drawn = [row for row in rows if row.quartiles]
    if not drawn:
        return None
    said = ", ".join(f"{row.name} {row.share:.0f} %" for row in drawn)
    hardest = min(drawn, key=lambda row: row.share)
    alt = f"Bars: the mean share of the points in each part. {said}. {hardest.name} is the hardest."
    return shares([f"{row.name} · {row.title}" for row in drawn], [row.share for row in drawn], alt)


def _test_rows(practical: Practical, runs: Sequence[Record]) -> list[TestRow]:
    """List the tests that lost points, those that most students lost first."""
    titles = {test.id(): test.title() for test in practical.tests}
    tried: Counter[str] = Counter()
    messages: dict[str, list[str]] = {}
    for record in runs:
        for test in record.tests:
            tried[test.cell] += 1
            if test.points < test.max_points:
                messages.setdefault(test.cell, []).append(test.message)
    rows = []
    for cell, said in sorted(messages.items(), key=lambda item: -len(item[1])):
        part, about = practical.part_of(cell), titles.get(cell, cell)
        common = _common(message for message in said if message)[:3]
        rows.append(TestRow(part.name if part else "", about, len(said), tried[cell], common))
    return rows


def _common(messages: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(map(_words, messages)).most_common()


def _mistakes(runs: Iterable[Record]) -> list[tuple[str, str, int]]:
    """Count the students who make each mistake that a test knows."""
    made: Counter[tuple[str, str]] = Counter()
    for record in runs:
        made.update({(f"{test.part}: {test.about}", test.mistake) for test in record.tests if test.mistake})
    return [(where, mistake, count) for (where, mistake), count in made.most_common()]


def _costs(runs: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """Give the quantiles of time and memory."""
    if not runs:
        return []
    rows = {
        "Seconds": [record.seconds for record in runs],
        "Seconds of processor time": [record.cpu_seconds for record in runs],
        "Memory, in MB": [record.peak_memory / 1e6 for record in runs],
    }
    return [(name, [f"{value:.1f}" for value in np.percentile(values, QUANTILES)]) for name, values in rows.items()]
