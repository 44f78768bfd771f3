"""The pages of the site made from other files: practicals, the map, 2018 and today, benchmarks, what grading costs."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat

from ee559_course.lectures.ledger import changes_as_markdown, ledger_as_markdown, load_ledger
from ee559_course.paths import LECTURES, LEDGER, ROOT
from ee559_course.practicals.practical import practical_names
from ee559_course.site.practical_pages import practical_parts, read_title, write_practicals

RECORDED = ROOT / "benchmarks" / "recorded"
MAP_INTRODUCTION = """# The map: slide, lecture, exercise

Each entry is an idea of the slides, and says what has changed since. A cell of the notebook above it covers it, and
computes the numbers that the slide states. Where a part of a practical trains it, the entry links that part; small
exercises are at the end of every lecture. A test holds this map, the notebooks and the practicals together.

"""
CHANGES_INTRODUCTION = """# 2018 and today

The slides are of May 2018 and of PyTorch 0.4. This page lists what PyTorch 2 does otherwise. What is not listed is as
it was. The letters and numbers are the rows of [the map](map.md).

"""


@dataclass(frozen=True)
class SiteOptions:
    """What an instructor decides about a site: whose solutions it shows, and where its notebooks can be opened.

    Args:
        solutions: names of practicals, such as ``sizes``.
        repository: ``OWNER/NAME`` on GitHub, for links to Colab and Binder; None leaves them out.

    Raises:
        ValueError: there is no such practical, or the repository is not of the form ``OWNER/NAME``.
    """

    solutions: tuple[str, ...] = ()
    repository: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would make a dead link."""
        if unknown := set(self.solutions) - set(practical_names()):
            raise ValueError(f"no practical {sorted(unknown)[0]!r}: expected one of {', '.join(practical_names())}.")
        if self.repository is not None and not re.fullmatch(r"[\w-]+/[\w.-]+", self.repository):
            raise ValueError(f"expected a repository such as OWNER/NAME on GitHub, got {self.repository!r}.")


DEFAULT_OPTIONS = SiteOptions()


def write_pages(folder: Path, options: SiteOptions) -> None:
    """Write the pages that have other sources into the site's source folder, beside the lectures that lie there.

    Args:
        folder: has the site's own pages, and the notebooks in ``lectures``.
        options: the instructor's.
    """
    (folder / "notebooks").mkdir()
    for lecture in sorted((folder / "lectures").glob("*.ipynb")):
        shutil.copy2(lecture, folder / "notebooks")
        _add_line(lecture, options.repository)
    write_practicals(folder, options.solutions)
    rows = load_ledger(LEDGER)
    own = {name: (folder / f"{name}.md").read_text(encoding="utf-8") for name in ("benchmarks", "grading")}
    titles = {path.stem: read_title(path) for path in LECTURES.glob("*.ipynb")}
    pages = {
        "map": MAP_INTRODUCTION + ledger_as_markdown(rows, titles, practical_parts()),
        "changes": CHANGES_INTRODUCTION + changes_as_markdown(rows),
        "benchmarks": own["benchmarks"] + benchmarks_as_markdown(RECORDED),
        "grading": own["grading"] + benchmarks_as_markdown(RECORDED, "grading*"),
    }
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _add_line(lecture: Path, repository: str | None) -> None:
    """Say under a lecture's title how long it takes, and where to get it."""
    notebook = nbformat.read(lecture, as_version=4)
    first = notebook.cells[0]
    if not (minutes := re.search(r"^\*\*Minutes\*\* (\d+)\n\n", first.source, re.MULTILINE)):
        return
    line = [f"{minutes[1]} minutes", f"{{download}}`Download the notebook <../notebooks/{lecture.name}>`"]
    if repository is not None:
        install = f"%pip install git+https://github.com/{repository}"
        colab = f"https://colab.research.google.com/github/{repository}/blob/main/lectures/{lecture.name}"
        binder = f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/lectures/{lecture.name}"
        line += [f"[Open in Colab]({colab}) (run `{install}` first)", f"[Open in Binder]({binder})"]
    first.source = first.source.replace(minutes[0], "").replace("\n\n", f"\n\n{' · '.join(line)}\n\n", 1)
    nbformat.write(notebook, lecture)


def benchmarks_as_markdown(folder: Path, names: str = "*") -> str:
    """Make Markdown of the recorded runs: for each its title, command, machine and what it printed.

    Args:
        folder: has a JSON file for each benchmark, as ``benchmarks/record.py`` writes it.
        names: a pattern for the names of those that are shown.
    """
    lines: list[str] = []
    for path in sorted(folder.glob(f"{names}.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        heading = path.stem.replace("_", " ").capitalize().replace("Gpu", "GPU")
        lines += ["", f"## {heading}", "", f"{run['title']}.", ""]
        lines += [f"`{run['command']}`, {run['date']}, on {run['machine']}.", ""]
        lines += ["```text", run["output"].rstrip(), "```"]
    return "\n".join(lines) + "\n"
