"""What the pages load, joined into few files that are named by their content, with the icons that are used."""

import base64
import io
import posixpath
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

from ee559_course.site.fingerprint import text_hash

ICON_SCRIPT = "_static/scripts/fontawesome.js"  # half a megabyte, and no page loads it
RULE = re.compile(r"(?P<selectors>[^{}]*)\{[^{}]*\}")
EMPTY = re.compile(r"@(?:media|supports)[^{}]*\{\s*\}")
ARGUMENTS = re.compile(r"\([^()]*\)")
NAME = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")
MARKED = re.compile(r'\b(?:class|id)="([^"]*)"')
ICON_FONT = re.compile(r"@font-face\{[^}]*font-family:Font Awesome[^}]*\burl\(([^)]*)\)[^}]*\}")
CHARACTER = re.compile(r"\\([0-9a-f]{1,6})|([^\x00-\x7f])")
IMPORT = re.compile(r'@import\s+"([^"]*)";?')
URL = re.compile(r"url\(([\"']?)(?!data:|#|https?:)([^)\"']*)\1\)")
COMMENT = re.compile(r"/\*(?!!).*?\*/", re.DOTALL)
LICENSE = re.compile(r"/\*!.*?\*/", re.DOTALL)
SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$|/\*# sourceMappingURL=.*?\*/", re.MULTILINE)
ADDRESSED = re.compile(r'\b(?:href|src)="(?!data:)(?:[^"?#]*/)?([^"/?#]+)')
FILE_NAME = re.compile(r"[\w.-]+\.\w+")


class Bundles:
    """The joined styles and scripts of a site; each is written once, into ``_static``.

    Args:
        folder: the site.
        pages: the text of every page; rules for what no page and no script names are left out of the styles.
    """

    def __init__(self, folder: Path, pages: Iterable[str]) -> None:
        self.folder = folder
        self.names = {name for page in pages for names in MARKED.findall(page) for name in names.split()}
        for path in folder.glob("_static/**/*.*js"):
            if path != folder / ICON_SCRIPT:
                self.names.update(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
        self.joined = {ICON_SCRIPT}
        self._styles: dict[tuple[str, ...], str] = {}

    def style(self, files: Sequence[str]) -> str:
        """Join style sheets in their order, without what no page uses; return the file's name."""
        key = tuple(files)
        if key not in self._styles:
            text = "\n".join(self._style_sheet(file) for file in files)
            text = EMPTY.sub("", RULE.sub(self._used_rule, text))
            characters = {int(code, 16) if code else ord(letter) for code, letter in CHARACTER.findall(text)}
            text = ICON_FONT.sub(lambda rule: self._icon_font(rule, characters), text)
            self._styles[key] = self._write(text, "css")
        return self._styles[key]

    def script(self, sources: Sequence[tuple[str, str]]) -> str:
        """Join scripts in their order, each a file or, where that is empty, a text; return the file's name."""
        texts = []
        for file, text in sources:
            if file:
                self.joined.add(file)
                text = (self.folder / file).read_text(encoding="utf-8")
            texts.append(SOURCE_MAP.sub("", text))
        return self._write("\n;\n".join(texts), "js")

    def drop_unnamed_files(self, own: Collection[str]) -> None:
        """Delete what has been joined and what the themes brought along, where no page, style or script names it."""
        static = {self._name(path): path for path in self.folder.glob("_static/**/*") if path.is_file()}
        read = [path for name, path in static.items() if path.suffix in (".css", ".js") and name not in self.joined]
        named = {name for path in read for name in FILE_NAME.findall(path.read_text(encoding="utf-8"))}
        for path in self.folder.rglob("*.html"):
            named.update(ADDRESSED.findall(path.read_text(encoding="utf-8")))
        for name, path in static.items():
            if name in self.joined or not (path.name in named or name.removeprefix("_static/") in own):
                path.unlink()
        for path in sorted(self.folder.glob("**/"), reverse=True):
            if not any(path.iterdir()):
                path.rmdir()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _style_sheet(self, file: str) -> str:
        """Return a style sheet with those that it imports, its addresses as seen from ``_static``."""
        self.joined.add(file)
        text = SOURCE_MAP.sub("", COMMENT.sub("", (self.folder / file).read_text(encoding="utf-8")))
        home = posixpath.dirname(file)

        def moved(address: str) -> str:
            return posixpath.relpath(posixpath.join(home, address), "_static")

        text = URL.sub(lambda found: f"url({moved(found[2])})", text)
        return IMPORT.sub(lambda found: self._style_sheet(posixpath.join("_static", moved(found[1]))), text)

    def _used_rule(self, rule: re.Match[str]) -> str:
        """Return a rule if every class and id of one of its selectors is in use, else only its license."""
        selectors = LICENSE.sub("", rule["selectors"])
        while ARGUMENTS.search(selectors):  # of :not() and the like: they are not needed for an element to match
            selectors = ARGUMENTS.sub("", selectors)
        used = any(self.names.issuperset(NAME.findall(selector)) for selector in selectors.split(","))
        return rule[0] if used else "".join(LICENSE.findall(rule[0]))

    def _icon_font(self, rule: re.Match[str], characters: set[int]) -> str:
        """Put the used icons of a font into its rule; a font that has none of them loses its rule."""
        font = TTFont(self.folder / "_static" / rule[1])
        used = characters & set(font.getBestCmap()) - set(range(0xE000))
        if not used:
            return ""
        options = subset.Options(flavor="woff2", layout_features=[], hinting=False, name_IDs=[])
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=used)
        subsetter.subset(font)
        file = io.BytesIO()
        subset.save_font(font, file, options)
        return rule[0].replace(rule[1], f"data:font/woff2;base64,{base64.b64encode(file.getvalue()).decode()}")

    def _write(self, text: str, kind: str) -> str:
        name = f"_static/course-{text_hash([text])[:12]}.{kind}"
        (self.folder / name).write_text(text, encoding="utf-8")
        return name
