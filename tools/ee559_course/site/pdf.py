"""Print the built site as one PDF with bookmarks, through Chromium: ``ee559 pdf``."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NullObject

from ee559_course.browser import chromium
from ee559_course.lectures.ledger import NOTEBOOKS
from ee559_course.practicals.practical import practical_names

FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center; color: #444">'
    '<span class="title"></span> · <span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def make_pdf(site: Path, output: Path) -> Path:
    """Print home, lectures, practicals and glossary with their answers unfolded, and join them to one file.

    A link between two chapters stays a link; one to a page of the site that is not in the PDF becomes plain text.

    Args:
        site: the built site.
        output: the PDF to write; what stood there stays until the new one is whole.

    Raises:
        FileNotFoundError: the site has not been built.
        RuntimeError: there is no Chromium.
    """
    if not (site / "index.html").exists():
        raise FileNotFoundError(f"No site in {site}: build it first, with ee559 site.")
    writer = PdfWriter()
    starts: dict[str, int] = {}
    printed = _print_chapters(site)
    for name, (title, chapter) in printed.items():
        starts[name] = len(writer.pages)
        writer.append(chapter, outline_item=title, import_outline=False)
    places = {
        f"{name}{anchor}": place
        for name, (_, chapter) in printed.items()
        for anchor, place in _places(writer, starts[name], chapter).items()
    }
    for page in writer.pages:
        _mend_links(page, site.resolve(), places)
    writer.add_metadata({"/Title": "PyTorch modules and batch processing"})
    writer.compress_identical_objects()
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.unfinished")
    writer.write(unfinished)
    os.replace(unfinished, output)
    return output


def chapter_names() -> list[str]:
    """Return the pages of the site that make the PDF, in order, without ``.html``."""
    lectures, practicals = (f"lectures/{name}" for name in NOTEBOOKS), (f"practicals/{it}" for it in practical_names())
    return ["index", *lectures, *practicals, "glossary"]


def _print_chapters(site: Path) -> dict[str, tuple[str, PdfReader]]:
    """Print each chapter; return its title and its pages under its name.

    Answers are unfolded, code that a lecture hides is left out, and no script runs: paper shows still pictures.
    """
    chapters = {}
    with chromium() as browser:
        page = browser.new_context(java_script_enabled=False, color_scheme="light").new_page()
        for name in chapter_names():
            page.goto((site / f"{name}.html").resolve().as_uri())
            page.evaluate("document.querySelectorAll('details.hide').forEach(code => code.remove())")
            page.evaluate("document.querySelectorAll('details').forEach(answer => answer.open = true)")
            title = page.locator("h1").first.evaluate("heading => heading.firstChild.textContent")
            pdf = page.pdf(
                format="A4",
                margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
                print_background=True,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
            )
            chapters[name] = (title, PdfReader(io.BytesIO(pdf)))
    return chapters


def _places(writer: PdfWriter, start: int, chapter: PdfReader) -> dict[str, ArrayObject]:
    """Return where a chapter and its headings lie in the joined file, by their anchors; the chapter's own is empty."""
    places = {"": ArrayObject([writer.pages[start].indirect_reference, NameObject("/Fit")])}
    for name, found in chapter.named_destinations.items():
        number = chapter.get_destination_page_number(found)
        if number is not None:
            page = writer.pages[start + number].indirect_reference
            spot = [NameObject("/XYZ"), found.left or NullObject(), found.top or NullObject(), NullObject()]
            places[f"#{name.removeprefix('/')}"] = ArrayObject([page, *spot])
    return places


def _mend_links(page: PageObject, site: Path, places: Mapping[str, ArrayObject]) -> None:
    """Point links to files of this machine at their chapter; take them out where there is none."""
    kept = ArrayObject()
    for reference in page.get("/Annots") or []:
        link = reference.get_object()
        address = link.get("/A", {}).get("/URI", "")
        if address.startswith("file:"):
            file, anchor = urldefrag(address)
            path = Path(unquote(urlparse(file).path))
            name = path.relative_to(site).with_suffix("").as_posix() if path.is_relative_to(site) else ""
            place = places.get(f"{name}#{anchor}") or places.get(name)
            if place is None:
                continue
            link[NameObject("/A")] = DictionaryObject({NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): place})
        kept.append(reference)
    page[NameObject("/Annots")] = kept
