"""Say how far a grading is: a live table for people, lines of JSON for programs."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from ee559_course.grading.batch.grade import Event, Listener
from ee559_course.grading.gradebook.record import Record


@contextmanager
def json_lines() -> Iterator[Listener]:
    """Print each event as a line of JSON."""

    def listen(event: Event) -> None:
        told: dict[str, object] = {"event": event.kind}
        if event.kind == "begun":
            told["total"] = event.total
        else:
            told["student"] = event.student
        if event.record is not None:
            if event.record.graded:  # without a mark there are no points, and not 0
                told |= {"points": event.record.points, "max_points": event.record.max_points}
            told |= {key: value for key, value in asdict(event.record).items() if key not in ("student", "tests")}
        print(json.dumps(told), flush=True)

    yield listen


def json_end(records: list[Record]) -> None:
    """Print a last line of JSON: how many submissions there are, graded, in quarantine and to be looked at."""
    graded = sum(record.graded for record in records)
    flagged = sum(bool(record.pending) for record in records)
    counts = {"total": len(records), "graded": graded, "quarantined": len(records) - graded, "to_look_at": flagged}
    print(json.dumps({"event": "ended", **counts}), flush=True)


@contextmanager
def live_table(console: Console) -> Iterator[Listener]:
    """Show a table that is kept up to date while submissions are graded."""
    state = _State()
    with Live(console=console, get_renderable=state.table, refresh_per_second=4) as live:

        def listen(event: Event) -> None:
            state.take(event)
            if event.record is not None and (event.record.reason or event.record.pending):
                live.console.print(_line(event.record), highlight=False)

        yield listen


class _State:
    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.total = self.unchanged = self.graded = self.quarantined = self.flagged = 0
        self.running: set[str] = set()

    def take(self, event: Event) -> None:
        """Count an event."""
        self.total = event.total if event.kind == "begun" else self.total
        self.running |= {event.student} if event.kind == "running" else set()
        if event.record is not None:
            self.running.discard(event.student)
            self.flagged += bool(event.record.pending)
        self.unchanged += event.kind == "unchanged"
        self.graded += event.kind == "graded"
        self.quarantined += event.kind == "quarantined"

    def table(self) -> Table:
        """Make the table."""
        done = self.unchanged + self.graded + self.quarantined
        table = Table(box=None, pad_edge=False, header_style="bold")
        names = {
            "done": f"{done} of {self.total}",
            "running": str(len(self.running)),
            "quarantined": str(self.quarantined),
            "to look at": str(self.flagged),
            "time left": self._time_left(done),
        }
        table.add_column("")
        for name in names:
            table.add_column(name, justify="right")
        table.add_row(ProgressBar(total=max(self.total, 1), completed=done, width=24), *names.values())
        return table

    def _time_left(self, done: int) -> str:
        """Estimate from what has been graded so far."""
        worked = done - self.unchanged
        if not worked or done == self.total:
            return "" if done == self.total else "…"
        seconds = (time.monotonic() - self.begun) / worked * (self.total - done)
        return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"


def summary(console: Console, records: list[Record], show: Callable[[Record], bool]) -> None:
    """Print how many were graded, and each record that is to be shown, with its remedy.

    Args:
        console: to print to.
        records: of all submissions.
        show: whether a record needs a person.
    """
    graded = [record for record in records if record.graded]
    console.print(f"[green]✓[/] {len(graded)} of {len(records)} submissions are graded.", highlight=False)
    for record in filter(show, records):
        console.print(_line(record), highlight=False)
        if record.remedy:
            console.print(f"  {escape(record.remedy)}", highlight=False)


def _line(record: Record) -> str:
    """Say in a line why a person should look at a submission; what a student wrote cannot format it."""
    why = record.reason or f"look at it before its points count: {record.pending}"
    return f"[yellow]![/] {escape(_visible(record.student))}: {escape(_visible(why))}"


def _visible(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return "".join(c if c.isprintable() else "�" for c in text).encode(encoding, "replace").decode(encoding)
