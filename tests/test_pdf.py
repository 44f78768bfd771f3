"""The PDF of the course has every chapter, with bookmarks, answers and links, and nothing of this machine."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from ee559_course.cli import app
from ee559_course.dist import course_version
from ee559_course.paths import LECTURES
from ee559_course.practicals.practical import practical_names
from ee559_course.site.pdf import chapter_names
from ee559_course.site.practical_pages import read_title
from machine import CHROMIUM
from playwright.sync_api import Browser
from pypdf import PdfReader
from pypdf.generic import Destination
from secret_lines import secrets_of
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def dist(built_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a release by its command, which prints the PDF; to print it takes long."""
    output = tmp_path_factory.mktemp("release") / "dist"
    done = CliRunner().invoke(app, ["dist", "--output", str(output), "--site", str(built_site)])
    assert done.exit_code == 0, done.output
    return output


@pytest.fixture(scope="module")
def pdf(dist: Path) -> PdfReader:
    (path,) = dist.glob("*.pdf")
    return PdfReader(path)


def plain(text: str) -> str:
    """Undo what typesetting does to a text: ligatures, hyphens and line ends."""
    return "".join(text.replace("ﬁ", "fi").replace("ﬂ", "fl").split())


@pytest.mark.needs(CHROMIUM)
def test_a_release_has_bundle_site_pdf_and_wheel_of_one_version_with_their_checksums(
    dist: Path, built_site: Path
) -> None:
    version = course_version()
    names = [f"ee559-{version}-{kind}" for kind in ("course.pdf", "py3-none-any.whl", "site.zip", "students.zip")]
    sums = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    assert sums == {name: hashlib.sha256((dist / name).read_bytes()).hexdigest() for name in names}
    assert sorted(path.name for path in dist.iterdir()) == ["SHA256SUMS", *names]
    packed = zipfile.ZipFile(dist / names[2]).namelist()
    pages = [path.relative_to(built_site).as_posix() for path in built_site.rglob("*") if path.is_file()]
    assert sorted(packed) == sorted(f"ee559-{version}-site/{page}" for page in pages)


@pytest.mark.needs(CHROMIUM)
def test_every_chapter_has_a_bookmark_to_the_page_that_begins_with_its_title(pdf: PdfReader) -> None:
    titles = [read_title(path) for path in sorted(LECTURES.glob("[0-9][0-9]-*.ipynb"))]
    titles = ["PyTorch modules and batch processing", *titles]
    bookmarks = {}
    for mark in pdf.outline:
        assert isinstance(mark, Destination)
        page = pdf.get_destination_page_number(mark)
        assert page is not None
        bookmarks[str(mark.title)] = page
    assert list(bookmarks)[: len(titles)] == titles
    assert [title.split(" · ")[0] for title in list(bookmarks)[len(titles) :]] == [
        *(f"Practical {number}" for number in range(1, 6)),
        "Glossary",
    ]
    for title, page in bookmarks.items():
        assert plain(pdf.pages[page].extract_text()).startswith(plain(title)), title


@pytest.mark.needs(CHROMIUM)
def test_answers_and_hints_are_unfolded_and_no_solution_is_among_them(pdf: PdfReader, built_site: Path) -> None:
    printed = plain("".join(page.extract_text() for page in pdf.pages))
    for name in chapter_names():
        page = BeautifulSoup((built_site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        for folded in page.select("article details:not(.hide)"):
            first = folded.find("p")
            if first and not first.find("math"):
                beginning = plain(first.get_text())[:20]  # a page may end after the first line
                assert beginning in printed, f"{name}: {first.get_text()}"
    secrets = {plain(line) for name in practical_names() for line in secrets_of(name)}
    assert [secret for secret in secrets if secret in printed] == []


CUT_OFF = """
[...document.querySelectorAll('article *')].filter((each) => {
  const style = getComputedStyle(each);
  const clips = style.display !== 'inline' && style.overflowX !== 'visible';
  return clips && each.scrollWidth > each.clientWidth + 1;
}).map((each) => `${each.tagName} ${each.textContent.trim().slice(0, 40)}`)
"""


def test_nothing_is_cut_off_at_the_side_of_the_paper(built_site: Path, browser: Browser) -> None:
    width, height = ((210 - 2 * 16) * 96 / 25.4, (297 - 2 * 18) * 96 / 25.4)  # A4 without its margins, in pixels
    page = browser.new_context(
        java_script_enabled=False, viewport={"width": int(width), "height": int(height)}
    ).new_page()
    page.emulate_media(media="print")
    for name in chapter_names():
        page.goto((built_site / f"{name}.html").as_uri())
        assert page.evaluate(CUT_OFF) == [], name


@pytest.mark.needs(CHROMIUM)
def test_links_between_chapters_stay_links_and_none_leads_to_this_machine(pdf: PdfReader) -> None:
    actions = [
        link.get_object()["/A"] for page in pdf.pages for link in page.get("/Annots", []) if "/A" in link.get_object()
    ]
    assert not [action["/URI"] for action in actions if "/URI" in action and not action["/URI"].startswith("https:")]
    pages = {page.indirect_reference for page in pdf.pages}
    jumps = [action["/D"] for action in actions if action["/S"] == "/GoTo"]
    assert len(jumps) > 50
    assert {next(iter(jump)) for jump in jumps} <= pages
    assert any(jump[1] == "/XYZ" for jump in jumps), "no link leads to a heading inside a chapter"


def test_without_a_site_or_without_a_chromium_it_says_what_to_do(
    built_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "course.pdf"
    missing = CliRunner().invoke(app, ["pdf", "--site", str(tmp_path), "--output", str(output)])
    assert missing.exit_code == 1
    assert "build it first, with ee559 site" in " ".join(missing.output.split())
    monkeypatch.setattr("ee559_course.browser.CHROMIUM_NAMES", ("no-such-browser",))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    blind = CliRunner().invoke(app, ["pdf", "--site", str(built_site), "--output", str(output)])
    assert blind.exit_code == 1
    assert "No Chromium on this machine (looked for no-such-browser)" in " ".join(blind.output.split())
    assert not output.exists()
