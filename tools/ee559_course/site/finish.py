"""Make the built pages light and safe: one style sheet, few scripts, no inline one, a content security policy."""

import posixpath
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ee559_course.site.bundles import Bundles

POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
CHARSET = re.compile(r"<meta charset[^>]*>")
UNUSED = re.compile(
    r'<link rel="preload" as="script"[^>]*>\s*'  # hints about scripts that the bundles replace
    r'|<script defer src="[^"]*/fontawesome\.js[^"]*"></script>\s*'  # draws again what the icons' font has drawn
    r"|<script>DOCUMENTATION_OPTIONS\.pagename = '[^']*';</script>\s*"  # for a menu of versions, which the site lacks
)
STYLE = re.compile(r'<link\b(?P<attributes>[^>]*\brel="stylesheet"[^>]*)>')
SCRIPT = re.compile(r"<script\b(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL)
ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')

Tag = re.Match[str]


def finish_pages(folder: Path, own: Iterable[str]) -> None:
    """Bundle and trim what the pages of ``folder`` load, in place, and give each page its content security policy.

    Args:
        folder: the site as Sphinx wrote it.
        own: the files in ``_static`` that are the course's; the themes' others go where no page names them.
    """
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    pages = {path: text for path, text in pages.items() if CHARSET.search(text)}  # the others are parts of templates
    bundles = Bundles(folder, pages.values())
    for path, text in pages.items():
        path.write_text(_finish(text, path.relative_to(folder), bundles), encoding="utf-8")
    bundles.drop_unnamed_files(frozenset(own))


def _finish(text: str, page: Path, bundles: Bundles) -> str:
    """Rewrite one page; styles and scripts keep their order, and those that block the page go on doing so."""

    def address(bundle: str) -> str:
        return posixpath.relpath(bundle, page.parent.as_posix())

    def style(tags: list[Tag]) -> str:
        return f'<link rel="stylesheet" href="{address(bundles.style([_file(tag, "href", page) for tag in tags]))}" />'

    def script(tags: list[Tag], defer: str = "") -> str:
        return f'<script {defer}src="{address(bundles.script([_source(tag, page) for tag in tags]))}"></script>'

    head, end, body = UNUSED.sub("", text).partition("</head>")
    head = _join(STYLE, head, lambda tag: True, style)
    head = _join(SCRIPT, head, lambda tag: None if not _blocks(tag) else not _stays(tag, page), script)
    text = head + end + body
    text = _join(SCRIPT, text, lambda tag: None if _blocks(tag) else _defers(tag), lambda tags: script(tags, "defer "))
    text = SCRIPT.sub(lambda tag: script([tag]) if _blocks(tag) and tag["text"].strip() else tag[0], text)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
    return CHARSET.sub(lambda found: f"{found[0]}\n    {policy}", text, count=1)


def _join(
    pattern: re.Pattern[str], text: str, fits: Callable[[Tag], bool | None], write: Callable[[list[Tag]], str]
) -> str:
    """Replace each run of fitting tags by one; a tag that does not fit ends a run, unless its order is of no import."""
    runs: list[list[Tag]] = [[]]
    for tag in pattern.finditer(text):
        if fit := fits(tag):
            runs[-1].append(tag)
        elif fit is not None:
            runs.append([])
    written = {tag.start(): write(run) if tag is run[0] else "" for run in runs for tag in run}
    return pattern.sub(lambda tag: written.get(tag.start(), tag[0]), text)


def _attributes(tag: Tag) -> dict[str, str]:
    return dict(ATTRIBUTE.findall(tag["attributes"]))


def _blocks(tag: Tag) -> bool:
    """Whether the page waits for this script: it is no module, no data, and neither deferred nor asynchronous."""
    return not {"defer", "async", "type"} & _attributes(tag).keys()


def _defers(tag: Tag) -> bool:
    """Whether this script waits for the page, and is no module."""
    return "defer" in _attributes(tag) and "type" not in _attributes(tag)


def _stays(tag: Tag, page: Path) -> bool:
    """Whether a script stays a file of its own: the search index, which only the search page loads."""
    return "src" in _attributes(tag) and not _file(tag, "src", page).startswith("_static/")


def _file(tag: Tag, attribute: str, page: Path) -> str:
    """Return the file of the site that an attribute of a tag names."""
    return posixpath.normpath(posixpath.join(page.parent.as_posix(), _attributes(tag)[attribute].partition("?")[0]))


def _source(tag: Tag, page: Path) -> tuple[str, str]:
    """Return a script's file, or else its text."""
    return (_file(tag, "src", page), "") if "src" in _attributes(tag) else ("", tag["text"].strip())
