"""nbgrader's settings for this course: its own commands work as they are, for example `nbgrader autograde sizes`."""

import os
import sys
from pathlib import Path

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.converters.autograde import Autograde
from nbgrader.converters.generate_assignment import GenerateAssignment
from nbgrader.preprocessors import Execute, GetGrades

# nbgrader starts alembic by its bare name, and the environment need not be activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
STEPS = "ee559_course.nbgrader_steps"
AUTOGRADE = Autograde.autograde_preprocessors.default_args[0]

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = "ee559"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "practicals"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.pyc", "answers.toml", "hidden_tests.py"]
# A practical's tests lie beside its notebook, in plain Python.
HIDDEN_TESTS = "ee559_course.practicals.release.AddHiddenTests"
c.GenerateAssignment.preprocessors = [HIDDEN_TESTS, *GenerateAssignment.preprocessors.default_args[0]]
c.ClearSolutions.code_stub = {"python": "# your code here"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
c.ExecutePreprocessor.timeout = 120
c.ExecutePreprocessor.startup_timeout = 120
c.ExecutePreprocessor.iopub_timeout = 60  # after 4 s, its default, it goes on without what a busy kernel has to show
c.ExecutePreprocessor.shutdown_kernel = "immediate"  # a kernel has nothing to save, and to ask it takes a second
# What students write and show is rendered in the grader's browser, which may change marks: nothing of it is to act.
c.Autograde.autograde_preprocessors = [
    *(f"{STEPS}.ExecuteOnOneThread" if step is Execute else step for step in AUTOGRADE),
    f"{STEPS}.Sanitize",
]
c.GenerateFeedback.preprocessors = [f"{STEPS}.HideTests", GetGrades, CSSHTMLHeaderPreprocessor]
# A student's file in a downloaded archive is called student_practical.ipynb: ada_sizes.ipynb, or "ada_sizes (1).ipynb".
# An id begins with a letter or digit, so that none is a folder's "..".
c.FileNameCollectorPlugin.named_regexp = (
    r"(?:.*[/\\])?(?P<student_id>[^\W_][^/\\]*)_(?P<file_id>[a-z]+)(?: ?\(\d+\))?\.ipynb$"
)
c.ZipCollectApp.extractor_plugin = "ee559_course.grading.submissions.collect.CheckedExtractor"
