"""What an instructor grades by: the points of each part and test, and the rubrics of the parts in words."""

from ee559_course.practicals.practical import Practical


def points_and_rubrics(practical: Practical) -> str:
    """Write as Markdown each part's tests with their points, and each rubric in whole.

    Args:
        practical: the practical.
    """
    lines = ["| Part | Graded cell | Points | What it looks at |", "|---|---|---|---|"]
    rubrics: list[str] = []
    texts = practical.rubrics()
    points = {cell.id: cell.metadata.nbgrader.get("points", 0) for cell in practical.notebook.cells if cell.id in texts}
    for part in practical.parts:
        lines += [f"| {part.name} | {test.id()} | {test.points:g} | {test.title()} |" for test in part.tests]
        lines += [f"| {part.name} | {cell} | {points[cell]:g} | by hand, see below |" for cell in part.words]
        rubrics += [f"## {part.name}, by hand: {cell}\n\n{texts[cell]}" for cell in part.words]
    return "\n".join(lines) + "\n\n" + "\n\n".join(rubrics) + "\n"
