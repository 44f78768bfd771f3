"""The versions of a practical that were handed out: each is kept, and what was made from it is graded by it.

``grading/PRACTICAL/versions/VERSION`` has the sources of a version, and ``VERSION.json`` its plan once it is made.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import Quarantine
from ee559_course.grading.plan.grading_plan import GradingPlan, digest_of, keep, read_plan
from ee559_course.practicals.practical import ReleaseError

MARK = re.compile(rb'"ee559"\s*:\s*\{[^{}]{0,200}"version"\s*:\s*"([0-9a-f]{4,64})"')
"""A released notebook's metadata. In the text of a cell, JSON has a backslash before each of these quotes."""


def keep_version(course: CourseFolder, practical: str, version: str) -> Path:
    """Copy a practical's sources as they are now, if that has not been done; return where they are.

    Args:
        course: where ``solutions`` has the practical.
        practical: its name.
        version: of it.
    """
    kept = _folder(course, practical) / version
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".", dir=kept.parent))
        source = course.root / "solutions" / practical
        shutil.copytree(source, unfinished, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        os.replace(unfinished, kept)
    return kept


class Versions:
    """The plans of a practical.

    Args:
        course: that it belongs to.
        newest: of the practical as it is now, which is kept for later.
        others: whether what was made from another version is graded by that.
    """

    def __init__(self, course: CourseFolder, newest: GradingPlan, others: bool = True) -> None:
        keep_version(course, newest.practical, newest.version)
        keep(newest, _path(course, newest.practical, newest.version))
        self._course, self._newest = course, newest
        self._known = {newest.version: newest}
        self._others = others

    def of(self, content: bytes) -> tuple[GradingPlan, str]:
        """Return the plan of the version that a notebook says it was made from, and what is to be noted.

        Args:
            content: of the notebook's file, which is searched and not read.

        Raises:
            Quarantine: the tests of that version give other points than the gradebook has.
        """
        found = MARK.search(content) if self._others else None
        version = found[1].decode() if found else self._newest.version
        if version == self._newest.version:
            return self._newest, ""
        if not (_folder(self._course, self._newest.practical) / version).is_dir():
            return self._newest, f"it was made from version {version}, which is not kept: graded by the one of now."
        if version not in self._known:
            self._known[version] = _read(self._course, self._newest.practical, version)
        plan = self._known[version]
        if _points(plan) != _points(self._newest):
            raise Quarantine(
                f"it was made from version {version}, whose tests and points are not those that the gradebook has.",
                "Grade with --newest, or in another course folder with the solutions of that version, which lie in "
                f"grading/{plan.practical}/versions/{version}.",
            )
        return plan, f"graded by version {version}, from which it was made."


def _read(course: CourseFolder, practical: str, version: str) -> GradingPlan:
    """Read a plan that is kept, or make it anew in a course folder of its own: the gradebook has another one."""
    sources = _folder(course, practical) / version
    try:
        kept = GradingPlan.from_json(_path(course, practical, version).read_text(encoding="utf-8"))
        if kept.digest == digest_of(course, sources):
            return kept
    except (OSError, ValueError, TypeError, KeyError):
        pass
    with tempfile.TemporaryDirectory() as folder:
        apart = CourseFolder(Path(folder))
        shutil.copytree(sources, apart.root / "solutions" / practical)
        if (settings := course.root / "nbgrader_config.py").exists():
            shutil.copy2(settings, apart.root)
        try:
            made = read_plan(apart, practical)
        except ReleaseError as error:
            raise Quarantine(f"version {version} cannot be read: {error}", f"Look at {sources}.") from None
    keep(made, _path(course, practical, version))
    return made


def _folder(course: CourseFolder, practical: str) -> Path:
    return course.grading(practical) / "versions"


def _path(course: CourseFolder, practical: str, version: str) -> Path:
    return _folder(course, practical) / f"{version}.json"


def _points(plan: GradingPlan) -> dict[str, float | None]:
    return {name: cell.points for name, cell in plan.cells.items() if cell.points is not None}
