"""What a process may use up, and that nothing is left of it, by root and by an ordinary user."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from ee559_sandbox import Cgroup, Confinement, Limits, cgroup_home, probe
from environment import PROCESS_NAME, Environment
from machine import CGROUP, X86_64
from sandboxes import WITH_LANDLOCK, Sandbox, Server, each, make_order

pytestmark = pytest.mark.needs(X86_64)  # the jobs are written for it


def hostile_processes() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["name"]) if process.info["name"] == PROCESS_NAME]


def test_daemon_is_gone(landlocked: Sandbox, environments: dict[str, Environment]) -> None:
    said = landlocked.run("daemon", environments[landlocked.user].look(), spare=True)
    assert said["said"] is True
    assert said["spared"] == 1, "killing the first process alone would have left the daemon"
    assert said["left"] == 0
    assert hostile_processes() == []


def test_daemon_of_a_free_child_is_gone(free: Server, environments: dict[str, Environment]) -> None:
    said = free.run("daemon", None, environments[free.user].look(), spare=True)
    assert (said["spared"], said["left"]) == (1, 0)
    assert hostile_processes() == []


def test_fork_bomb_is_contained_and_gone(sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    limits = Limits(processes=40)
    said = sandbox.run("fork bomb", environments[sandbox.user].look(), limits, until="stopped", longer=0.3)
    assert "Resource temporarily unavailable" in said["stopped"]
    assert said["ended"]["nb_left"] == said["left"] == 0
    assert hostile_processes() == []


def ends_with_its_server(sandbox: Sandbox, job: str) -> bool:
    """A daemon outlives a server that is killed, where there is no namespace."""
    return job != "daemon" or sandbox.bubblewrap


@each(WITH_LANDLOCK, ["sleep", "daemon"], ends_with_its_server)
def test_child_ends_with_its_server(job: str, sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    server = sandbox.server.start_another()
    try:
        order = make_order(job, sandbox.confinement, environments[sandbox.user].look(), until="never", seconds=60)
        server.send(**order)
        wait_for(hostile_processes)
    finally:
        server.close()
    wait_for(lambda: not hostile_processes())


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("job", ["memory", "shared memory"])
def test_memory_is_limited(job: str, landlocked: Sandbox, environments: dict[str, Environment]) -> None:
    said = landlocked.run(job, environments[landlocked.user].look(), Limits(memory_bytes=400 << 20))
    assert said.get("said") is False, said
    assert said["ended"]["peak_bytes"] < 2 << 30


def test_huge_file_is_cut(landlocked: Sandbox, environments: dict[str, Environment]) -> None:
    said = landlocked.run("huge file", environments[landlocked.user].look(), Limits(file_bytes=32 << 20))
    assert said["said"] is False
    assert "File too large" in said["error"]


@pytest.mark.parametrize(("job", "limit"), [("deleted files", "file_bytes"), ("many files", "files")])
def test_sum_of_files_is_seen_where_the_folder_can_grow(
    job: str, limit: str, landlocked: Sandbox, environments: dict[str, Environment]
) -> None:
    limits, seen = Limits(file_bytes=8 << 20, files=300), environments[landlocked.user].look()
    growing = replace(landlocked.confinement, fixed_scratch=False)
    said = landlocked.server.run(job, growing, seen, limits, look=True)
    assert said["exceeded"] == limit
    assert said["left"] == 0
    calm = landlocked.server.run("temporary files", growing, seen, limits, look=True)
    assert calm["said"] is True
    assert calm["exceeded"] == ""


def test_deleted_files_that_are_mapped_count(landlocked: Sandbox, environments: dict[str, Environment]) -> None:
    """Without a folder of fixed size nothing ends at the limit, though the files are looked at."""
    landlocked.require_fixed_scratch()
    limits, seen = Limits(file_bytes=32 << 20), environments[landlocked.user].look()
    job = "deleted files, open or mapped"
    for _ in range(2):  # what the first held is free again
        said = landlocked.run(job, seen, limits, look=True)
        assert said["said"] is False
        assert "No space left" in said["error"]
        assert said["held"] <= 32 << 20
        assert said["exceeded"] == ""
        assert said["left"] == 0
    free = landlocked.server.run(job, replace(landlocked.confinement, fixed_scratch=False), seen, limits)
    assert free["held"] == 256 << 20


@pytest.mark.parametrize("job", ["files together", "many files"])
def test_folder_of_fixed_size_is_full_at_its_limits(
    job: str, landlocked: Sandbox, environments: dict[str, Environment]
) -> None:
    landlocked.require_fixed_scratch()
    limits, seen = Limits(file_bytes=32 << 20, files=300), environments[landlocked.user].look()
    said = landlocked.run(job, seen, limits)
    assert said["said"] is False
    assert "No space left" in said["error"]
    assert landlocked.run("temporary files", seen, limits)["said"] is True


@pytest.mark.parametrize(
    "sandbox", [sandbox for sandbox in WITH_LANDLOCK if sandbox.user == "root"], ids=str, indirect=True
)
def test_folder_of_fixed_size_counts_as_memory(sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    if not sandbox.confinement.cgroup_version:
        CGROUP.skip()
    sandbox.require_fixed_scratch()
    limits = Limits(memory_bytes=100 << 20, file_bytes=1 << 30)
    said = sandbox.run("deleted files, open or mapped", environments[sandbox.user].look(), limits, grouped=True)
    assert "said" not in said
    assert said["killed_for_memory"] > 0
    assert said["peak"] <= 100 << 20


def test_processor_time_ends(free: Server, environments: dict[str, Environment]) -> None:
    said = free.run("processor", free.confinement, environments[free.user].look(), Limits(cpu_seconds=1), seconds=60)
    assert said["ended"]["status"] == -9  # the hard limit: it ignored the soft one
    assert 1 < said["ended"]["cpu_seconds"] < 4


@pytest.mark.parametrize(
    "sandbox", [sandbox for sandbox in WITH_LANDLOCK if sandbox.user == "root"], ids=str, indirect=True
)
def test_group_counts_and_limits_all_together(sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    if not sandbox.confinement.cgroup_version:
        CGROUP.skip()
    limits = Limits(memory_bytes=500 << 20, processes=20)
    seen = environments[sandbox.user].look()
    said = sandbox.run("memory together", seen, limits, grouped=True)
    assert said["said"] is not True if "said" in said else True
    assert said["killed_for_memory"] > 0
    assert (400 << 20) < said["peak"] <= (500 << 20)
    said = sandbox.run("fork bomb", seen, limits, grouped=True, until="stopped", longer=0.3)
    assert 0 < said["processes"] <= 20
    assert said["left"] == 0
    assert sandbox.work("train", seen, grouped=True)["said"] is True


@pytest.fixture
def found() -> Iterator[Confinement]:
    """What confines here, with control groups of the test's own, which no other caller tidies up."""
    here = probe()
    parents = [Path(parent, f"ee559-test-{os.getpid()}") for parent in here.cgroup_parents]
    for parent in parents:
        parent.mkdir()
        if here.cgroup_version == 2:
            (parent / "cgroup.subtree_control").write_text("+memory +pids")
    yield replace(here, cgroup_parents=tuple(map(str, parents)))
    for parent in parents:
        parent.rmdir()


@pytest.mark.needs(CGROUP)
def test_left_over_groups_are_removed(found: Confinement) -> None:

    def names() -> set[str]:
        return {str(path) for parent in found.cgroup_parents for path in Path(parent).glob("ee559-sandbox-*")}

    code = (
        "import json, os, sys\n"
        "from ee559_sandbox import *\n"
        "found = Confinement.from_dict(json.loads(sys.argv[1]))\n"
        "manager = cgroup_home(found)\n"
        "home = manager.__enter__()\n"
        "Cgroup(home, Limits()).create()\n"
        "print(*home.cgroup_parents, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, json.dumps(asdict(found))], capture_output=True, text=True)
    lost = set(killed.stdout.split())
    assert lost
    assert lost <= names()
    with cgroup_home(found) as outer:
        with cgroup_home(found) as inner, Cgroup(inner, Limits()) as group:
            assert all(folder.is_dir() for folder in group.folders)
            assert set(outer.cgroup_parents) <= names()  # what is in use stays
        assert not lost & names()
    assert not set(outer.cgroup_parents) & names()
