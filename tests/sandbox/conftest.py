"""The sandboxes of these tests, and what exists outside of them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from environment import Environment
from machine import USERS
from sandboxes import SANDBOXES, WITH_LANDLOCK, Sandbox, Server, make_servers


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[tuple[str, bool], Server]]:
    with make_servers() as started:
        yield started


@pytest.fixture(params=SANDBOXES, ids=str)
def sandbox(request: pytest.FixtureRequest, servers: dict[tuple[str, bool], Server]) -> Sandbox:
    chosen: Sandbox = request.param
    chosen.find(servers)
    return chosen


@pytest.fixture(params=WITH_LANDLOCK, ids=str)
def landlocked(request: pytest.FixtureRequest, servers: dict[tuple[str, bool], Server]) -> Sandbox:
    """One of the sandboxes with Landlock."""
    chosen: Sandbox = request.param
    chosen.find(servers)
    return chosen


@pytest.fixture(params=USERS)
def free(request: pytest.FixtureRequest, servers: dict[tuple[str, bool], Server]) -> Server:
    """A server without namespaces, to run jobs unconfined."""
    USERS[request.param].require()
    return servers[request.param, False]


@pytest.fixture(scope="module")
def environments(servers: dict[tuple[str, bool], Server]) -> Iterator[dict[str, Environment]]:
    """What exists outside, for each user."""
    with ExitStack() as stack:
        yield {user: Environment(user, stack) for user in {user for user, _ in servers}}
