"""Where another Python that the course is for is installed, README's command runs a sample of the suite with it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import PACKAGES, PYTHONS, find_python

OTHERS = [version for version in PYTHONS if version != f"{sys.version_info.major}.{sys.version_info.minor}"]
SAMPLE = (
    "test_batch.py::test_command_says_what_needs_a_look_by_its_exit_status_and_in_json",
    "test_checks.py",
    "test_counting.py",
    "test_sanitize.py",
    "test_images.py",
    "test_mnist.py",
    "sandbox/test_filter.py",
    "sandbox/test_parts.py",
    "sandbox/test_probe.py",
    "test_running.py",
    "test_targets.py",
    "test_training.py",
    "test_wire.py",
)


@pytest.mark.parametrize("version", [pytest.param(each, marks=pytest.mark.needs(PYTHONS[each])) for each in OTHERS])
def test_a_sample_passes_with_another_python(
    version: str, root: Path, record_property: Callable[[str, object], None]
) -> None:
    python = find_python(version)
    assert python is not None
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "PYTEST_"))}
    environment["EE559_VENV"] = str(root / "build" / "pythons" / version)  # it stays: the next run finds it made
    chosen = Path(sys.prefix) / "ee559-torch-index.txt"
    if chosen.exists():
        environment["EE559_TORCH_INDEX"] = chosen.read_text(encoding="utf-8").strip()
    command = [python, "course.py", "test", "-p", "no:cacheprovider", *(f"tests/{name}" for name in SAMPLE)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    if "There is no network" in done.stderr:
        PACKAGES.skip()
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.findall(r"^.*\b\d+ passed.*$", done.stdout, re.MULTILINE)
    assert counts
    record_property("also run", f"Python {version}: {counts[-1].strip('= ')}")
