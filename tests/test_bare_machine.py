"""On a machine with Python and nothing else a sample of the suite passes, and says in one list what is lacking."""

import ctypes
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from confinement_roles import CLONE_NEWNS, MS_PRIVATE, MS_REC
from machine import BUBBLEWRAP, CGROUP, CHROMIUM, FIREFOX, LINUX, Requirement

pytestmark = pytest.mark.needs(LINUX)
HIDDEN = ("chrom*", "google-chrome*", "msedge*", "firefox*", "bwrap", "node*", "npm", "npx", "git*")
SAMPLE = (
    "tests/test_pdf.py::test_every_chapter_has_a_bookmark_to_the_page_that_begins_with_its_title",
    "tests/test_firefox.py::test_the_network_reads_a_digit_that_is_picked",
    "tests/test_student_way.py",
    "tests/test_instructors_way.py",
    "tests/test_running.py::test_a_submission_that_takes_all_memory_is_told_so",
    "tests/test_running.py::test_cells_share_a_namespace_and_show_what_notebooks_show",
    "tests/test_confinement.py::test_memory_is_limited",
    "tests/test_confinement.py::test_group_counts_and_limits_all_together",
    "tests/test_course.py::test_second_set_up_does_nothing",
)
CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder with links to all programs but those that a bare machine lacks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.get_exec_path():
        for program in Path(place).glob("*"):
            link = folder / program.name
            if not link.is_symlink() and not any(fnmatch(program.name, name) for name in HIDDEN):
                link.symlink_to(program)
    return folder


def hide_control_groups() -> None:
    """Cover /sys/fs/cgroup in this process and its children; only root has some to hide, or the right to."""
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNS) == 0:
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        libc.mount(b"none", os.fsencode(CGROUPS), b"tmpfs", 0, b"mode=555")


def test_a_sample_passes_and_the_list_says_what_is_lacking_and_what_brings_it(
    root: Path, bare_path: Path, tmp_path: Path
) -> None:
    hidden = {"PATH": str(bare_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "browsers")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *SAMPLE],
        cwd=root,
        env={key: value for key, value in os.environ.items() if key != "CI"} | hidden,
        preexec_fn=hide_control_groups,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, heading, listed = done.stdout.partition("what this machine lacks")
    assert heading

    def says(requirement: Requirement) -> bool:
        reason, remedy = f"{requirement.reason}: ", f"skipped. What brings it: {requirement.remedy}"
        return any(line.startswith(reason) and line.endswith(remedy) for line in listed.splitlines())

    assert [lacking.name for lacking in (CHROMIUM, FIREFOX, BUBBLEWRAP, CGROUP) if not says(lacking)] == []
