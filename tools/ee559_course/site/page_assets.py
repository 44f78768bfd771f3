"""One style sheet with what the pages use, and fonts with its icons; what the themes bring along besides goes.

Lightning CSS joins the sheets and drops unused rules, fontTools cuts the fonts. No page is rewritten: the template
``layout.html`` names the one sheet.
"""

import re
import shutil
from pathlib import Path

from fontTools import subset
from lightningcss import bundle_css

SHEETS = (
    "styles/theme.css",
    "styles/pydata-sphinx-theme.css",
    "pygments.css",
    "styles/sphinx-book-theme.css",
    "mystnb.*.css",
    "copybutton.css",
    "styles/course.css",
)
UNUSED = ("scripts/fontawesome.js", "**/*.map", "*.html", "file.png", "images", "locales")  # of what the themes bring
LICENSE = re.compile(r"/\*!.*?\*/", re.DOTALL)
CLASS_OR_ID = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")
WORD = re.compile(r"[\w-]+")


def trim_assets(site: Path) -> None:
    """Make ``styles/course.css`` the only style sheet of a site that Sphinx wrote, and delete what no page loads."""
    static = site / "_static"
    for path in [path for pattern in UNUSED for path in static.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    sheets = [sheet for pattern in SHEETS for sheet in static.glob(pattern)]
    bundle = static / "styles" / "bundle.css"
    bundle.write_text("".join(f'@import "../{sheet.relative_to(static).as_posix()}";' for sheet in sheets), "utf-8")
    names = set(CLASS_OR_ID.findall(bundle_css(str(bundle))))
    style = bundle_css(str(bundle), unused_symbols=names - _words(site))
    licenses = dict.fromkeys(text for sheet in sheets for text in LICENSE.findall(sheet.read_text(encoding="utf-8")))
    dropped = [text for text in licenses if text not in style]  # it keeps those at the start of the first sheet alone
    for sheet in [*sheets, bundle, static / "basic.css"]:
        sheet.unlink(missing_ok=True)
    (static / "styles" / "course.css").write_text("\n".join([*dropped, style]), encoding="utf-8")
    icons = [f"{ord(letter):x}" for letter in style if "\ue000" <= letter < "\uf900"]
    for font in static.glob("vendor/fontawesome/webfonts/*.woff2"):
        subset.main([str(font), f"--unicodes={','.join(icons)}", "--flavor=woff2", f"--output-file={font}"])


def _words(site: Path) -> set[str]:
    """Return every word of the pages and scripts: more than the classes and ids that they can name."""
    files = [*site.rglob("*.html"), *site.rglob("*.js"), *site.rglob("*.mjs")]
    return {word for file in files for word in WORD.findall(file.read_text(encoding="utf-8"))}
