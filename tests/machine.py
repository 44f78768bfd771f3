"""What some tests need besides Python: where it is missing they are skipped, and the reason says how to get it.

To add a requirement, name it here, without an article, with a remedy that begins with a verb; then mark the tests with
``@pytest.mark.needs(IT)``, or call ``IT.require()`` in a fixture. The fixture ``browser`` needs Chromium by itself.
"""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from ee559.training import select_device
from ee559_course.browser import find_chromium
from ee559_sandbox import probe
from ee559_sandbox.landlock import OLDEST
from firefox import find_firefox
from users import can_play_ordinary_user


@dataclass(frozen=True)
class Requirement:
    """A part of the machine; a test asks for it by ``@pytest.mark.needs(…)``, or as it runs.

    Attributes:
        name: what it is.
        remedy: how to get it.
        is_here: looks for it.
        in_ci: whether CI must have it, so that missing it is a failure there.
    """

    name: str
    remedy: str
    is_here: Callable[[], bool]
    in_ci: bool = False

    @property
    def reason(self) -> str:
        """Why a test is skipped: the list at the end of a run counts the tests by it."""
        return f"no {self.name}. To get it: {self.remedy}"

    def require(self) -> None:
        """Skip the test that is running, unless it is here."""
        if not self.is_here():
            self.skip()

    def skip(self) -> NoReturn:
        """Skip the test that is running; in CI fail it, if CI must have this."""
        if self.in_ci and os.environ.get("CI"):
            pytest.fail(f"{self.reason} (CI must have it)")
        pytest.skip(self.reason)


PLACES_OF_PYTHONS = (".pyenv/versions/{}.*/bin/python", ".local/share/uv/python/cpython-{}.*/bin/python")
TRY_PYTHON = """
import ensurepip, ssl, sys, sysconfig, venv
print("no" if sysconfig.get_config_var("Py_GIL_DISABLED") else "%d.%d" % sys.version_info[:2])
"""


@cache
def find_python(version: str) -> str | None:
    """Return an installed Python of a version such as 3.12, if it can make environments; else None."""
    of_home = (path for place in PLACES_OF_PYTHONS for path in Path.home().glob(place.format(version)))
    for python in filter(None, (shutil.which(f"python{version}"), *map(str, of_home))):
        with contextlib.suppress(OSError):  # such as a program for another processor
            if subprocess.run([python, "-c", TRY_PYTHON], capture_output=True, text=True).stdout.strip() == version:
                return python
    return None


def _can_mount() -> bool:
    """Try it; what is mounted is gone at once."""
    if sys.platform != "linux" or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode != 0:
            return False
        return subprocess.run(["umount", folder], capture_output=True).returncode == 0


def _python(version: str) -> Requirement:
    packages = f"install the packages python{version} and python{version}-venv, or Python {version} in another way"
    return Requirement(f"Python {version}", packages, lambda: find_python(version) is not None)


LINUX = Requirement("Linux", "use Linux, or a container of it", lambda: sys.platform == "linux")
X86_64 = Requirement(
    "Linux on x86_64",
    "use a Linux machine with such a processor",
    lambda: LINUX.is_here() and platform.machine() == "x86_64",
)
POSIX = Requirement("POSIX system", "use Linux or macOS", lambda: os.name == "posix")
CONFINEMENT = Requirement(
    "way to confine students' code",
    "use Linux 6.12 or newer with Landlock, or install the package bubblewrap",
    cache(lambda: probe().confined),
    in_ci=sys.platform == "linux",
)
LANDLOCK = Requirement(
    f"Landlock of version {OLDEST} or newer",
    "use Linux 6.12 or newer with `landlock` in /sys/kernel/security/lsm",
    cache(lambda: probe().landlock >= OLDEST),
)
BUBBLEWRAP = Requirement(
    "working bubblewrap", "install the package bubblewrap, and allow user namespaces", cache(lambda: probe().namespaces)
)
CGROUP = Requirement(
    "control group",
    "run the tests as root, where /sys/fs/cgroup can be written",
    cache(lambda: probe().cgroup_version > 0),
)
FIXED_SCRATCH = Requirement(
    "scratch folder of fixed size",
    "allow user namespaces, or run the tests as root with the capability CAP_SYS_ADMIN",
    cache(lambda: probe().fixed_scratch),
)
MOUNTS = Requirement(
    "right to mount a file system", "run the tests as root with the capability CAP_SYS_ADMIN", cache(_can_mount)
)
ROOT = Requirement("root", "run the tests as root", lambda: POSIX.is_here() and os.getuid() == 0)
ORDINARY_USER = Requirement(
    "ordinary user who can run this Python",
    "use a Python and a copy of the course that every user may read, such as in /usr and /srv",
    cache(can_play_ordinary_user),
)
USERS = {"root": ROOT, "ordinary": ORDINARY_USER}
CHROMIUM = Requirement(
    "Chromium or Chrome",
    "run `.venv/bin/playwright install chromium`, or install the package chromium",
    cache(lambda: find_chromium() is not None),
    in_ci=True,
)
FIREFOX = Requirement(
    "Firefox", "install the package firefox-esr or firefox", lambda: find_firefox() is not None, in_ci=True
)
GPU = Requirement(
    "GPU (CUDA or MPS)",
    "use a machine with a GPU, and a PyTorch that was built for it",
    lambda: select_device().type != "cpu",
)
OPENSSL = Requirement("openssl", "install the package openssl", lambda: shutil.which("openssl") is not None)
PACKAGES = Requirement(
    "package index within reach", "connect to a network, and run the tests again", lambda: True, in_ci=True
)
"""Only an installation tells whether it is: a test that installs calls ``skip`` if not."""
PYTHONS = {version: _python(version) for version in ("3.11", "3.12", "3.13")}
