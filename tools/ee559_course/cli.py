"""The terminal commands of authors and instructors: ``ee559 --help``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ee559_course.browser import photograph_lab
from ee559_course.commit_message import message_problems
from ee559_course.dist import dist_files, write_dist
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading_cli import app as grading
from ee559_course.lectures.lint import lint_lectures
from ee559_course.paths import BUILT_SITE, LECTURES, ROOT
from ee559_course.practicals.bundle import make_bundle
from ee559_course.site.build import SiteError, build_site
from ee559_course.site.generated_pages import SiteOptions

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Author, build, and grade the course.")
app.add_typer(grading)
console = Console()
PracticalName = Annotated[str, typer.Argument(help="Such as sizes.")]


@app.command()
def site(
    output: Annotated[Path, typer.Option(help="Where the HTML goes.")] = BUILT_SITE,
    solutions: Annotated[
        list[str] | None, typer.Option(help="A practical whose solution is shown; repeatable.")
    ] = None,
    repository: Annotated[str | None, typer.Option(help="OWNER/NAME on GitHub, for links to Colab and Binder.")] = None,
) -> None:
    """Run all lectures and build the static site."""
    try:
        build_site(output, SiteOptions(tuple(solutions or ()), repository))
    except (SiteError, ValueError) as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from error


@app.command()
def pdf(
    site: Annotated[Path, typer.Option(help="The built site.")] = BUILT_SITE,
    output: Annotated[Path, typer.Option(help="The PDF to write.")] = ROOT / "build" / "ee559-course.pdf",
) -> None:
    """Print home, lectures, practicals and glossary of the built site into one PDF."""
    from ee559_course.site.pdf import make_pdf

    try:
        console.print(f"[green]✓[/] {make_pdf(site, output)}")
    except (FileNotFoundError, RuntimeError) as error:
        console.print(f"[red]✗[/] {error}", highlight=False)
        raise typer.Exit(1) from None


@app.command()
def dist(
    output: Annotated[Path, typer.Option(help="The folder to write.")] = ROOT / "build" / "dist",
    site: Annotated[Path, typer.Option(help="Where the site is built, if it has changed.")] = BUILT_SITE,
) -> None:
    """Build a release: the students' bundle, the site, the PDF, the wheel, and their checksums."""
    try:
        build_site(site)
        console.print(f"[green]✓[/] {write_dist(output, dist_files(site))}")
    except (SiteError, RuntimeError) as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from None


@app.command()
def lint() -> None:
    """Check the lectures against the course's conventions and its ledger."""
    problems = lint_lectures(LECTURES)
    for problem in problems:
        console.print(f"[red]✗[/] {problem}", highlight=False)
    if problems:
        raise typer.Exit(1)
    console.print("[green]✓[/] every lecture keeps the conventions")


@app.command()
def commit_message(
    path: Annotated[Path, typer.Argument(help="The file with the message, as git's hook gets it.")],
) -> None:
    """Check a commit's message: a short imperative subject on one topic, and a body that says why."""
    problems = message_problems(path.read_text(encoding="utf-8"))
    for problem in problems:
        console.print(f"[red]✗[/] {problem}", highlight=False)
    if problems:
        raise typer.Exit(1)


@app.command()
def release(
    practicals: Annotated[list[str] | None, typer.Argument(help="Such as sizes; all of them if none is named.")] = None,
) -> None:
    """Make the students' practicals from the solutions, and record what their checks compare with."""
    from ee559_course.grading.plan.versions import keep_version
    from ee559_course.practicals.practical import read_practical
    from ee559_course.practicals.release import make_release  # nbgrader takes a second to import

    with _release_errors():
        for path in make_release(practicals or ()):
            keep_version(CourseFolder(ROOT), path.stem, read_practical(path.stem).version)
            console.print(f"[green]✓[/] {path}")


@app.command()
def student_bundle(
    output: Annotated[Path, typer.Option(help="The zip to write.")] = ROOT / "build" / "ee559-students.zip",
) -> None:
    """Pack lectures, practicals, package and environment for students into one zip, without solutions."""
    console.print(f"[green]✓[/] {make_bundle(output)}")


@app.command()
def rubric(practical: PracticalName) -> None:
    """Print the points of each part and test of a practical, and what to grade the words by."""
    from ee559_course.practicals.practical import read_practical
    from ee559_course.practicals.rubric import points_and_rubrics

    with _release_errors():
        print(points_and_rubrics(read_practical(practical)))


@app.command()
def catches(practical: PracticalName) -> None:
    """Print which hidden test of a practical catches which wrong answer of its bank."""
    from ee559_course.practicals.answer_bank import coverage_table, load_answers
    from ee559_course.practicals.practical import read_practical

    with _release_errors():
        found = read_practical(practical)
        print(coverage_table(found, load_answers(found)))


@app.command()
def bank(
    practicals: Annotated[list[str] | None, typer.Argument(help="Such as sizes; all of them if none is named.")] = None,
    repeats: Annotated[int, typer.Option(help="How many times cases are drawn for each answer.")] = 1,
    answer: Annotated[list[str] | None, typer.Option(help="Try only the answer of this name; repeatable.")] = None,
    stock: Annotated[bool, typer.Option(help="Grade them in stock nbgrader as well.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write the result to this JSON file, beside what it says of others.")
    ] = None,
) -> None:
    """Try the answers of the practicals' banks by check and mark, and say which are not handled as the bank says."""
    from ee559_course.practicals.answer_bank import load_answers
    from ee559_course.practicals.bank_run import run_bank, write_result
    from ee559_course.practicals.practical import practical_names, read_practical
    from ee559_course.practicals.stock import stock_problems

    all_as_said = True
    with _release_errors():
        for name in practicals or practical_names():
            results = list(run_bank(name, repeats, answer or ()))
            practical = read_practical(name)
            others = stock_problems(practical, load_answers(practical)) if stock else None
            for problem in [problem for _, problems in results for problem in problems] + (others or []):
                console.print(f"[red]✗[/] {escape(problem)}", highlight=False)
                all_as_said = False
            bad = sum(bool(problems) for _, problems in results)
            console.print(f"{name}: {len(results)} answers, {repeats} draws each, {bad} not as the bank says.")
            if record:
                write_result(record, name, results, repeats, others)
    if not all_as_said:
        raise typer.Exit(1)


@app.command()
def mutate(practical: PracticalName) -> None:
    """Change the solutions of a practical a little, in every way known, and say which changes lose no points."""
    from ee559_course.practicals.answer_bank import equivalent_changes
    from ee559_course.practicals.mutation import mutants_of, survivors
    from ee559_course.practicals.practical import read_practical

    with _release_errors():
        found = read_practical(practical)
        equivalent = equivalent_changes(found)
        mutants = mutants_of(found.notebook)
        alive = survivors(found, mutants)
    for mutant in alive:
        known = " (equivalent, says the bank)" if (mutant.cell, mutant.change) in equivalent else ""
        console.print(f"{mutant.cell}: {mutant.change}{known}", highlight=False, markup=False)
    console.print(f"{len(mutants)} changes, {len(alive)} lose no points.")


@contextmanager
def _release_errors() -> Iterator[None]:
    """Print a release error as one message, and exit with 1."""
    from ee559_course.practicals.practical import ReleaseError

    try:
        yield
    except ReleaseError as error:
        console.print(f"[red]✗[/] {error}", highlight=False)
        raise typer.Exit(1) from None


@app.command()
def train_net() -> None:
    """Train the lecture's Net on all of MNIST for the page "Draw a digit", and write its weights and their record."""
    from ee559_course.digit.train_net import write_trained_net

    console.print(f"[green]✓[/] {write_trained_net()}")


@app.command()
def screenshot(
    output: Annotated[Path, typer.Option(help="The PNG to write.")] = ROOT / "docs" / "lab.png",
) -> None:
    """Photograph a lecture in real JupyterLab, for README."""
    photograph_lab(LECTURES / "05-filters-on-mnist.ipynb", "The five answers", output)
    console.print(f"[green]✓[/] {output}")
