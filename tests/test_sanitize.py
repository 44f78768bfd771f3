"""What a student writes and attaches acts on no page, breaks none, and takes no time that counts."""

import time

import nbformat
import pytest
from ee559_course.grading.marking.sanitize import sanitize, show_directions
from ee559_course.grading.pages.student_cells import plain
from nbconvert import HTMLExporter
from nbformat import NotebookNode

PICTURE = "iVBORw0KGgo="
LINKS = {
    "a link": "[click](javascript:go)",
    "a link after spaces": "[click](" + " " * 60 + "javascript:go)",
    "a character by its number": "[click](java&#115;cript:go)",
    "a reference": "[click][x]\n\n[x]: javascript:go",
    "a reference in a list": "- [x]: javascript:go\n\n[click][x]",
    "a reference in a numbered list": "1. [x]: javascript:go\n\n[click][x]",
    "a reference with a bracket": "[a\\]b]: javascript:go\n\n[click][a\\]b]",
    "a reference by its own name": "> [x]:\n> javascript:go\n\n[x]",
    "a tag": "<a href='javascript:go'>click</a>",
    "an address in brackets": "<javascript:go>",
}
STAY = {
    "a link": "[torch](https://pytorch.org)",
    "a reference": "[torch][t]\n\n[t]: https://pytorch.org",
    "words": "A window [2, 3] and a < b, so a & b; $x_1 + x_2$ and $\\frac{1}{2}$.",
}


def written(source: str, attachments: dict[str, dict[str, str]] | None = None) -> NotebookNode:
    cell = nbformat.v4.new_markdown_cell(source)
    if attachments is not None:
        cell.attachments = attachments
    return sanitize(nbformat.v4.new_notebook(cells=[cell]))


def shown(notebook: NotebookNode) -> str:
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    return str(page).split("<body", 1)[1]


@pytest.mark.parametrize("name", LINKS)
def test_no_link_leads_into_a_script(name: str) -> None:
    assert 'href="javascript' not in shown(written(LINKS[name])).lower()


@pytest.mark.parametrize("name", STAY)
def test_what_is_harmless_stays_as_it_is(name: str) -> None:
    assert written(STAY[name]).cells[0].source == STAY[name]


@pytest.mark.parametrize("macro", ["href{javascript:go}{x}", "require{html}", "style{color: red}{x}", "cssId{a}{b}"])
def test_maths_loads_and_links_nothing(macro: str) -> None:
    assert f"\\{macro}" not in written(f"$\\{macro}$ &#36;\\{macro}&#36; &#92;{macro}").cells[0].source
    assert "&#" not in written(f"&#36;&#92;{macro}&#36;").cells[0].source


@pytest.mark.parametrize("attachments", [None, {}, {"x.png": {}}, {"x.png": {"text/html": "<b>"}}])
def test_a_picture_that_is_not_there_breaks_no_page(attachments: dict[str, dict[str, str]] | None) -> None:
    assert "attachment" not in shown(written("![a](attachment:x.png) and ![b](attachment:y.png)", attachments))


def test_a_picture_that_is_there_is_shown() -> None:
    page = shown(written("![a](attachment:x.png)", {"x.png": {"image/png": PICTURE}}))
    assert f"data:image/png;base64,{PICTURE}" in page


@pytest.mark.parametrize("piece", ["](a", "](", "](" + " " * 40, "\n", "[x", "]: ", "&a", "<", "attachment:", "\\"])
def test_a_text_made_to_be_slow_takes_about_as_long_as_words(piece: str) -> None:
    def seconds(text: str) -> float:
        def once() -> float:
            start = time.thread_time()
            written(text)
            return time.thread_time() - start

        return min(once() for _ in range(3))  # else what else this process does, such as collecting garbage, counts

    words = seconds("![a](b) [c]: d & e < f. " * 2_000)
    assert seconds(piece * (48_000 // len(piece))) < 20 * words + 1


TURNED = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]


@pytest.mark.parametrize("number", TURNED)
def test_what_turns_a_text_round_is_shown(number: int) -> None:
    """Else ``if admin:`` may stand in a comment and look like code, and a mark read ``3 of 0``."""
    text, shown = f"a{chr(number)}b", f"a⟨U+{number:04X}⟩b"
    cells = [nbformat.v4.new_code_cell(text), nbformat.v4.new_raw_cell(text), nbformat.v4.new_markdown_cell(text)]
    cells[0].outputs = [
        nbformat.v4.new_output("stream", text=text),
        nbformat.v4.new_output("execute_result", data={"text/plain": text}),
        nbformat.v4.new_output("error", ename=text, evalue=text, traceback=[text, text]),
    ]
    notebook = sanitize(nbformat.v4.new_notebook(cells=cells))
    assert [cell.source for cell in notebook.cells] == [shown] * 3
    stream, result, error = notebook.cells[0].outputs
    assert (stream.text, result.data["text/plain"]) == (shown, shown)
    assert (error.ename, error.evalue, error.traceback) == (shown, shown, [shown, shown])
    assert plain(text) == shown
    nbformat.validate(notebook)


def test_arabic_and_hebrew_letters_stay_as_they_are() -> None:
    assert show_directions("مرحبا, שלום") == plain("مرحبا, שלום") == "مرحبا, שלום"
