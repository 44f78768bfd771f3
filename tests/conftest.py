"""What several test files share: the repository's places, the built site and a real Chromium."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ee559_course.browser import chromium, find_chromium
from ee559_course.site.build import build_site
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[1]
expect.set_options(timeout=60_000)  # a busy machine draws slowly; no test is about time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest, so that no process waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_practicals.py")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the public site once for all tests that only read it."""
    output = tmp_path_factory.mktemp("build") / "site"
    build_site(output)
    return output


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that does not print what it is asked for."""

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def origin(built_site: Path) -> Iterator[str]:
    """Serve the built site, as a web server would."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built_site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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
