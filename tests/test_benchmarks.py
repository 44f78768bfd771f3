"""The benchmarks: each of them can start, and what they measure of a submission is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

from course_copies import course_at, hand_in, solved
from machine import LINUX

IMPORT_ALL = """
import sys
from importlib.util import module_from_spec, spec_from_file_location

sys.path.insert(0, sys.argv[1])
for number, path in enumerate(sys.argv[2:]):
    spec = spec_from_file_location(f"benchmark_{number}", path)
    sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
"""
SPIN = """
import time, torch
from torch import nn

end = time.process_time() + 0.25
while time.process_time() < end:
    pass
"""


def test_each_benchmark_finds_what_it_imports(root: Path) -> None:
    LINUX.require()
    folder = root / "benchmarks"
    paths = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")
    assert len(paths) > 10
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, folder, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_submissions_own_code_takes_is_measured_for_each(root: Path, tmp_path: Path) -> None:
    LINUX.require()
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    hand_in(course, "slow", solved({"imports": SPIN}))
    command: list[str | Path] = [sys.executable, "-m", "classroom.own_code", course.root, "tiny", "ada", "slow"]
    env = {**os.environ, "PYTHONPATH": str(root / "benchmarks")}
    done = subprocess.run(command, env=env, cwd=tmp_path, check=True, capture_output=True, text=True)
    seconds = json.loads(done.stdout)
    assert 0 < seconds["ada"] < seconds["slow"]
    assert seconds["slow"] > 0.5, "a grading runs the cells twice"
