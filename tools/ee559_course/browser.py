"""Real JupyterLab in a real Chromium, for the tests and for README's picture."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, or else of the one that Playwright has installed, or None."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None) or _playwrights_own()


def _playwrights_own() -> str | None:
    def ask() -> str:
        with sync_playwright() as playwright:
            return playwright.chromium.executable_path

    with ThreadPoolExecutor(1) as pool:  # a thread can run only one Playwright, and this one may already
        path = pool.submit(ask).result()
    return path if Path(path).exists() else None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the installed Chromium without a window.

    Raises:
        RuntimeError: there is none.
    """
    executable = find_chromium()
    if executable is None:
        raise RuntimeError(
            f"No Chromium on this machine (looked for {', '.join(CHROMIUM_NAMES)}). Install one, or run "
            "`playwright install chromium`, and try again."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: the folder that it serves, and how to reach it."""

    folder: Path
    port: int
    token: str

    def address(self, name: str) -> str:
        """Return the address that opens one file of the folder."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{name}?reset&token={self.token}"


@contextmanager
def jupyterlab(folder: Path) -> Iterator[Lab]:
    """Serve JupyterLab on a copy of ``folder``, with settings of its own."""
    port = free_port()
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "lectures"
        shutil.copytree(folder, copy)
        settings = {
            f"JUPYTER{part}_DIR": str(Path(scratch) / part) for part in ("_CONFIG", "LAB_SETTINGS", "LAB_WORKSPACES")
        }
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
        ]
        command += [
            f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={copy}",
        ]
        with (Path(scratch) / "log").open("w") as log:
            server = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=subprocess.STDOUT)
            try:
                wait_for(f"http://127.0.0.1:{port}/api?token={token}")
                yield Lab(copy, port, token)
            finally:
                end(server)


def end(server: subprocess.Popen[bytes]) -> None:
    """Let a server end, or kill it if a busy machine gives it no time."""
    server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def free_port() -> int:
    """Return a port of the loopback address that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, seconds: float = 120) -> None:
    """Wait until the address answers.

    Raises:
        TimeoutError: it did not within ``seconds``.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"JupyterLab did not answer within {seconds:g} s.")


def open_notebook(page: Page, lab: Lab, name: str) -> None:
    """Open a notebook and wait for its kernel; what is run before that is dropped without a word."""
    page.set_default_timeout(120_000)  # a busy machine starts kernels slowly
    page.goto(lab.address(name))
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.locator("#jp-main-statusbar").get_by_text(re.compile(r"\| Idle$")).wait_for()


def run_all_cells(page: Page, lab: Lab, name: str, seconds: float = 300) -> NotebookNode:
    """Open a notebook in a fresh kernel, run all its cells and save it; return it as saved, with its outputs.

    Raises:
        TimeoutError: not every code cell ran within ``seconds``, for example because one before it failed.
    """
    open_notebook(page, lab, name)
    page.locator(".lm-MenuBar-item", has_text=re.compile("^Run$")).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.wait_for_timeout(500)
        page.keyboard.press("Control+s")
        try:
            notebook: NotebookNode = nbformat.read(lab.folder / name, as_version=4)
        except nbformat.reader.NotJSONError:  # it is being written
            continue
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if all(cell.execution_count for cell in code):
            return notebook
    waiting = [cell.id for cell in code if not cell.execution_count]
    raise TimeoutError(f"{name} did not run whole within {seconds:g} s; not run: {', '.join(waiting)}")


def photograph_lab(notebook: Path, heading: str, output: Path) -> None:
    """Run ``notebook`` in JupyterLab and write a picture of what a student sees under one of its headings."""
    with jupyterlab(notebook.parent) as lab, chromium() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 850})
        run_all_cells(page, lab, notebook.name)
        page.locator('[data-id="table-of-contents"]').first.click()
        page.locator(".jp-tocItem-content", has_text=heading).click()
        page.wait_for_timeout(1500)  # it goes on scrolling while pictures come in
        output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=output)
