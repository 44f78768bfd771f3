"""The course's own steps in nbgrader's commands; ``nbgrader_config.py`` names them."""

import os
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import Execute, NbGraderPreprocessor

from ee559_course.grading.marking.sanitize import sanitize
from ee559_course.grading.pages.hide_tests import hide_tests


class ExecuteOnOneThread(Execute):  # type: ignore[misc]  # nbgrader is not typed
    """Runs a notebook in a kernel with one thread: on a busy machine several wait for each other in loops."""

    def start_new_kernel(self, **options: Any) -> None:
        """Start the kernel."""
        super().start_new_kernel(**{"env": {"OMP_NUM_THREADS": "1", **os.environ}, **options})


class Sanitize(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes the life out of a graded notebook: the formgrader renders it in a browser that may change marks."""

    def preprocess(self, notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Change the notebook."""
        return sanitize(notebook), resources


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Takes hidden tests, and output lines that repeat one, out of the feedback, and keeps each test's message."""

    def preprocess(self, notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Change the notebook."""
        hide_tests(notebook)
        return notebook, resources
