"""Bring a course folder up whose practicals are of the form before 2026-11, with tests in their notebooks."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.plan.versions import keep_version
from ee559_course.paths import PRACTICALS, ROOT, SOLUTIONS
from ee559_course.practicals.practical import TESTS, ReleaseError, practical_names, read_practical

BEFORE = "-before"  # after the name of a practical in its old form, and after that of the settings
BY_NAME = ("solutions", "practicals", "grading")  # folders that hold a folder for each practical
BY_STUDENT = ("submitted", "autograded", "feedback")  # folders that hold one for each student, and in that the same
SETTINGS = "nbgrader_config.py"


def practicals_of_before(course: CourseFolder) -> list[str]:
    """Return the names of the practicals whose tests stand in their notebooks."""
    folder = course.root / "solutions"
    return [
        name for name in practical_names(folder) if not name.endswith(BEFORE) and not (folder / name / TESTS).exists()
    ]


def upgrade(course: CourseFolder) -> list[str]:
    """Put the practicals as they are now beside the old ones, which keep all that was handed in, graded and written.

    What is called ``sizes`` becomes ``sizes-before``, in the gradebook and in every folder, and ``sizes`` begins anew.
    A command that was stopped goes on when it is called again.

    Returns:
        A sentence for each thing that was done.

    Raises:
        ReleaseError: a folder or an assignment of the new name is there already.
    """
    from ee559_course.grading.gradebook.database import back_up

    done = []
    if copy := back_up(course):
        done.append(f"The gradebook was copied to {copy.relative_to(course.root)}.")
    for name in practicals_of_before(course):
        if not (SOLUTIONS / name).is_dir():
            continue
        moves = list(_moves(course, name))
        if in_the_way := [new for _, new in moves if new.exists()]:
            raise ReleaseError(f"{in_the_way[0]} is there already: move it away, and call this again.")
        if _rename_in_gradebook(course, name):
            done.append(f"{name} is now called {name}{BEFORE}, with all its submissions and points.")
        for old, new in moves:
            os.rename(old, new)
        for here, there in ((SOLUTIONS, "solutions"), (PRACTICALS, "practicals")):
            shutil.copytree(here / name, course.root / there / name, ignore=shutil.ignore_patterns("__pycache__"))
        keep_version(course, name, read_practical(name, course.root / "solutions").version)
        done.append(f"{name} is the practical as it is now: hand out practicals/{name}.")
    settings = course.root / SETTINGS
    if settings.exists() and settings.read_bytes() != (ROOT / SETTINGS).read_bytes():
        os.replace(settings, settings.with_name(f"{SETTINGS}{BEFORE}"))
        shutil.copy2(ROOT / SETTINGS, settings)
        done.append(f"{SETTINGS} is the course's; what you had changed is in {SETTINGS}{BEFORE}.")
    return done


def _moves(course: CourseFolder, name: str) -> Iterator[tuple[Path, Path]]:
    """Yield each file and folder of a practical with the name that it gets, files before the folders that hold them."""
    folders = [course.root / each / name for each in BY_NAME]
    for each in BY_STUDENT:
        folders += sorted((course.root / each).glob(f"*/{name}"))
    folders = [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]
    folders.sort(key=lambda folder: folder.parent.name == "solutions")  # the last to move: what tells an old form
    for folder in folders:
        for path in sorted(folder.glob(f"{name}.*")):
            if folder.parent.name != "grading":
                yield path, path.with_name(path.name.replace(name, f"{name}{BEFORE}", 1))
        yield folder, folder.with_name(f"{name}{BEFORE}")


def _rename_in_gradebook(course: CourseFolder, name: str) -> bool:
    """Rename an assignment and its notebook; say whether there was one."""
    from nbgrader.api import MissingEntry

    with course.gradebook() as gradebook:
        try:
            assignment = gradebook.find_assignment(name)
        except MissingEntry:
            return False
        assignment.name = f"{name}{BEFORE}"
        for notebook in assignment.notebooks:
            notebook.name = f"{name}{BEFORE}"
        gradebook.db.commit()
    return True
