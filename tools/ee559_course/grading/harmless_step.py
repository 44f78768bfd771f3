"""`make_harmless` as one of nbgrader's steps."""

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from ee559_course.grading.harmless import make_harmless


class MakeHarmless(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is not typed
    """The same as one of nbgrader's steps, for its own autograder."""

    def preprocess(self, notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Change the notebook."""
        return make_harmless(notebook), resources
