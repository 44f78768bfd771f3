"""Check the built pages: links and anchors, alt texts, headings, language, ids, nothing that the policy forbids."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote

ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
PAGE_LINKS = {"canonical", "license", "author"}  # what a <link> may name elsewhere: nothing is loaded


@dataclass
class Link:
    """An address on a page, and the line that it stands on."""

    line: int
    tag: str
    address: str


@dataclass
class Page:
    """What one page has of what is checked."""

    ids: set[str] = field(default_factory=set)
    links: list[Link] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Read one page, and note what is wrong with it by itself."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.page, self.level, self.titles = name, Page(), 0, 0

    def problem(self, what: str) -> None:
        self.page.problems.append(f"{self.name}, line {self.getpos()[0]}: {what}")

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Check one element."""
        given = {name: value or "" for name, value in attributes}
        if name := given.get("id"):
            if name in self.page.ids:
                self.problem(f"the id '{name}' is taken on this page: give each element its own.")
            self.page.ids.add(name)
        if tag == "html" and not given.get("lang"):
            self.problem("<html> has no lang attribute: say the language of the page.")
        if tag == "img" and not given.get("alt", "").strip():
            self.problem(f"the picture {given.get('src', '')[:60]} has no alt text: say what it shows.")
        if re.fullmatch(r"h[1-6]", tag):
            self.heading(int(tag[1]))
        if handlers := [name for name in given if name.startswith("on")]:
            self.problem(f"<{tag} {handlers[0]}=…> is forbidden by the content security policy: listen in a script.")
        if tag == "script" and "src" not in given and given.get("type", "module") in ("module", "text/javascript"):
            self.problem("an inline script is forbidden by the content security policy: put it in a file.")
        for attribute in ("href", "src"):
            if address := given.get(attribute):
                self.link(tag, given, address)

    def heading(self, level: int) -> None:
        """Check one heading against those before it."""
        if level > self.level + 1:
            self.problem(f"<h{level}> follows <h{self.level}>: expected at most <h{self.level + 1}>.")
        self.level, self.titles = level, self.titles + (level == 1)
        if level == 1 and self.titles == 2:
            self.problem("a second <h1>: a page has one title.")

    def link(self, tag: str, given: dict[str, str], address: str) -> None:
        """Keep an address of the site; refuse to load from elsewhere."""
        if address.startswith("javascript:"):
            self.problem("a javascript: link is forbidden by the content security policy: use a button and a script.")
        elif not ELSEWHERE.match(address):
            self.page.links.append(Link(self.getpos()[0], tag, address))
        elif tag not in ("a", "link") and not address.startswith("data:"):
            self.problem(f"<{tag}> loads {address[:80]}: expected a file of the site.")
        elif tag == "link" and given.get("rel") not in PAGE_LINKS:
            self.problem(f"<link> loads {address[:80]}: expected a file of the site.")


def page_problems(folder: Path) -> list[str]:
    """Return what is wrong with the pages of a site, each with its page and line; an empty list if nothing is.

    Args:
        folder: the finished site.
    """
    pages: dict[str, Page] = {}
    problems: list[str] = []
    for path in sorted(folder.rglob("*.html")):
        reader = _Reader(path.relative_to(folder).as_posix())
        reader.feed(path.read_text(encoding="utf-8"))
        if reader.titles == 0:
            reader.page.problems.append(f"{reader.name}: no <h1>: expected the page's title.")
        pages[reader.name] = reader.page
    for name, page in pages.items():
        problems += page.problems
        for link in page.links:
            if reason := _dead(link.address, name, folder, pages):
                problems.append(f"{name}, line {link.line}: <{link.tag}> leads to {link.address}: {reason}")
    return problems


def _dead(address: str, page: str, folder: Path, pages: dict[str, Page]) -> str:
    """Say why an address leads nowhere; nothing if it leads somewhere."""
    file, _, anchor = address.partition("#")
    path = unquote(file.partition("?")[0])
    target = normpath(f"{page}/../{path}") if path else page
    if target.startswith("..") or not (folder / target).exists():
        return "there is no such file in the site."
    if anchor and target in pages and unquote(anchor) not in pages[target].ids:
        return f"{target} has no element with the id '{unquote(anchor)}'."
    return ""
