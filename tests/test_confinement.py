"""Confinement, by attack: each hostile act succeeds when free, and fails when confined; honest work goes on.

Everything is done four times over: by a grader who is root and by an ordinary user, with and without bubblewrap; and
with an old Landlock, which lets signals through, and with none.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from confinement_ways import WAYS, Server, Way, make_order, make_servers
from confinement_world import PROCESS_NAME, World
from ee559_sandbox import Cgroup, Confinement, Limits, cgroup_home, probe
from ee559_sandbox.model import LANDLOCK_SIGNALS
from honest_acts import HONEST, PROGRAMS, SLOW
from hostile_acts import ACTS, AGAINST_PARENT, MAY_BE_CLOSED, NEEDS_ROOT
from machine import CGROUP, LANDLOCK, ROLES, X86_64
from starting_acts import STARTING

pytestmark = pytest.mark.needs(X86_64)  # the acts are written for it


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[tuple[str, bool], Server]]:
    with make_servers() as started:
        yield started


NEW_WAYS = [way for way in WAYS if not way.changes]
Allowed = Callable[[Way, str], bool]


def each(ways: list[Way], acts: Iterable[str], allowed: Allowed = lambda way, act: True) -> pytest.MarkDecorator:
    """Give a test each way with each act, but for the pairs that make no sense."""
    pairs = [(way, act) for act in acts for way in ways if allowed(way, act)]
    return pytest.mark.parametrize(("way", "act"), pairs, ids=str, indirect=["way"])


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest, servers: dict[tuple[str, bool], Server]) -> Way:
    chosen: Way = request.param
    chosen.find(servers)
    return chosen


@pytest.fixture(params=NEW_WAYS, ids=str)
def new_way(request: pytest.FixtureRequest, servers: dict[tuple[str, bool], Server]) -> Way:
    """One of the ways without a simulated old kernel."""
    chosen: Way = request.param
    chosen.find(servers)
    return chosen


@pytest.fixture(params=ROLES)
def free(request: pytest.FixtureRequest, servers: dict[tuple[str, bool], Server]) -> Server:
    """A server without namespaces, to run acts unconfined."""
    ROLES[request.param].require()
    return servers[request.param, False]


@pytest.fixture(scope="module")
def worlds(servers: dict[tuple[str, bool], Server]) -> Iterator[dict[str, World]]:
    """What exists outside, for each role."""
    with ExitStack() as stack:
        yield {role: World(role, stack) for role in {role for role, _ in servers}}


@pytest.mark.parametrize(
    ("free", "act"),
    [(role, act) for act in ACTS for role in ROLES if role == "root" or act not in NEEDS_ROOT],
    indirect=["free"],
)
def test_act_succeeds_when_free(act: str, free: Server, worlds: dict[str, World]) -> None:
    said = free.run(act, None, worlds[free.role].look())
    assert said["said"] is True or act in MAY_BE_CLOSED, said  # a container may refuse these to everyone
    assert said["left"] == 0


def is_hidden(way: Way, act: str) -> bool:
    """Only Landlock hides the server's command, in which no secret is."""
    return act != "read its parent's command" or "landlock" not in way.changes or way.changes["landlock"] > 0


@each(WAYS, ACTS, is_hidden)
def test_act_fails_when_confined(act: str, way: Way, worlds: dict[str, World]) -> None:
    seen = worlds[way.role].look()
    said = way.run(act, seen)
    assert said["said"] is False, said
    assert said["left"] == 0
    assert worlds[way.role].is_well()


@pytest.mark.parametrize("act", AGAINST_PARENT)
def test_server_cannot_be_read(act: str, way: Way, worlds: dict[str, World]) -> None:
    assert way.run(f"parent's {act}", worlds[way.role].look())["said"] is False


def test_server_and_others_cannot_be_killed(way: Way, worlds: dict[str, World]) -> None:
    seen = worlds[way.role].look()
    for _ in range(2):  # the second order needs a server that is alive
        assert way.run("kill everything", seen)["left"] == 0
    assert worlds[way.role].is_well()


def is_possible(way: Way, act: str) -> bool:
    """Where neither Landlock nor the user keeps signals inside, only signals to itself are left; slow acts run once."""
    if act == "end a program":
        return not way.changes or way.role == "root"
    return not way.changes or act not in SLOW


@each(WAYS, HONEST, is_possible)
def test_honest_work_goes_on(act: str, way: Way, worlds: dict[str, World]) -> None:
    said = way.work(act, worlds[way.role].look())
    assert said["said"] is True, said


def test_environment_and_files_give_nothing_away(way: Way, worlds: dict[str, World]) -> None:
    said = way.run("tell", worlds[way.role].look() | {"proc": True})["said"]
    assert (
        [name for name in said["os"] if "SECRET" in name] == [name for name in said["posix"] if "SECRET" in name] == []
    )
    assert said["c"] == {"SECRET_AT_START": "", "SECRET_IN_PYTHON": "", "SECRET_IN_C": "", "HOME": said["folder"]}
    assert said["os"]["HOME"] == said["folder"]
    assert said["proc"].strip("\0") == ""
    assert all(path == "/dev/null" or path.startswith("/proc/") for path in said["files"]), said["files"]
    assert len(said["files"]) == 5  # 0, 1, 2, the pipe, and the listing itself
    assert (said["uid"] > 2_000_000_000) == (way.role == "root")


def test_secrets_are_there_when_free(free: Server, worlds: dict[str, World]) -> None:
    said = free.run("tell", None, worlds[free.role].look() | {"proc": free.role == "root"})["said"]
    assert said["os"]["SECRET_IN_PYTHON"] == said["c"]["SECRET_IN_C"] == "secret"
    assert ("SECRET_AT_START=secret" in said["proc"]) == (free.role == "root")  # an ordinary server hides its own
    assert any(path.endswith("secret.txt") for path in said["files"])


def hostile_processes() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["name"]) if process.info["name"] == PROCESS_NAME]


def test_daemon_is_gone(new_way: Way, worlds: dict[str, World]) -> None:
    said = new_way.run("daemon", worlds[new_way.role].look(), spare=True)
    assert said["said"] is True
    assert said["spared"] == 1, "killing the first process alone would have left the daemon"
    assert said["left"] == 0
    assert hostile_processes() == []


def test_daemon_of_a_free_submission_is_gone(free: Server, worlds: dict[str, World]) -> None:
    said = free.run("daemon", None, worlds[free.role].look(), spare=True)
    assert (said["spared"], said["left"]) == (1, 0)
    assert hostile_processes() == []


def test_fork_bomb_is_contained_and_gone(way: Way, worlds: dict[str, World]) -> None:
    limits = Limits(processes=40)
    said = way.run("fork bomb", worlds[way.role].look(), limits, until="stopped", longer=0.3)
    assert "Resource temporarily unavailable" in said["stopped"]
    assert said["ended"]["nb_left"] == said["left"] == 0
    assert hostile_processes() == []


def ends_with_its_server(way: Way, act: str) -> bool:
    """A daemon outlives a server that is killed, where there is no namespace."""
    return act != "daemon" or way.wrapped


@each(NEW_WAYS, ["sleep", "daemon"], ends_with_its_server)
def test_submission_ends_with_its_server(act: str, way: Way, worlds: dict[str, World]) -> None:
    server = way.server.start_another()
    try:
        order = make_order(act, way.confinement, worlds[way.role].look(), until="never", seconds=60)
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


@pytest.mark.parametrize("act", ["memory", "shared memory"])
def test_memory_is_limited(act: str, new_way: Way, worlds: dict[str, World]) -> None:
    said = new_way.run(act, worlds[new_way.role].look(), Limits(memory_bytes=400 << 20))
    assert said.get("said") is False, said
    assert said["ended"]["peak_bytes"] < 2 << 30


def test_huge_file_is_cut(new_way: Way, worlds: dict[str, World]) -> None:
    said = new_way.run("huge file", worlds[new_way.role].look(), Limits(file_bytes=32 << 20))
    assert said["said"] is False
    assert "File too large" in said["error"]


@pytest.mark.parametrize(("act", "limit"), [("deleted files", "file_bytes"), ("many files", "files")])
def test_sum_of_files_is_seen_where_the_folder_can_grow(
    act: str, limit: str, new_way: Way, worlds: dict[str, World]
) -> None:
    limits, seen = Limits(file_bytes=8 << 20, files=300), worlds[new_way.role].look()
    growing = replace(new_way.confinement, fixed_scratch=False)
    said = new_way.server.run(act, growing, seen, limits, look=True)
    assert said["exceeded"] == limit
    assert said["left"] == 0
    calm = new_way.server.run("temporary files", growing, seen, limits, look=True)
    assert calm["said"] is True
    assert calm["exceeded"] == ""


def test_deleted_files_that_are_mapped_count(new_way: Way, worlds: dict[str, World]) -> None:
    """Without a folder of fixed size nothing ends at the limit, though the files are looked at."""
    new_way.require_fixed_scratch()
    limits, seen = Limits(file_bytes=32 << 20), worlds[new_way.role].look()
    act = "deleted files, open or mapped"
    for _ in range(2):  # what the first held is free again
        said = new_way.run(act, seen, limits, look=True)
        assert said["said"] is False
        assert "No space left" in said["error"]
        assert said["held"] <= 32 << 20
        assert said["exceeded"] == ""
        assert said["left"] == 0
    free = new_way.server.run(act, replace(new_way.confinement, fixed_scratch=False), seen, limits)
    assert free["held"] == 256 << 20


@pytest.mark.parametrize("act", ["files together", "many files"])
def test_folder_of_fixed_size_is_full_at_its_limits(act: str, new_way: Way, worlds: dict[str, World]) -> None:
    new_way.require_fixed_scratch()
    limits, seen = Limits(file_bytes=32 << 20, files=300), worlds[new_way.role].look()
    said = new_way.run(act, seen, limits)
    assert said["said"] is False
    assert "No space left" in said["error"]
    assert new_way.run("temporary files", seen, limits)["said"] is True


@pytest.mark.parametrize("way", [way for way in NEW_WAYS if way.role == "root"], ids=str, indirect=True)
def test_folder_of_fixed_size_counts_as_memory(way: Way, worlds: dict[str, World]) -> None:
    if not way.confinement.cgroup_version:
        CGROUP.skip()
    way.require_fixed_scratch()
    limits = Limits(memory_bytes=100 << 20, file_bytes=1 << 30)
    said = way.run("deleted files, open or mapped", worlds[way.role].look(), limits, grouped=True)
    assert "said" not in said
    assert said["killed_for_memory"] > 0
    assert said["peak"] <= 100 << 20


@pytest.mark.parametrize("act", STARTING)
def test_no_program_is_started_where_none_may(act: str, new_way: Way, worlds: dict[str, World]) -> None:
    seen = worlds[new_way.role].look()
    assert new_way.run(act, seen)["said"] is True
    said = new_way.run(act, seen, programs=False)
    assert said["said"] is False
    assert said["error"].startswith("PermissionError(1, ")
    assert said["left"] == 0


@each(NEW_WAYS, [act for act in HONEST if act not in PROGRAMS])
def test_honest_work_goes_on_without_programs(act: str, way: Way, worlds: dict[str, World]) -> None:
    said = way.work(act, worlds[way.role].look(), programs=False)
    assert said["said"] is True, said


def test_processor_time_ends(free: Server, worlds: dict[str, World]) -> None:
    said = free.run("processor", free.confinement, worlds[free.role].look(), Limits(cpu_seconds=1), seconds=60)
    assert said["ended"]["status"] == -9  # the hard limit: it ignored the soft one
    assert 1 < said["ended"]["cpu_seconds"] < 4


@pytest.mark.parametrize("way", [way for way in NEW_WAYS if way.role == "root"], ids=str, indirect=True)
def test_group_counts_and_limits_all_together(way: Way, worlds: dict[str, World]) -> None:
    if not way.confinement.cgroup_version:
        CGROUP.skip()
    limits = Limits(memory_bytes=500 << 20, processes=20)
    seen = worlds[way.role].look()
    said = way.run("memory together", seen, limits, grouped=True)
    assert said["said"] is not True if "said" in said else True
    assert said["killed_for_memory"] > 0
    assert (400 << 20) < said["peak"] <= (500 << 20)
    said = way.run("fork bomb", seen, limits, grouped=True, until="stopped", longer=0.3)
    assert 0 < said["processes"] <= 20
    assert said["left"] == 0
    assert way.work("train", seen, grouped=True)["said"] is True


@pytest.fixture
def found() -> Iterator[Confinement]:
    """What confines here, with control groups of the test's own, which no grader of another process tidies up."""
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
        return {str(path) for parent in found.cgroup_parents for path in Path(parent).glob("ee559-grading-*")}

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


@pytest.mark.needs(LANDLOCK)
def test_each_part_holds_alone(free: Server, worlds: dict[str, World]) -> None:
    """What the probe says holds, holds."""
    found, seen = free.confinement, worlds[free.role].look()
    assert found.landlock >= 1
    assert found.seccomp
    assert found.confined
    assert found.drops_privileges == (free.role == "root")
    only = Confinement(landlock=found.landlock)
    assert free.run("read a secret", only, seen)["said"] is False
    if found.landlock >= LANDLOCK_SIGNALS:
        assert free.run("signal another", only, seen)["said"] is False
    assert free.run("send by UDP", only, seen)["said"] is True  # that is why Landlock alone does not confine
    assert not only.confined
    only = Confinement(seccomp=True)
    assert free.run("send by UDP", only, seen)["said"] is False
    assert free.run("read a secret", only, seen)["said"] is True
    assert not only.confined
    if free.role == "root":
        only = Confinement(drops_privileges=True)
        assert free.run("become root", only, seen)["said"] is False
        assert free.run("write to a file", only, seen)["said"] is False
        assert os.getuid() == 0


def test_unconfined_where_nothing_holds(free: Server, worlds: dict[str, World]) -> None:
    said = free.warm.run("threads", Confinement(), worlds[free.role].look())
    assert said["said"] is True
