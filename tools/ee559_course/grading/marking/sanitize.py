"""Take the life out of what students write and show, before a grader's browser renders it.

The formgrader may change marks, and shows a notebook's Markdown and HTML as they are: a script in an answer would act
in the grader's name. What was handed in stays in ``submitted`` as it came.
"""

import re
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

INERT = "details|summary|b|i|em|strong|sub|sup|br|kbd|code|p"  # without attributes; the hints have the first two
TAG = re.compile(rf"<(?!/?(?:{INERT})>)(?=[A-Za-z/!?])")
LINK = re.compile(r"\]\(\s*<?\s*(?!https?://|mailto:|attachment:|#)[^\s):&\\]{0,200}[:&\\][^\s)]*")
REFERENCE = re.compile(r"\]:(?!\s{0,9}<?(?:https?://|mailto:|#))")
SPACES = re.compile(r"\s{50,}")  # patterns look at a run of them again and again
CHARACTER = re.compile(r"&(?=#|\w{1,40};)")
MATHS = re.compile(r"\\(?=(?:class|cssId|data|href|require|style|url)\b)")  # MathJax makes links and loads scripts
ATTACHMENT = re.compile(r"attachment:([^\s)]*)")
DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
PICTURES = ("image/png", "image/jpeg")
TEXTS = {"text", "ename", "evalue", "traceback"}
NOT_SHOWN = "[not shown: an output that could act on the page]"


def show_directions(text: str) -> str:
    """Write control characters of the direction of writing as such: ⟨U+202E⟩ turns round what a reader sees."""
    return DIRECTIONS.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def sanitize(notebook: NotebookNode) -> NotebookNode:
    """Turn tags in texts into text, show what turns the text round, and keep of the outputs plain text and pictures.

    Args:
        notebook: is changed.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            attached = {name: _pictures(kinds) for name, kinds in cell.get("attachments", {}).items()}
            attached = {name: pictures for name, pictures in attached.items() if pictures}
            if "attachments" in cell:
                cell.attachments = NotebookNode(attached)
            cell.source = _plain_markdown(cell.source, attached)
        cell.source = show_directions(cell.source)
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = _plain(output.data)
            for name in TEXTS & output.keys():
                output[name] = _shown(output[name])
    return notebook


def _plain_markdown(source: str, attached: Mapping[str, Any]) -> str:
    """Take tags, links that act, and pictures that are not there, out of a text."""
    source = LINK.sub("](#", SPACES.sub(lambda run: run[0][:50], source))
    source = REFERENCE.sub("] :", CHARACTER.sub("& ", source))
    source = ATTACHMENT.sub(lambda found: found[0] if found[1] in attached else "#", source)
    return MATHS.sub(r"\\ ", TAG.sub("< ", source))


def _shown(text: Any) -> Any:
    return [_shown(line) for line in text] if isinstance(text, list) else show_directions(str(text))


def _plain(data: dict[str, Any]) -> NotebookNode:
    kept = _pictures(data)
    if "text/plain" in data or not kept:
        kept["text/plain"] = show_directions(str(data.get("text/plain", NOT_SHOWN)))
    return kept


def _pictures(kinds: dict[str, Any]) -> NotebookNode:
    return NotebookNode(
        {mime: kinds[mime] for mime in PICTURES if isinstance(kinds.get(mime), str) and BASE64.fullmatch(kinds[mime])}
    )
