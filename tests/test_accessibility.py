"""Every page passes axe's rules, light and dark, on a desk and on a phone; what is sought is found."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from ee559_course.browser import chromium
from machine import CHROMIUM
from playwright.sync_api import Browser, expect

PHONE, DESK = (390, 844), (1280, 800)
THEMES = ("light", "dark")


def violations(site: Path, origin: str, size: tuple[int, int], theme: str) -> list[str]:
    """Run axe on every page in a browser of its own, and list what breaks a rule."""
    found = []
    with chromium() as browser:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            bypass_csp=True,  # axe itself is an inline script
        )
        for path in sorted(site.rglob("*.html")):
            page = context.new_page()
            page.set_default_timeout(120_000)  # a busy machine loads slowly
            page.goto(f"{origin}/{path.relative_to(site).as_posix()}")
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            if path.name == "digit.html":  # a page does not wait for the module that fills this one
                expect(page.locator(".digit-picks button")).to_have_count(20)
            for rule in Axe().run(page).response["violations"]:
                for node in rule["nodes"]:
                    found.append(
                        f"{path.name}, {theme}, {size[0]} px: {rule['id']}: {node['target']} {node['html'][:120]}"
                    )
            page.close()
    return found


@pytest.mark.needs(CHROMIUM)
def test_no_page_breaks_a_rule_of_axe_light_or_dark_on_a_desk_or_a_phone(built_site: Path, origin: str) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(violations, built_site, origin, size, theme) for size in (DESK, PHONE) for theme in THEMES]
    assert [problem for run in runs for problem in run.result()] == []


@pytest.mark.parametrize("served", [True, False], ids=["served", "opened as a file"])
def test_search_finds_the_lecture_of_a_word(built_site: Path, origin: str, browser: Browser, served: bool) -> None:
    page = browser.new_page()
    page.goto(f"{origin if served else built_site.as_uri()}/search.html")
    page.locator("input[name=q]:visible").first.fill("broadcast")
    page.keyboard.press("Enter")
    expect(page.locator("#search-results a", has_text="06 · Losses").first).to_be_visible()
    page.locator("#search-results a", has_text="06 · Losses").first.click()
    expect(page.locator("h1")).to_contain_text("06 · Losses")
