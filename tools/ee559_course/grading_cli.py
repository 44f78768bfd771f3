"""The instructor's commands for what is handed in: ``grade``, ``feedback``, ``report``, ``export``, and others."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from ee559_course.grading.course_folder import CourseFolder

NEEDS_A_LOOK = 3
app = typer.Typer()
console = Console()
PracticalName = Annotated[str, typer.Argument(help="Such as sizes.")]
CourseRoot = Annotated[Path, typer.Option("--course", help="The course folder; the one you are in by default.")]


@app.command()
def grade(
    practical: PracticalName,
    students: Annotated[list[str] | None, typer.Argument(help="Only these students; all if none is named.")] = None,
    course: CourseRoot = Path(),
    workers: Annotated[int | None, typer.Option(min=1, help="Submissions at the same time; one a core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, tls://…, whose workers run the code.")
    ] = None,
    unconfined: Annotated[bool, typer.Option(help="Run students' code even where nothing confines it.")] = False,
    again: Annotated[bool, typer.Option(help="Grade also what is graded and has not changed.")] = False,
    newest: Annotated[bool, typer.Option(help="Grade earlier versions by the practical as it is now.")] = False,
    json: Annotated[bool, typer.Option(help="A line of JSON for each event, in place of the table.")] = False,
) -> None:
    """Grade what was handed in: confined, side by side, and from where the last run stopped.

    Exit status 0: all is graded. 3: something needs a look, and is named. 1: it could not be done.
    """
    from ee559_course.grading.batch.grade import Options
    from ee559_course.grading.batch.grade import grade as grade_all
    from ee559_course.grading.batch.progress import json_end, json_lines, live_table, summary
    from ee559_course.grading.batch.workers import WorkerOptions

    pool = WorkerOptions(workers, scheduler, unconfined)
    then = "with --again, the same command begins anew" if again else "the same command goes on from here"
    stopped = f"Stopped. What is graded stays; {then}."
    with _errors(stopped), json_lines() if json else live_table(console) as listen:
        records = grade_all(_folder(course), practical, Options(again, students or (), newest, pool), listen)
    looked_at = [record for record in records if record.reason or record.pending]
    if json:
        json_end(records)
    else:
        summary(console, records, looked_at.__contains__)
    raise typer.Exit(NEEDS_A_LOOK if looked_at else 0)


@app.command()
def feedback(
    practical: PracticalName,
    students: Annotated[list[str] | None, typer.Argument(help="Only these students; all if none is named.")] = None,
    course: CourseRoot = Path(),
) -> None:
    """Write a page for each student: points, the first thing wrong, the lecture that explains it, their own cells."""
    from ee559_course.grading.pages.feedback import write_feedback

    with _errors():
        pages = write_feedback(_folder(course), practical, students)
    console.print(f"[green]✓[/] {len(pages)} pages in {_folder(course).root / 'feedback'}", highlight=False)


@app.command()
def report(practical: PracticalName, course: CourseRoot = Path()) -> None:
    """Write the report on the class: marks, common mistakes, time, quarantine, similar submissions."""
    from ee559_course.grading.pages.report import write_report

    with _errors():
        console.print(f"[green]✓[/] {write_report(_folder(course), practical)}", highlight=False)


class Platform(StrEnum):
    """A learning platform whose import format is known."""

    CANVAS = "canvas"
    MOODLE = "moodle"


@app.command()
def export(
    practical: PracticalName,
    platform: Annotated[Platform, typer.Argument(help="Whose import format.")],
    to: Annotated[Path | None, typer.Option(help="The CSV to write; PRACTICAL-PLATFORM.csv by default.")] = None,
    course: CourseRoot = Path(),
    canvas_file: Annotated[Path | None, typer.Option(help="Canvas' exported gradebook, to fill in.")] = None,
    match: Annotated[str, typer.Option(help="Canvas' column that has the students' ids.")] = "",
    column: Annotated[str, typer.Option(help="Canvas' column of the practical, number included.")] = "",
    identifier: Annotated[str, typer.Option(help="Moodle: username, idnumber or email.")] = "",
) -> None:
    """Write the grades as a file that Canvas or Moodle imports; who has no grade is named, and never a 0."""
    from ee559_course.grading.lms.exports import export_grades

    with _errors():
        made = export_grades(
            _folder(course),
            practical,
            platform,
            platform_file=canvas_file,
            match=match,
            column=column,
            identifier=identifier,
        )
    path = made.write(to or _folder(course).root / f"{practical}-{platform}.csv")
    console.print(f"[green]✓[/] {len(made.exported)} grades in {path}", highlight=False)
    said = [f"{student}: {why}" for student, why in made.without_grade.items()]
    said += [f"{student}: exported, and to be looked at" for student in made.to_look_at]
    for line in [*said, *made.warnings]:
        as_text = os.fsencode(line).decode(errors="replace")  # an id may have bytes that are not UTF-8
        console.print(f"[yellow]![/] {escape(as_text)}", highlight=False)


@app.command()
def upgrade(course: CourseRoot = Path()) -> None:
    """Bring up a course folder whose practicals have their tests in the notebooks; nothing in it is lost."""
    from ee559_course.grading.gradebook.upgrade import upgrade as bring_up

    with _errors():
        for done in bring_up(_folder(course)) or ["There is nothing to bring up."]:
            console.print(f"[green]✓[/] {escape(done)}", highlight=False)


@app.command()
def cluster_keys(path: Annotated[Path, typer.Argument(help="The file to make, such as keys.yaml.")]) -> None:
    """Make the keys with which the workers of several machines know each other; whoever has the file can run code."""
    from ee559_course.grading.batch.cluster import write_keys

    with _errors():
        write_keys(path)
    console.print(f"[green]✓[/] {path}: start scheduler, workers and grader with DASK_CONFIG={path}", highlight=False)


@app.command()
def doctor() -> None:
    """Say what this environment has, and what here confines students' code."""
    from ee559.doctor import main as diagnose
    from ee559_sandbox import find_shut_folder, probe

    status = diagnose()
    confinement = probe()
    lines = confinement.lines()
    if os.name == "posix" and (shut := find_shut_folder(Path(sys.base_prefix))):
        lines.append(
            f"– Python is in {sys.base_prefix}, and other users may not enter {shut}: a grader who is neither its "
            "owner nor root gets `Permission denied` or `cannot open shared object file` (exit status 126 or 127). "
            "Remedy: use a Python that everyone may read, such as the system's"
        )
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(status or (0 if confinement.confined else 1))


def _folder(course: Path) -> "CourseFolder":
    from ee559_course.grading.course_folder import CourseFolder  # nbgrader takes a second to import

    return CourseFolder(course.resolve())


@contextmanager
def _errors(stopped: str = "Stopped.") -> Iterator[None]:
    """Print what the instructor can mend as one message, and exit with 1; with 130, and the words for it, on Ctrl+C."""
    from ee559_course.grading.errors import GradingError, reporting_file_errors
    from ee559_course.practicals.practical import ReleaseError

    try:
        with reporting_file_errors():
            yield
    except (GradingError, ReleaseError, ValueError) as error:
        console.print(f"[red]✗[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print(stopped, highlight=False)
        raise typer.Exit(130) from None
