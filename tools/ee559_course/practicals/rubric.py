"""What an instructor grades by: the points of each part and test, and the rubrics of the parts in words."""

import re

from nbformat import NotebookNode

from ee559_course.practicals.release import REGION


def points_and_rubrics(notebook: NotebookNode) -> str:
    """Write as Markdown each part's tests with their points, and each rubric in whole.

    Args:
        notebook: the source of a practical.
    """
    lines = ["| Part | Graded cell | Points | What it looks at |", "|---|---|---|---|"]
    rubrics: list[str] = []
    part = ""
    for cell in notebook.cells:
        if found := re.search(r"^## (Part \d+)", cell.source, re.MULTILINE):
            part = found[1]
        marks = cell.metadata.get("nbgrader")
        if not marks or not marks.grade:
            continue
        by_hand = cell.cell_type == "markdown"
        what = "by hand, see below" if by_hand else cell.source.splitlines()[0].split(": ", 1)[1]
        lines.append(f"| {part} | {cell.id} | {marks.points:g} | {what} |")
        if by_hand:
            text = "\n".join(REGION.search(cell.source)[0].splitlines()[1:-1])  # type: ignore[index]  # a rule has seen it
            rubrics.append(f"## {part}, by hand: {cell.id}\n\n{text}")
    return "\n".join(lines) + "\n\n" + "\n\n".join(rubrics) + "\n"
