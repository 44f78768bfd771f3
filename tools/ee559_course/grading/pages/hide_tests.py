"""Hidden tests, and what repeats one, taken out of a notebook that its student reads."""

import re
from collections.abc import Collection

from nbformat import NotebookNode

HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.DOTALL)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
MIN_SECRET = 14  # characters; shorter lines are everybody's


def hide_tests(notebook: NotebookNode) -> None:
    """Blank the regions of hidden tests, reduce their tracebacks to the message, and hide their lines elsewhere.

    Args:
        notebook: is changed.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    regions = "".join(found[1] for cell in code for found in HIDDEN.finditer(cell.source))
    secrets = {line.strip() for line in regions.splitlines() if len(line.strip()) > MIN_SECRET}
    for cell in code:
        has_test = bool(HIDDEN.search(cell.source))
        cell.source = HIDDEN.sub("# hidden tests", cell.source)
        for output in cell.outputs:
            _hide(output, has_test, secrets)


def _hide(output: NotebookNode, of_a_test: bool, secrets: Collection[str]) -> None:
    if output.output_type == "error":
        lines = [f"{output.ename}: {output.evalue}"] if of_a_test else output.traceback
        output.traceback = [_redacted(line, secrets) for line in lines]
    elif "text" in output:
        output.text = _redacted(output.text, secrets)
    for mime, value in output.get("data", {}).items():
        if isinstance(value, str):
            output.data[mime] = _redacted(value, secrets)


def _redacted(text: str, secrets: Collection[str]) -> str:
    plain = ANSI.sub("", text)
    if not any(secret in plain for secret in secrets):
        return text
    return "\n".join("…" if any(secret in line for secret in secrets) else line for line in plain.splitlines())
