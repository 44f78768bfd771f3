"""What several test files share: the repository's places, the built site and a real Chromium."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ee559_course.browser import chromium, find_chromium
from ee559_course.site.build import build_site
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[1]
expect.set_options(timeout=60_000)  # a busy machine draws slowly; no test is about time


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the public site once for all tests that only read it."""
    output = tmp_path_factory.mktemp("build") / "site"
    build_site(output)
    return output


@pytest.fixture
def browser() -> Iterator[Browser]:
    if find_chromium() is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine: the page is not tested in a browser")
    with chromium() as instance:
        yield instance


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page that fails the test at its end if a script complained."""
    opened = browser.new_context(has_touch=True, viewport={"width": 900, "height": 1400}).new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield opened
    assert complaints == []
