"""The parts of the sandbox by themselves: environment, groups, the end of a process tree, scratch folders, usage."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pytest
from ee559_sandbox import (
    Cgroup,
    Confinement,
    Limits,
    ProcessExit,
    Usage,
    default_readable,
    find_usage,
    kill_process_tree,
    make_scratch,
    remove_scratch,
    server_command,
    server_environment,
)
from machine import LINUX

T = TypeVar("T")


def test_readable_of_a_python_is_what_runs_it_and_no_folder_that_it_lies_in(tmp_path: Path) -> None:
    readable = default_readable()
    for shut in (Path(__file__), Path.home(), Path("/etc/passwd"), tmp_path):
        assert not [path for path in readable if shut.is_relative_to(path.resolve())]
    assert Path(sys.prefix) not in readable
    assert Path(json.__file__).parents[1] in readable


def test_readable_holds_the_packages_that_are_asked_for_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "edited"
    package.mkdir()
    (package / "__init__.py").touch()
    assert [path for path in default_readable(["edited", "absent"]) if tmp_path in path.parents] == [package]
    assert package not in default_readable()


def test_environment_is_ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET", "secret")
    monkeypatch.setenv("DATA", "/data")
    values = server_environment(tmp_path, ["DATA", "NOT_SET"])
    assert "secret" not in json.dumps(values)
    assert values["DATA"] == "/data"
    assert not {"DATA", "NOT_SET"} & server_environment(tmp_path).keys()
    assert values["OMP_NUM_THREADS"] == "1"
    assert {values[name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")} <= {
        str(path) for path in (tmp_path, tmp_path / ".tmp", tmp_path / ".matplotlib", tmp_path / ".cache")
    }


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


def end_a_child_that_ended_itself(collected: bool) -> ProcessExit:
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


def use_and_end_a_child(folder: Path) -> tuple[Usage, ProcessExit]:
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
