"""A Sphinx extension: pages with an interactive figure, and no others, load its script."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

FOLDER = "figures"
PAGE_MODEL = "interactive-figures.js"


def write_scripts(app: Sphinx) -> None:
    """Write each figure's script among the pages' static files, from the package's source.

    Scripts that are there already are current: ``sphinx_build`` starts afresh when the package has changed.
    """
    folder = Path(app.outdir) / "_static" / FOLDER
    if folder.exists():
        return
    from ee559.figures.interactive import FIGURES, page_script  # torch, which comes with it, takes seconds to import

    folder.mkdir(parents=True)
    for figure in FIGURES:
        (folder / f"{figure.module}.js").write_text(page_script(figure.module), encoding="utf-8")


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, object], doctree: nodes.document | None
) -> None:
    """Add to a page the scripts of the figures that it has, and after them the one that brings them to life."""
    present = sorted(set(re.findall(r'data-figure="(\w+)"', str(context.get("body", "")))))
    for name in present:
        app.add_js_file(f"{FOLDER}/{name}.js", loading_method="defer")
    if present:
        app.add_js_file(PAGE_MODEL, loading_method="defer")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect to the build."""
    app.connect("builder-inited", write_scripts)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
