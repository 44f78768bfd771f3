"""The parts of the confinement by themselves: the filter for each processor, what may be read, folders, the report."""

import errno
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest
from confinement_roles import temporary_folder
from ee559_course.cli import app
from ee559_sandbox import (
    Cgroup,
    Confinement,
    Ended,
    Limits,
    Usage,
    default_readable,
    find_shut_folder,
    find_usage,
    kill_process_tree,
    make_scratch,
    probe,
    remove_scratch,
    server_command,
    server_environment,
)
from ee559_sandbox import seccomp as filters
from ee559_sandbox.seccomp import ALLOW, ERRNO, KILL, Instruction, assemble
from ee559_sandbox.syscalls import BOTH, LAST_KNOWN, X86_64_ONLY, number_of
from machine import LINUX
from typer.testing import CliRunner

T = TypeVar("T")
MACHINES = ("x86_64", "aarch64")
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
EPERM, ENOSYS, PRETENDED = ERRNO | 1, ERRNO | 38, ERRNO


def judge(program: Sequence[Instruction], number: int, arguments: Sequence[int] = (), architecture: int = 0) -> int:
    """Run a filter as the kernel would."""
    words = [number, architecture, 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    accumulator = place = 0
    while True:
        code, true, false, operand = program[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = words[operand // 4]
        elif code == 0x54:
            accumulator &= operand
        elif code == 0x05:
            place += operand
        else:
            compare = {0x15: accumulator == operand, 0x25: accumulator > operand, 0x35: accumulator >= operand}
            place += true if compare.get(code, bool(accumulator & operand)) else false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("own_files_only", [True, False])
def test_filter_judges_every_call(machine: str, own_files_only: bool) -> None:
    def says(name: str, *arguments: int) -> int:
        number = number_of(name, machine)
        assert number is not None
        return judge(program, number, arguments, ARCHITECTURES[machine])

    program = assemble(machine, own_files_only)
    without_programs = assemble(machine, own_files_only, programs=False)
    starting = [number_of(name, machine) for name in ("execve", "execveat")]
    assert {judge(program, number or 0, (), ARCHITECTURES[machine]) for number in starting} == {ALLOW}
    assert {judge(without_programs, number or 0, (), ARCHITECTURES[machine]) for number in starting} == {EPERM}
    assert len(without_programs) <= 4096
    assert all(0 <= jump <= 255 for _, true, false, _ in program for jump in (true, false))
    refused = [name for name in filters.REFUSED if number_of(name, machine) is not None]
    assert len(refused) > 90
    assert {says(name) for name in refused} == {EPERM}
    assert says("clone3") == says("memfd_create") == ENOSYS
    assert says("setsid") == says("setpgid") == says("sync") == PRETENDED
    assert says("fchmodat") == (ALLOW if own_files_only else PRETENDED)
    assert says("utimensat") == (ALLOW if own_files_only else EPERM)
    assert says("kill", 1, 9) == ALLOW
    assert judge(program, LAST_KNOWN + 1, (), ARCHITECTURES[machine]) == ENOSYS
    named = {number_of(name, machine) for name in BOTH} | set(X86_64_ONLY.values())
    others = [number for number in range(LAST_KNOWN + 1) if number not in named]
    assert {judge(program, number, (1,) * 6, ARCHITECTURES[machine]) for number in others} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_filter_judges_arguments(machine: str) -> None:
    def says(name: str, *arguments: int) -> int:
        number = number_of(name, machine)
        assert number is not None
        return judge(program, number, arguments, ARCHITECTURES[machine])

    program = assemble(machine, True, signals_to=77)
    threads, new_user, new_network = 0x3D0F00, 0x10000000, 0x40000000
    assert says("clone", threads) == says("clone", signal.SIGTERM) == ALLOW
    assert says("clone", new_user) == says("clone", new_network | 17) == says("clone", 0x8000) == EPERM
    assert says("clone", 1 << 40 | new_user) == EPERM  # the high half of a register does not help
    assert says("socketpair", 1, 1 | 0o2000000) == ALLOW
    assert says("socketpair", 1, 2) == says("socketpair", 16, 1) == EPERM
    assert says("sendto", 5, 1, 1, 0, 0, 0) == ALLOW
    assert says("sendto", 5, 1, 1, 0, 1 << 32, 16) == EPERM
    assert says("fcntl", 0, 1) == ALLOW
    assert {says("fcntl", 0, command) for command in (8, 10, 15, 1024, 1026)} == {EPERM}
    assert says("ioctl", 0, 0x5401) == ALLOW
    assert says("ioctl", 0, 0x5412) == ERRNO | errno.ENOTTY  # TIOCSTI: type into another's terminal
    assert says("prctl", 15) == ALLOW
    assert says("prctl", 1, 0) == EPERM
    assert says("prlimit64", 0, 7) == ALLOW
    assert says("prlimit64", 78, 7) == says("sched_setaffinity", 78) == EPERM
    assert says("personality", 0xFFFFFFFF) == ALLOW
    assert says("personality", 0x40000) == EPERM
    assert says("kill", 77) == says("kill", 0) == says("tgkill", 77, 78) == ALLOW
    assert says("kill", 78) == says("kill", 0xFFFFFFFF) == says("tgkill", 78, 77) == says("tkill", 78) == EPERM


def test_filter_kills_foreign_calls() -> None:
    for machine, other in zip(MACHINES, reversed(MACHINES), strict=True):
        assert judge(assemble(machine, True), 0, (), ARCHITECTURES[other]) == KILL
        assert judge(assemble(machine, True), 0, (), 0x40000003) == KILL  # i386
    x32 = 0x40000000
    assert judge(assemble("x86_64", True), x32 | 41, (), ARCHITECTURES["x86_64"]) == KILL


def test_what_may_be_read_holds_nothing_of_the_course(root: Path) -> None:
    readable = default_readable()
    package = root / "utils" / "ee559"
    assert package in readable
    for shut in (root, Path.home(), root / "solutions", root / "tools", root / "tests", Path("/etc/passwd")):
        assert not [path for path in readable if shut.is_relative_to(path.resolve())]
    inside = [path for path in readable if path.is_relative_to(root)]
    assert all(path == package or path.is_relative_to(Path(sys.prefix)) for path in inside), inside
    assert Path(sys.prefix) not in readable


def test_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET", "secret")
    monkeypatch.setenv("EE559_CACHE", "/digits")
    values = server_environment(tmp_path)
    assert "secret" not in json.dumps(values)
    assert values["EE559_CACHE"] == "/digits"
    assert values["OMP_NUM_THREADS"] == "1"
    assert {values[name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")} <= {
        str(path) for path in (tmp_path, tmp_path / ".tmp", tmp_path / ".matplotlib", tmp_path / ".cache")
    }


@pytest.mark.parametrize(
    ("confinement", "confined"),
    [
        (Confinement(), False),
        (Confinement(landlock=7), False),
        (Confinement(seccomp=True, drops_privileges=True), False),
        (Confinement(landlock=2, seccomp=True), False),
        (Confinement(landlock=3, seccomp=True), True),
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
    monkeypatch.setattr(module, "TRIAL", module.TRIAL.replace("from ", broken + "from ", 1))
    without = probe()
    assert without == replace(found, fixed_scratch=False)
    assert without.confined == found.confined
    (line,) = [line for line in without.lines() if "fixed size" in line]
    assert line.startswith("✗") and "CAP_SYS_ADMIN" in line


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
        monkeypatch.setattr(module, "TRIAL", "pass")
        assert probe() == Confinement()
    else:
        (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        assert probe() == replace(found, bwrap="")


def test_command_without_namespaces_is_as_it_was(tmp_path: Path) -> None:
    assert server_command(Confinement(landlock=7, seccomp=True), ["python", "-V"], tmp_path, []) == ["python", "-V"]


def test_no_group_where_there_is_no_cgroup() -> None:
    with Cgroup(Confinement(), Limits()) as group:
        group.add(os.getpid())
        assert (group.processes(), group.peak_bytes(), group.nb_killed_for_memory()) == ([], None, 0)


def as_a_server(act: Callable[..., T], *arguments: object) -> T:
    """Call it in a process that has no other child: `kill_process_tree` spares none, not even other tests'."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(act, *arguments).result()


def end_a_child_that_ended_itself(collected: bool) -> Ended:
    child = os.fork()
    if child == 0:
        os._exit(7)
    os.waitid(os.P_PID, child, os.WEXITED | (0 if collected else os.WNOWAIT))
    return kill_process_tree(child)


@pytest.mark.needs(LINUX)
@pytest.mark.parametrize("collected", [True, False])
def test_end_of_a_child_that_ended_itself(collected: bool) -> None:
    ended = as_a_server(end_a_child_that_ended_itself, collected)
    assert (ended.status, ended.killed, ended.nb_left) == (None if collected else 7, False, 0)


@pytest.mark.needs(LINUX)
def test_scratch_folder_goes_whatever_is_in_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("kept")
    scratch = make_scratch(tmp_path)
    assert scratch.stat().st_mode & 0o777 == 0o700
    assert make_scratch(tmp_path).name != scratch.name
    (scratch / "link").symlink_to(outside)
    (scratch / "shut" / "in").mkdir(parents=True)
    (scratch / "shut" / "file").touch()
    (scratch / "shut" / "in").chmod(0)
    (scratch / "shut").chmod(0)
    (scratch / "\udcff\n").touch()
    here = os.open(scratch, os.O_RDONLY)
    for _ in range(1200):  # too deep for any path
        os.mkdir("deep", dir_fd=here)
        inner = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert find_usage(scratch, 0, Limits()).exceeded(Limits()) == "files"
    remove_scratch(scratch)
    assert not scratch.exists()
    assert (outside / "keep").read_text() == "kept"
    remove_scratch(scratch)


def use_and_end_a_child(folder: Path) -> tuple[Usage, Ended]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.write(writing, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(reading, 1)
    return find_usage(folder, child, Limits()), kill_process_tree(child)


@pytest.mark.needs(LINUX)
def test_usage_sees_files_and_processes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3 << 20))
    usage, ended = as_a_server(use_and_end_a_child, tmp_path)
    assert (usage.files, usage.processes) == (1, 1)
    assert 3 << 20 <= usage.file_bytes < 4 << 20
    assert usage.memory_bytes > 1 << 20
    assert usage.exceeded(Limits()) == ""
    assert usage.exceeded(Limits(file_bytes=2 << 20)) == "file_bytes"
    assert usage.exceeded(Limits(memory_bytes=1 << 20)) == "memory_bytes"
    assert ended.killed


@pytest.mark.needs(LINUX)
def test_doctor_names_a_folder_that_keeps_other_users_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_folder() as folder:
        python = Path(folder) / "private" / "python"
        python.mkdir(parents=True)
        shut = find_shut_folder(Path(folder)) or python.parent  # the folder for temporary files may be shut already
        python.parent.chmod(0o700)
        monkeypatch.setattr(sys, "base_prefix", str(python))
        said = CliRunner().invoke(app, ["doctor"]).output
    assert f"Python is in {python}, and other users may not enter {shut}: a grader" in said
    assert "cannot open shared object file" in said
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert "other users may not enter" not in CliRunner().invoke(app, ["doctor"]).output
