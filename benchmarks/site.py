"""Build the site cold, unchanged, with one lecture changed and with `ee559` changed; weigh its lectures in Chromium.

Run: python benchmarks/site.py. It works on a copy of the course. Exits with 1 if building the unchanged site takes over
3 % of the cold build's time, one changed lecture costs over 5 s more than its own run, or a lecture's page has over
300 KB or 20 requests or is not usable within 1 s. Times are medians of three, but for builds that run all lectures.
"""

import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
from ee559_course.browser import chromium
from ee559_course.paths import ROOT
from nbclient import NotebookClient
from playwright.sync_api import Browser, Response

UNCHANGED, BESIDE_ITS_RUN = 0.03, 5.0
KILOBYTES, REQUESTS, SECONDS = 300.0, 20, 1.0
BUILD = "import ee559_course.cli, sys, pathlib; ee559_course.cli.build_site(pathlib.Path(sys.argv[1]))"
FIGURES_DATA = re.compile(r'data:image/png;base64,[^"]*|data-state="[^"]*"')
LECTURE = Path("lectures") / "03-max-pooling.ipynb"


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that does not print what it is asked for."""

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


def copy_course(target: Path) -> None:
    """Copy the repository without its environment, its history and what has been built."""
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info"))


def build(course: Path) -> float:
    """Return the seconds of building the copy's site in a fresh interpreter."""
    path = os.pathsep.join(str(course / part) for part in ("tools", "utils"))
    command = [sys.executable, "-c", BUILD, str(course / "build" / "site")]
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def run_and_build(course: Path, notebook: Path) -> tuple[float, float]:
    """Return the seconds of a lecture's cells in a fresh kernel, its start included, and of a build after a change."""
    start = time.perf_counter()
    NotebookClient(nbformat.read(notebook, as_version=4), kernel_name="ee559").execute()
    alone = time.perf_counter() - start
    change_code(notebook)
    return alone, build(course)


def change_code(notebook: Path) -> None:
    """Add a comment to the first code cell of a lecture."""
    changed = nbformat.read(notebook, as_version=4)
    next(cell for cell in changed.cells if cell.cell_type == "code").source += "\n# changed"
    nbformat.write(changed, notebook)


def time_builds(course: Path) -> bool:
    """Print how long each kind of build takes, with its ratio to the cold one; return whether all are fast enough."""
    cold = build(course)

    def line(name: str, seconds: float, note: str = "") -> None:
        print(f"{name:34} {seconds:6.1f} s   {seconds / cold:6.1%} of cold   {note}", flush=True)

    line("cold", cold)
    unchanged = statistics.median(build(course) for _ in range(3))
    line("unchanged", unchanged, f"(limit {UNCHANGED:.0%})")
    alone, changed = zip(*(run_and_build(course, course / LECTURE) for _ in range(3)), strict=True)
    beside = statistics.median(with_pages - run for run, with_pages in zip(alone, changed, strict=True))
    line("one lecture's run alone", statistics.median(alone))
    line(
        "that lecture changed",
        statistics.median(changed),
        f"beside its run {beside:.1f} s (limit {BESIDE_ITS_RUN:g} s)",
    )
    with (course / "utils" / "ee559" / "timing.py").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    line("ee559 changed", build(course), "(all lectures run again)")
    return unchanged <= UNCHANGED * cold and beside <= BESIDE_ITS_RUN


def weigh(browser: Browser, address: str) -> tuple[float, int, float, float]:
    """Return a page's compressed kilobytes without figures' data, requests, seconds to paint and until usable."""
    page = browser.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(address, wait_until="networkidle")
    size = 0
    for answer in answers:
        body = answer.body()
        if answer.url == address:
            body = FIGURES_DATA.sub("", body.decode("utf-8")).encode()
        size += len(gzip.compress(body))
    paint, usable = page.evaluate(
        "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
        " performance.getEntriesByType('navigation')[0].loadEventEnd]"
    )
    page.close()
    return size / 1000, len(answers), paint / 1000, usable / 1000


def weigh_lectures(site: Path) -> bool:
    """Print a line for each lecture's page; return whether all are light and fast enough."""
    fine = True
    handler = partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, chromium() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for path in sorted((site / "lectures").glob("*.html")):
            loads = [weigh(browser, f"http://127.0.0.1:{server.server_port}/lectures/{path.name}") for _ in range(3)]
            size, requests, paint, usable = (statistics.median(values) for values in zip(*loads, strict=True))
            print(f"{path.stem:36} {size:5.0f} KB {requests:3.0f} requests  paint {paint:.2f} s  usable {usable:.2f} s")
            fine = fine and size <= KILOBYTES and requests <= REQUESTS and usable <= SECONDS
        server.shutdown()
    print(f"{'limits':36} {KILOBYTES:5.0f} KB {REQUESTS:3} requests{'':14}usable {SECONDS:.2f} s")
    return fine


def main() -> int:
    """Print the builds' times, then the lectures' weights."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        copy_course(course)
        fast = time_builds(course)
        light = weigh_lectures(course / "build" / "site")
    return int(not (fast and light))


if __name__ == "__main__":
    sys.exit(main())
