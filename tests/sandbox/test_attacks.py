"""The sandbox, by attack: each attack succeeds when free, and fails when confined; honest work goes on.

Everything is done by root and by an ordinary user: with Landlock, with bubblewrap and Landlock, and with bubblewrap
alone.
"""

import os

import pytest
from attacks import AGAINST_PARENT, ATTACKS, MAY_BE_CLOSED, NEEDS_ROOT
from ee559_sandbox import Confinement
from environment import Environment
from honest_work import HONEST, PROGRAMS, SLOW
from machine import LANDLOCK, USERS, X86_64
from program_starts import STARTING
from sandboxes import SANDBOXES, WITH_LANDLOCK, Sandbox, Server, each

pytestmark = pytest.mark.needs(X86_64)  # the attacks are written for it


@pytest.mark.parametrize(
    ("free", "job"),
    [(user, job) for job in ATTACKS for user in USERS if user == "root" or job not in NEEDS_ROOT],
    indirect=["free"],
)
def test_attack_succeeds_when_free(job: str, free: Server, environments: dict[str, Environment]) -> None:
    said = free.run(job, None, environments[free.user].look())
    assert said["said"] is True or job in MAY_BE_CLOSED, said  # a container may refuse these to everyone
    assert said["left"] == 0


def is_hidden(sandbox: Sandbox, job: str) -> bool:
    """Only Landlock hides the server's command, in which no secret is."""
    return job != "read its parent's command" or sandbox.landlock


@each(SANDBOXES, ATTACKS, is_hidden)
def test_attack_fails_when_confined(job: str, sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    seen = environments[sandbox.user].look()
    said = sandbox.run(job, seen)
    assert said["said"] is False, said
    assert said["left"] == 0
    assert environments[sandbox.user].is_well()


@pytest.mark.parametrize("job", AGAINST_PARENT)
def test_server_cannot_be_read(job: str, sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    assert sandbox.run(f"parent's {job}", environments[sandbox.user].look())["said"] is False


def test_server_and_others_cannot_be_killed(sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    seen = environments[sandbox.user].look()
    for _ in range(2):  # the second order needs a server that is alive
        assert sandbox.run("kill everything", seen)["left"] == 0
    assert environments[sandbox.user].is_well()


def is_possible(sandbox: Sandbox, job: str) -> bool:
    """Where neither Landlock nor the user keeps signals inside, only signals to itself are left; slow jobs run once."""
    if job == "end a program":
        return sandbox.landlock or sandbox.user == "root"
    return sandbox.landlock or job not in SLOW


@each(SANDBOXES, HONEST, is_possible)
def test_honest_work_goes_on(job: str, sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    said = sandbox.work(job, environments[sandbox.user].look())
    assert said["said"] is True, said


def test_environment_and_files_give_nothing_away(sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    said = sandbox.run("tell", environments[sandbox.user].look() | {"proc": True})["said"]
    assert (
        [name for name in said["os"] if "SECRET" in name] == [name for name in said["posix"] if "SECRET" in name] == []
    )
    assert said["c"] == {"SECRET_AT_START": "", "SECRET_IN_PYTHON": "", "SECRET_IN_C": "", "HOME": said["folder"]}
    assert said["os"]["HOME"] == said["folder"]
    assert said["proc"].strip("\0") == ""
    assert all(path == "/dev/null" or path.startswith("/proc/") for path in said["files"]), said["files"]
    assert len(said["files"]) == 5  # 0, 1, 2, the pipe, and the listing itself
    assert (said["uid"] > 2_000_000_000) == (sandbox.user == "root")


def test_secrets_are_there_when_free(free: Server, environments: dict[str, Environment]) -> None:
    said = free.run("tell", None, environments[free.user].look() | {"proc": free.user == "root"})["said"]
    assert said["os"]["SECRET_IN_PYTHON"] == said["c"]["SECRET_IN_C"] == "secret"
    assert ("SECRET_AT_START=secret" in said["proc"]) == (free.user == "root")  # an ordinary server hides its own
    assert any(path.endswith("secret.txt") for path in said["files"])


@pytest.mark.parametrize("job", STARTING)
def test_no_program_is_started_where_none_may(
    job: str, landlocked: Sandbox, environments: dict[str, Environment]
) -> None:
    seen = environments[landlocked.user].look()
    assert landlocked.run(job, seen)["said"] is True
    said = landlocked.run(job, seen, programs=False)
    assert said["said"] is False
    assert said["error"].startswith("PermissionError(1, ")
    assert said["left"] == 0


@each(WITH_LANDLOCK, [job for job in HONEST if job not in PROGRAMS])
def test_honest_work_goes_on_without_programs(job: str, sandbox: Sandbox, environments: dict[str, Environment]) -> None:
    said = sandbox.work(job, environments[sandbox.user].look(), programs=False)
    assert said["said"] is True, said


@pytest.mark.needs(LANDLOCK)
def test_each_part_holds_alone(free: Server, environments: dict[str, Environment]) -> None:
    """What the probe says holds, holds."""
    found, seen = free.confinement, environments[free.user].look()
    assert found.landlock
    assert found.seccomp
    assert found.confined
    assert found.drops_privileges == (free.user == "root")
    only = Confinement(landlock=found.landlock)
    assert free.run("read a secret", only, seen)["said"] is False
    assert free.run("signal another", only, seen)["said"] is False
    assert free.run("send by UDP", only, seen)["said"] is True  # that is why Landlock alone does not confine
    assert not only.confined
    only = Confinement(seccomp=True)
    assert free.run("send by UDP", only, seen)["said"] is False
    assert free.run("read a secret", only, seen)["said"] is True
    assert not only.confined
    if free.user == "root":
        only = Confinement(drops_privileges=True)
        assert free.run("become root", only, seen)["said"] is False
        assert free.run("write to a file", only, seen)["said"] is False
        assert os.getuid() == 0


def test_unconfined_where_nothing_holds(free: Server, environments: dict[str, Environment]) -> None:
    said = free.warm.run("threads", Confinement(), environments[free.user].look())
    assert said["said"] is True
