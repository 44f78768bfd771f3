"""A student's cells as HTML in which nothing can run, and without what a student must not read."""

import base64
import binascii
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nbformat
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from nbformat import NotebookNode
from PIL import Image

from ee559_course.grading.marking.sanitize import show_directions
from ee559_course.grading.pages.hide_tests import hide_tests
from ee559_course.grading.pages.highlight import coloured_lines

LONGEST, MAX_OUTPUTS, MAX_PICTURE, MAX_PIXELS, MAX_PICTURES = 20_000, 200, 2_000_000, 20_000_000, 40
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u2060\ufeff\ufffe\uffff]")
PATHS = re.compile(
    r"(?<![\w:/.~…])(?:(?:~|file://)?(?:/{1,2}[\w.@+-][^\s/\\:'\"<>|*?,;()\[\]]*){2,}/?"
    r"|[A-Za-z]:(?:[/\\]{1,2}[\w.@+-][^\s/\\:'\"<>|*?,;()\[\]]*)+[/\\]?)"
)
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG"}


@dataclass(frozen=True)
class Picture:
    """A picture as an address that holds its bytes."""

    address: str


@dataclass(frozen=True)
class ShownCell:
    """A cell as the page shows it.

    Attributes:
        anchor: that links on the page lead to.
        words: of a text, as HTML.
        code: lines of HTML.
        outputs: text, pictures, and errors, in order.
        here: the line of the code, from 1, in which an error arose that a test met; 0 if in none.
    """

    anchor: str
    words: Markup
    code: Sequence[Markup]
    outputs: Sequence[str | Picture]
    here: int = 0


def plain(text: object) -> str:
    """Turn what came from a student into text as a terminal shows it: no control character, no half of a character.

    What would turn the direction of the text round is written as such.
    """
    kept = str(text)[: 4 * LONGEST].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    lines = ESCAPES.sub("", kept).replace("\r\n", "\n").split("\n")
    return show_directions(CONTROLS.sub("", "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)))


def without_places(text: str, longest: int = LONGEST) -> str:
    """Take the folders out of every path, and cut what is too long; for text that secrets are taken out of already."""
    text = PATHS.sub(lambda found: "…/" + re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)
    return text if len(text) <= longest else f"{text[:longest]}\n… (the rest is left out)"


def redact(notebook: NotebookNode, secrets: Collection[str], texts: Sequence[str]) -> list[str]:
    """Hide in place what repeats a secret line in the outputs of a notebook; return texts with the same lines hidden.

    Args:
        notebook: as it was graded.
        secrets: lines of the practical's source that no student may read.
        texts: anything else that goes onto the page.
    """
    own = {line.strip() for cell in notebook.cells if not _is_test(cell) for line in cell.source.splitlines()}
    for cell in notebook.cells:
        cell.outputs = _clean_outputs(cell.get("outputs", []))[:MAX_OUTPUTS] if cell.cell_type == "code" else []
    region = "\n".join(["### BEGIN HIDDEN TESTS", *sorted(set(secrets) - own), "### END HIDDEN TESTS"])
    outputs = [nbformat.v4.new_output("stream", text=plain(text)) for text in texts]
    notebook.cells.append(nbformat.v4.new_code_cell(region, outputs=outputs))
    hide_tests(notebook)
    return [without_places(output.text) for output in notebook.cells.pop().outputs]


def show_cell(cell: NotebookNode, anchor: str, here: int = 0, colour: bool = True) -> ShownCell:
    """Show a cell of a notebook that `redact` has been over.

    Args:
        cell: of any kind.
        anchor: that links on the page lead to.
        here: the line in which an error arose, if one did.
        colour: whether code is shown in colour.
    """
    source = _source(cell)
    if cell.cell_type == "markdown":
        return ShownCell(anchor, words(source, cell.get("attachments", {})), [], [])
    outputs = [_output(output) for output in cell.outputs] if cell.cell_type == "code" else []
    lines = coloured_lines(source) if colour else [escape(line) for line in source.split("\n")]
    return ShownCell(anchor, Markup(), lines if source.strip() else [], outputs, here)


def words(source: str, attachments: Mapping[str, Any]) -> Markup:
    """Render Markdown: HTML and addresses stay text, and only pictures that are in the cell are shown."""
    markdown = MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False, "maxNesting": 30})
    markdown.disable(["link", "autolink", "reference"])
    markdown.add_render_rule("heading_open", lambda *_: "<p><strong>")
    markdown.add_render_rule("heading_close", lambda *_: "</strong></p>\n")
    for tag in ("td", "th"):
        markdown.add_render_rule(f"{tag}_open", lambda *_, tag=tag: f"<{tag}>")
    markdown.add_render_rule("fence", lambda _, tokens, index, *__: f"<pre>{escape(tokens[index].content)}</pre>\n")
    markdown.add_render_rule("image", lambda _, tokens, index, *__: _attachment(tokens[index], attachments))
    try:
        return Markup(markdown.render(source))
    except Exception:  # whatever a hostile text does to the parser, it is still text
        return Markup("<pre>{}</pre>").format(source)


def _source(cell: NotebookNode) -> str:
    """Keep paths in what the student wrote."""
    text = plain(cell.source)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n… (the rest is left out)"


def _is_test(cell: NotebookNode) -> bool:
    marks = cell.metadata.get("nbgrader", {})
    return bool(marks.get("grade") and not marks.get("solution"))


def _clean_outputs(outputs: Sequence[Any]) -> list[NotebookNode]:
    """Turn outputs into text and pictures; streams that follow each other become one, so that no line is cut in two."""
    cleaned: list[NotebookNode] = []
    pictures = 0
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream":
            if cleaned and cleaned[-1].output_type == "stream":
                cleaned[-1].text += str(output.get("text", ""))
            else:
                cleaned.append(nbformat.v4.new_output("stream", text=str(output.get("text", ""))))
        elif kind == "error":
            lines = [str(line) for line in output.get("traceback", [])]
            lines = lines or [f"{output.get('ename')}: {output.get('evalue')}"]
            cleaned.append(nbformat.v4.new_output("stream", text="\n".join(lines)))
        elif kind in ("display_data", "execute_result", "update_display_data"):
            data = output.get("data", {})
            picture = next((mime for mime in PICTURES if mime in data), None) if pictures < MAX_PICTURES else None
            if picture and (address := _picture(picture, data[picture])):
                pictures += 1
                cleaned.append(nbformat.v4.new_output("display_data", data={"picture": address}))
            elif "text/plain" in data:
                cleaned.append(nbformat.v4.new_output("stream", text=str(data["text/plain"])))
            else:
                cleaned.append(nbformat.v4.new_output("stream", text=f"({', '.join(data)}: not shown on this page)"))
    for output in cleaned:
        if "text" in output:
            output.text = plain(output.text)
    return cleaned


def _output(output: NotebookNode) -> str | Picture:
    return without_places(output.text) if "text" in output else Picture(output.data["picture"])


def _picture(mime: str, data: object) -> str | None:
    """Return the address of a picture that is what it says it is, and that a browser can hold."""
    try:
        content = base64.b64decode("".join(str(data).split()), validate=True)
        if len(content) > MAX_PICTURE:
            return None
        with Image.open(io.BytesIO(content), formats=[PICTURES[mime]]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
    except (binascii.Error, ValueError, OSError, SyntaxError, Image.DecompressionBombError):
        return None
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _attachment(token: Token, attachments: Mapping[str, Any]) -> str:
    source = str(token.attrs.get("src", ""))
    described = str(escape(token.content or "a picture of this cell"))
    found = attachments.get(source.removeprefix("attachment:"), {}) if source.startswith("attachment:") else {}
    for mime in PICTURES:
        if mime in found and (address := _picture(mime, found[mime])):
            return f'<img src="{address}" alt="{described}">'
    return f"[picture: {described}]"
