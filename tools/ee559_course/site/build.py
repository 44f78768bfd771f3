"""Build the static site: gather the sources, run what has changed, write and check the pages, swap them in."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ee559_course.paths import LECTURES, ROOT, SITE_SOURCES
from ee559_course.site.fingerprint import site_fingerprint, text_hash
from ee559_course.site.generated_pages import DEFAULT_OPTIONS, SiteOptions, write_pages

CACHE = ROOT / "build" / "cache"
STAMP = ".built-from"


class SiteError(Exception):
    """The site could not be built; the message says where and why."""


def gather_sources(folder: Path, options: SiteOptions) -> None:
    """Copy the site's pages and the lectures into one Sphinx source folder, and write the pages made from others."""
    shutil.copytree(SITE_SOURCES, folder, dirs_exist_ok=True)
    (folder / "lectures").mkdir(exist_ok=True)
    for notebook in sorted(LECTURES.glob("[0-9][0-9]-*.ipynb")):
        shutil.copy2(notebook, folder / "lectures")
    write_pages(folder, options)


def build_site(output: Path, options: SiteOptions = DEFAULT_OPTIONS, cache: Path = CACHE) -> None:
    """Write the site into ``output``; what stood there stays until the new one is whole.

    Nothing is done when nothing has changed. Else only the notebooks run whose code has changed, or all if ``ee559``
    has, and only their pages are written again.

    Args:
        output: where the pages go.
        options: the instructor's.
        cache: keeps the notebooks' outputs and Sphinx's state between builds.

    Raises:
        SiteError: a cell failed, Sphinx found a mistake, or a page breaks a rule of the site; the message, or what
            Sphinx has printed before it, says where.
    """
    output = output.resolve()
    fingerprint = text_hash([site_fingerprint(), repr(options)])
    if (output / STAMP).exists() and (output / STAMP).read_text(encoding="utf-8") == fingerprint:
        return
    from ee559_course.site.execution import ExecutionError, execute_notebooks  # the rest takes seconds to import
    from ee559_course.site.page_assets import trim_assets
    from ee559_course.site.page_checks import page_problems
    from ee559_course.site.sphinx_build import SphinxError, write_html

    output.parent.mkdir(parents=True, exist_ok=True)
    with _alone(cache), tempfile.TemporaryDirectory(dir=output.parent, prefix=".site-") as workshop:
        source, fresh = Path(workshop) / "source", Path(workshop) / "html"
        gather_sources(source, options)
        try:
            execute_notebooks(source, cache / "notebooks")
            shutil.copytree(write_html(source, cache / "sphinx"), fresh)
        except (ExecutionError, SphinxError) as error:
            raise SiteError(f"The site was not built; the old one stands. {error}") from error
        trim_assets(fresh)
        if problems := page_problems(fresh):
            raise SiteError("\n".join(["The site was not built; the old one stands.", *problems]))
        (fresh / ".nojekyll").touch()
        (fresh / STAMP).write_text(fingerprint, encoding="utf-8")
        if output.exists():
            os.replace(output, Path(workshop) / "old")
        os.replace(fresh, output)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Wait until no other build uses the cache, and keep others out; a lock on a file that ends with its process."""
    cache.mkdir(parents=True, exist_ok=True)
    lock = sqlite3.connect(cache / "lock.sqlite", timeout=3600, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()
