"""What several test files share: the repository's places, the built site, real browsers, and what the machine lacks."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from ee559_course.browser import chromium
from ee559_course.site.build import build_site
from machine import CHROMIUM
from patience import PATIENCE
from playwright.sync_api import Browser, BrowserContext, Page, expect

T = TypeVar("T", BrowserContext, Page)
ROOT = Path(__file__).resolve().parents[1]
LONGEST = ("test_practicals.py", "test_other_pythons.py", "test_batch.py")
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process waits for one at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*requirements): requirements of machine.py without which the test is skipped"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test before anything is made for it, where the machine lacks what it needs."""
    needed = [requirement for mark in item.iter_markers("needs") for requirement in mark.args]
    if "browser" in getattr(item, "fixturenames", ()):
        needed.append(CHROMIUM)
    for requirement in needed:
        requirement.require()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what else was run, and list what this machine lacks, with the number of tests skipped and how to get it."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.line(f"{name}: {value}")
    skipped = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
    )
    if not skipped:
        return
    terminalreporter.section("what this machine lacks")
    for reason, tests in sorted(skipped.items()):
        terminalreporter.line(f"{tests} {'test' if tests == 1 else 'tests'} skipped: {reason}")


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run, which chooses samples; ``--randomly-seed=SEED`` gives the same ones again."""
    return int(getattr(request.config.option, "randomly_seed", 0) or 0)


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
    def patient(make: Callable[..., T]) -> Callable[..., T]:
        def made(**options: Any) -> T:
            it = make(**options)
            it.set_default_timeout(PATIENCE)
            return it

        return made

    with chromium() as instance, pytest.MonkeyPatch.context() as patch:
        patch.setattr(instance, "new_context", patient(instance.new_context))
        patch.setattr(instance, "new_page", patient(instance.new_page))
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
