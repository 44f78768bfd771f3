"""nbgrader's formgrader, running for tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ee559_course.browser import end, free_port, wait_for
from playwright.sync_api import Page, expect


@contextmanager
def formgrader(course: Path) -> Iterator[str]:
    """Serve the formgrader of a course folder; give the addresses of its pages, with a place for the page."""
    port, token = free_port(), "grading"
    options = {"ServerApp.port": port, "IdentityProvider.token": token, "ServerApp.port_retries": 0}
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += ["--ServerApp.jpserver_extensions", "nbgrader.server_extensions.formgrader=True"]
    env = {**os.environ, "JUPYTER_CONFIG_DIR": str(course / "config")}  # and not what lies in the home folder
    with (course / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=course, env=env, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/api?token={token}")
            yield f"http://127.0.0.1:{port}/formgrader/{{}}?token={token}"
        finally:
            end(server)


def give_points(page: Page, cell: str, points: float) -> None:
    """Give points by hand to a cell of the submission that the page shows, and wait until they are saved."""
    # the page writes this when it has the gradebook's points, and before it would write over ours
    expect(page.locator(f"input.extra-credit#{cell}_extra_credit")).to_have_attribute("placeholder", "0")
    score = page.locator(f"input.score#{cell}")
    score.fill(str(points))
    with page.expect_response(lambda response: response.request.method == "PUT") as saved:
        score.press("Tab")
    assert saved.value.ok
