"""What a machine offers: it is tried, it is reported, and below the baseline nothing counts as confined."""

import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
from ee559_sandbox import (
    Confinement,
    Limits,
    probe,
)
from machine import LINUX


@pytest.mark.parametrize(
    ("confinement", "confined"),
    [
        (Confinement(), False),
        (Confinement(landlock=7), False),
        (Confinement(seccomp=True, drops_privileges=True), False),
        (Confinement(landlock=5, seccomp=True), False),
        (Confinement(landlock=6, seccomp=True), True),
        (Confinement(bwrap="/usr/bin/bwrap", seccomp=True), True),
        (Confinement(bwrap="/usr/bin/bwrap", landlock=7), False),
    ],
)
def test_confined_needs_files_network_and_processes(confinement: Confinement, confined: bool) -> None:
    assert confinement.confined == confined


def test_report_has_a_line_for_each_part() -> None:
    nothing = Confinement().lines()
    all_of_it = Confinement(7, True, "/usr/bin/bwrap", 2, ("/sys/fs/cgroup",), True, True)
    assert all(line.startswith("✗") and "Remedy: " in line for line in nothing)
    assert all(line.startswith("✓") and "Remedy" not in line for line in all_of_it.lines())
    assert len(nothing) == len(all_of_it.lines()) == 6
    assert Confinement.from_dict(json.loads(json.dumps(asdict(all_of_it)))) == all_of_it
    assert Limits(**json.loads(json.dumps(asdict(Limits(cpu_seconds=7))))) == Limits(cpu_seconds=7)


def test_probe_is_quick_and_the_same_again() -> None:
    first = probe()
    before = os.times()
    assert probe() == first
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1


@pytest.mark.needs(LINUX)
def test_a_folder_of_fixed_size_is_not_promised_where_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no mount is allowed, the rest holds as before, and the report says what is missing."""
    module: ModuleType = sys.modules["ee559_sandbox.probe"]
    broken = "import ee559_sandbox.child as child; child.fix_size = None; "
    found = probe()
    monkeypatch.setattr(module, "SELF_TEST", module.SELF_TEST.replace("from ", broken + "from ", 1))
    without = probe()
    assert without == replace(found, fixed_scratch=False)
    assert without.confined == found.confined
    (line,) = [line for line in without.lines() if "fixed size" in line]
    assert line.startswith("✗")
    assert "CAP_SYS_ADMIN" in line


@pytest.mark.parametrize("wrong", ["another system", "no folder", "a broken bwrap", "a mute Python"])
def test_probe_never_raises(wrong: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module: ModuleType = sys.modules["ee559_sandbox.probe"]
    found = probe()
    if wrong == "another system":
        monkeypatch.setattr(module, "LINUX", False)
        assert probe() == Confinement()
    elif wrong == "no folder":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
        assert probe() == Confinement()
    elif wrong == "a mute Python":
        monkeypatch.setattr(module, "SELF_TEST", "pass")
        assert probe() == Confinement()
    else:
        (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert probe() == replace(found, bwrap="")


@pytest.mark.needs(LINUX)
@pytest.mark.parametrize("version", [1, 3, 5])
def test_a_landlock_below_the_baseline_is_taken_for_none(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a machine confines where it has bubblewrap, and is refused where it has not."""
    module: ModuleType = sys.modules["ee559_sandbox.probe"]
    old = f"import ee559_sandbox.landlock as landlock; landlock.syscall = lambda *_: {version}; "
    found = probe()
    monkeypatch.setattr(module, "SELF_TEST", module.SELF_TEST.replace("from ", old + "from ", 1))
    assert probe() == replace(found, landlock=0)
    monkeypatch.setattr("shutil.which", lambda name: None)
    refused = probe()
    assert refused == replace(found, landlock=0, bwrap="")
    assert not refused.confined
    line = refused.lines()[0]
    assert line.startswith("✗ Landlock: ")
    assert "Linux 6.12 or newer" in line
    assert "(version 6 or more), or bubblewrap" in line
