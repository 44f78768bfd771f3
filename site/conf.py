"""Configuration of the Sphinx project. `ee559 site` gathers the lectures beside it and builds."""

from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

project = "PyTorch modules and batch processing"
author = "the course's authors, after François Fleuret"
copyright = "prose CC BY 4.0, code MIT; after lecture 4b of EE-559 by François Fleuret"
version = release = installed_version("ee559")
language = "en"
exclude_patterns = ["notebooks", "vendor"]  # files to download, and what others made

extensions = [
    "ee559_course.site.interactive_pages",
    "ee559_course.site.mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
templates_path = ["_templates"]
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3

nb_execution_mode = "off"  # `ee559 site` has run the notebooks
nb_merge_streams = True
nb_number_source_lines = False
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]  # a page has no kernel

copybutton_selector = "div:not(.output) > div.highlight > pre"

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source"]

html_theme = "sphinx_book_theme"
html_title = "PyTorch modules and batch processing"
palette = Path(find_spec("ee559").origin).with_name("palette.json")  # the package is not imported: torch takes seconds
html_static_path = ["_static", "digit", "vendor", str(palette)]  # digit, vendor: weights, and what runs them in a page
html_favicon = "_static/favicon.svg"
html_css_files = ["styles/course.css"]
html_copy_source = False
html_use_index = html_domain_indices = False  # the API page lists its names itself
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "max_navbar_depth": 1,  # a solution is linked by its practical; an unfolding menu has no name for screen readers
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the side bar has the search field; one is enough
}
html_context = {
    "default_mode": "auto",  # light or dark as the reader's system
    "policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'"
    ),
}
