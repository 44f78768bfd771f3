"""The lines of a practical that nobody may read who has no solution: what tests of leaks look for."""

from functools import cache

import nbformat
from ee559_course.paths import LECTURES, ROOT
from ee559_course.practicals.practical import REGION, practical_names, read_practical


@cache
def secrets_of(practical: str) -> frozenset[str]:
    """Return the lines of solutions, rubrics and hidden tests, less what the lectures and the package say anyway."""
    open_text = what_everybody_reads()
    return frozenset(line for line in read_practical(practical).secrets() if line not in open_text)


@cache
def what_everybody_reads() -> str:
    """Join the lectures, what practicals ask, the guide for authors, and the package without what checks hold."""
    cells = [cell for path in LECTURES.glob("*.ipynb") for cell in nbformat.read(path, as_version=4).cells]
    package = ROOT / "utils" / "ee559"
    modules = [path for path in package.rglob("*.py") if package / "practicals" not in path.parents]
    asked = [REGION.sub("", cell.source) for name in practical_names() for cell in read_practical(name).notebook.cells]
    texts = [path.read_text(encoding="utf-8") for path in (*modules, ROOT / "CONTRIBUTING.md")]
    return "\n".join([*(cell.source for cell in cells), *asked, *texts])
