"""A course folder as nbgrader lays it out: what was submitted, what was graded, and the gradebook."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets.config import Config

from ee559_course.course_settings import nbgrader_config

if TYPE_CHECKING:  # it takes seconds to import
    from nbgrader.api import Gradebook


@dataclass(frozen=True)
class CourseFolder:
    """Where one course's submissions, grades and feedback lie.

    Attributes:
        root: the folder that nbgrader's commands are started in.
    """

    root: Path

    @cached_property
    def config(self) -> Config:
        """nbgrader's settings for this folder."""
        return nbgrader_config(self.root)

    @property
    def cell_seconds(self) -> float:
        """How long a cell may run, as for nbgrader's own autograder."""
        return float(self.config.ExecutePreprocessor.timeout)

    @property
    def db_url(self) -> str:
        """Address of the gradebook's database."""
        return f"sqlite:///{self.gradebook_file}"

    @property
    def gradebook_file(self) -> Path:
        """The gradebook's file."""
        return self.root / "gradebook.db"

    def gradebook(self) -> "Gradebook":
        """Open the gradebook; to be used in a with statement."""
        from nbgrader.api import Gradebook

        return Gradebook(self.db_url, self.config.CourseDirectory.course_id)

    def submitted(self, student: str, practical: str) -> Path:
        """Folder of what a student handed in."""
        return self.root / "submitted" / student / practical

    def autograded(self, student: str, practical: str) -> Path:
        """Folder of the graded notebook that the formgrader shows."""
        return self.root / "autograded" / student / practical

    def feedback(self, student: str, practical: str) -> Path:
        """Folder of the page that goes back to the student."""
        return self.root / "feedback" / student / practical

    def grading(self, practical: str) -> Path:
        """Folder of the records, logs and reports of a practical's grading."""
        return self.root / "grading" / practical
