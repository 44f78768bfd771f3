"""Run Sphinx on the gathered sources, again from its last state where only the insides of pages have changed."""

import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from ee559_course.paths import ROOT
from ee559_course.site.fingerprint import environment_hash, file_hash, sources_hash, text_hash

HEADINGS_AND_CONTENTS = re.compile(r"^#+ .*$|^\(.*\)=$|^(?:```|:::)\{toctree\}\n(?:.*\n)*?(?:```|:::)$", re.MULTILINE)


class SphinxError(Exception):
    """Sphinx warned or failed; it has said on the terminal where and why."""


def write_html(gathered: Path, cache: Path) -> Path:
    """Write the pages of the sources and return their folder, which belongs to the cache.

    Args:
        gathered: the sources, notebooks with their outputs.
        cache: keeps the sources, the pages and Sphinx's state. What a failed build leaves there is not used again.

    Raises:
        SphinxError: Sphinx warned or failed.
    """
    source, state = cache / "source", cache / "state"
    source.mkdir(parents=True, exist_ok=True)
    key = _state_key(gathered)
    _synchronise(gathered, source)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".state-") as workshop:
        fresh = Path(workshop) / "state"
        if (state / "key").exists() and (state / "key").read_text(encoding="utf-8") == key:
            shutil.copytree(state, fresh)
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "auto", "-b", "html"]
        folders = [str(folder) for folder in (fresh / "doctrees", source, fresh / "html")]
        if subprocess.run([*command, "-d", *folders]).returncode != 0:
            raise SphinxError("The lines above name the page and the place.")
        (fresh / "key").write_text(key, encoding="utf-8")
        if state.exists():
            os.replace(state, Path(workshop) / "old")
        os.replace(fresh, state)
    return state / "html"


def _state_key(source: Path) -> str:
    """Fingerprint all that many pages depend on: Sphinx would not write every page again when it changes.

    That is the environment, the package and the tools, the settings and templates, and what menus and references show:
    the pages' names, headings, labels and tables of contents.
    """
    parts = [
        environment_hash(),
        sources_hash(ROOT / "utils"),
        sources_hash(ROOT / "tools"),
        sources_hash(source / "_templates"),
    ]
    parts.append(file_hash(source / "conf.py"))
    for page in sorted([*source.rglob("*.md"), *source.rglob("*.ipynb")]):
        parts += [page.relative_to(source).as_posix(), *HEADINGS_AND_CONTENTS.findall(_prose(page))]
    return text_hash(parts)


def _prose(page: Path) -> str:
    """Return the Markdown of a page or of a notebook."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    cells = nbformat.read(page, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def _synchronise(source: Path, target: Path) -> None:
    """Make ``target`` equal to ``source``; equal files keep their times, by which Sphinx knows what has changed."""
    wanted = {path.relative_to(source) for path in source.rglob("*")}
    for path in sorted(target.rglob("*"), reverse=True):
        if path.relative_to(target) not in wanted:
            path.rmdir() if path.is_dir() else path.unlink()
    for name in sorted(wanted):
        if (source / name).is_dir():
            (target / name).mkdir(exist_ok=True)
        elif not ((target / name).exists() and filecmp.cmp(source / name, target / name, shallow=False)):
            shutil.copyfile(source / name, target / name)
