"""On a machine with Python and nothing else a sample of the suite passes, and says in one list what is lacking."""

import ctypes
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from machine import BUBBLEWRAP, CGROUP, CHROMIUM, FIREFOX, LANDLOCK, ROOT, X86_64
from users import CLONE_NEWNS, MS_BIND, MS_PRIVATE, MS_REC

pytestmark = pytest.mark.needs(X86_64, LANDLOCK)  # without bubblewrap, only Landlock confines
HIDDEN = ("chrom*", "google-chrome*", "msedge*", "firefox*", "bwrap", "node*", "npm", "npx", "git*")
SAMPLE = (
    "tests/test_pdf.py::test_every_chapter_has_a_bookmark_to_the_page_that_begins_with_its_title",
    "tests/test_firefox.py::test_the_network_reads_a_digit_that_is_picked",
    "tests/test_student_way.py",
    "tests/test_instructors_way.py",
    "tests/test_running.py::test_a_submission_that_takes_all_memory_is_told_so",
    "tests/test_running.py::test_cells_share_a_namespace_and_show_what_notebooks_show",
    "tests/sandbox/test_limits.py::test_memory_is_limited",
    "tests/sandbox/test_limits.py::test_group_counts_and_limits_all_together",
    "tests/test_course.py::test_second_set_up_does_nothing",
)


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


def hide_what_only_root_can_hide() -> None:
    """Cover control groups and bubblewrap, which is looked for in /usr/bin too, in this process and its children."""
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNS) == 0:
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        libc.mount(b"none", b"/sys/fs/cgroup", b"tmpfs", 0, b"mode=555")
        for program in (b"/usr/bin/bwrap", b"/bin/bwrap"):
            libc.mount(b"/dev/null", program, None, MS_BIND, None)


def test_a_sample_passes_and_the_list_says_what_is_lacking_and_what_brings_it(
    root: Path, bare_path: Path, tmp_path: Path
) -> None:
    hidden = {"PATH": str(bare_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "browsers")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rpfE", *SAMPLE],
        cwd=root,
        env={key: value for key, value in os.environ.items() if key != "CI"} | hidden,
        preexec_fn=hide_what_only_root_can_hide,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _, heading, listed = done.stdout.partition("what this machine lacks")
    assert heading
    lacking = [CHROMIUM, FIREFOX, *([BUBBLEWRAP, CGROUP] if ROOT.is_here() else [])]
    assert [each.name for each in lacking if f" skipped: {each.reason}\n" not in listed] == []
    for test in (
        "test_cells_share_a_namespace",
        "test_a_submission_that_takes_all_memory",
        "test_nbgraders_own_commands",
    ):
        assert re.search(f"^PASSED .*::{test}", listed, re.MULTILINE), listed
