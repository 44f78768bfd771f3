"""Every page passes axe's rules, light and dark, on a desk and on a phone; what is sought is found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from ee559_course.browser import chromium
from ee559_course.paths import LECTURES, SITE_SOURCES
from ee559_course.practicals.practical import practical_names
from patience import PATIENCE
from playwright.sync_api import Browser, expect

PHONE, DESK = (390, 844), (1280, 800)
Mode = tuple[tuple[int, int], Literal["light", "dark"]]
MODES: list[Mode] = [(DESK, "light"), (PHONE, "dark")]
OTHER_MODES: list[Mode] = [
    (DESK, "dark"),
    (PHONE, "light"),
]  # for home alone: all else is alike
TEXTS = (*SITE_SOURCES.glob("*.md"), *SITE_SOURCES.glob("design/*.md"))
PROSE = [path.relative_to(SITE_SOURCES).with_suffix("").as_posix() for path in TEXTS]
PAGES = [
    "index",  # it takes longest
    *(f"lectures/{path.stem}" for path in sorted(LECTURES.glob("*.ipynb"))),
    *(f"practicals/{name}" for name in practical_names()),
    *sorted({"map", "changes", "search", *PROSE} - {"index"}),
]
KEEP_ONE_WORD_OF_EACH_COLOUR = """() => {
    const seen = new Set();
    for (const word of document.querySelectorAll(".highlight span[class]")) {
        const look = word.className + word.closest("[class*=cell_]")?.className;
        seen.has(look) ? word.replaceWith(...word.childNodes) : seen.add(look);
    }
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start one browser for all pages."""
    with chromium() as instance:
        yield instance


def test_each_page_of_the_site_is_checked(built_site: Path) -> None:
    built = [path.relative_to(built_site).with_suffix("").as_posix() for path in built_site.rglob("*.html")]
    assert sorted(built) == sorted(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_no_page_breaks_a_rule_of_axe_light_or_dark_on_a_desk_or_a_phone(
    origin: str, browser: Browser, name: str
) -> None:
    context = browser.new_context(bypass_csp=True)  # axe itself is an inline script
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    broken = []
    for (width, height), theme in MODES + (OTHER_MODES if name == "index" else []):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        page.goto(f"{origin}/{name}.html")  # the theme looks at the width when it loads
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        if name == "digit":  # a page does not wait for the module that fills this one
            expect(page.locator(".digit-picks button")).to_have_count(20)
        page.evaluate(KEEP_ONE_WORD_OF_EACH_COLOUR)  # axe takes its time for each word of code
        for rule in Axe().run(page).response["violations"]:
            broken += [f"{theme}, {width} px: {rule['id']}: {node['target']} {node['html']}" for node in rule["nodes"]]
    context.close()
    assert broken == []


@pytest.mark.parametrize("served", [True, False], ids=["served", "opened as a file"])
def test_search_finds_the_lecture_of_a_word(built_site: Path, origin: str, browser: Browser, served: bool) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{origin if served else built_site.as_uri()}/search.html")
    page.locator("input[name=q]:visible").first.fill("broadcast")
    page.keyboard.press("Enter")
    expect(page.locator("#search-results a", has_text="06 · Losses").first).to_be_visible()
    page.locator("#search-results a", has_text="06 · Losses").first.click()
    expect(page.locator("h1")).to_contain_text("06 · Losses")
