"""Take the life out of what students write and show, before a grader's browser renders it.

The formgrader may change marks, and shows a notebook's Markdown and HTML as they are: a script in an answer would act
in the grader's name. What was handed in stays in ``submitted`` as it came.
"""

import re
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

INERT = "details|summary|b|i|em|strong|sub|sup|br|kbd|code|p"  # without attributes; the hints have the first two
TAG = re.compile(rf"<(?!/?(?:{INERT})>)(?=[A-Za-z/!?])")
LINK = re.compile(
    r"(\]\(\s*<?\s*|^[\s>]*\[[^\]]*\]:\s*<?\s*)(?!https?://|mailto:|attachment:|#)[^\s)]*[:&\\][^\s)]*", re.MULTILINE
)
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
PICTURES = ("image/png", "image/jpeg")
NOT_SHOWN = "[not shown: an output that could act on the page]"


def make_harmless(notebook: NotebookNode) -> NotebookNode:
    """Turn tags in texts into text, and keep of the outputs plain text and pictures.

    Args:
        notebook: is changed.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            cell.source = TAG.sub("< ", LINK.sub(r"\1#", cell.source))
        for name, kinds in list(cell.get("attachments", {}).items()):
            cell.attachments[name] = _pictures(kinds)
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = _plain(output.data)
    return notebook


class MakeHarmless(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is not typed
    """The same as one of nbgrader's steps, for its own autograder."""

    def preprocess(self, notebook: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Change the notebook."""
        return make_harmless(notebook), resources


def _plain(data: dict[str, Any]) -> NotebookNode:
    kept = _pictures(data)
    if "text/plain" in data or not kept:
        kept["text/plain"] = str(data.get("text/plain", NOT_SHOWN))
    return kept


def _pictures(kinds: dict[str, Any]) -> NotebookNode:
    return NotebookNode(
        {mime: kinds[mime] for mime in PICTURES if isinstance(kinds.get(mime), str) and BASE64.fullmatch(kinds[mime])}
    )
