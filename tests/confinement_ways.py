"""The ways to confine that test_confinement.py tries, and the fork servers that do it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confinement_roles import become, own, temporary_folder
from ee559_sandbox import (
    Confinement,
    Limits,
    cgroup_home,
    default_readable,
    server_command,
    server_environment,
)
from hostile_acts import SECRET
from machine import BUBBLEWRAP, FIXED_SCRATCH, LANDLOCK, ROLES


@dataclass
class Way:
    """A way to confine: who grades, whether in namespaces, and how old the kernel is said to be."""

    role: str
    wrapped: bool
    changes: dict[str, Any]
    words: str
    server: "Server" = field(init=False)
    confinement: Confinement = field(init=False)

    def __str__(self) -> str:
        return f"{self.role}-{self.words}"

    def find(self, servers: "dict[tuple[str, bool], Server]") -> None:
        """Find the server of this way, or skip the test, loudly."""
        ROLES[self.role].require()
        if (self.role, self.wrapped) not in servers:
            BUBBLEWRAP.skip()
        if not self.wrapped:
            LANDLOCK.require()
        self.server = servers[self.role, self.wrapped]
        self.confinement = replace(self.server.confinement, **self.changes)
        assert self.confinement.confined

    def require_fixed_scratch(self) -> None:
        """Skip the test, loudly, where the scratch folder cannot have a fixed size."""
        if not self.confinement.fixed_scratch:
            FIXED_SCRATCH.skip()

    def run(self, act: str, world: dict[str, Any], limits: Limits | None = None, **order: Any) -> dict[str, Any]:
        """Run an act in a confined child."""
        return self.server.run(act, self.confinement, world, limits, **order)

    def work(self, act: str, world: dict[str, Any], **order: Any) -> dict[str, Any]:
        """Run an act in a confined child of a server that has imported torch."""
        return self.server.warm.run(act, self.confinement, world, **order)


WAYS = [
    Way(role, wrapped, changes, words)
    for role in ROLES
    for wrapped, changes, words in (
        (False, {}, "landlock"),
        (True, {}, "bubblewrap"),
        (False, {"landlock": 3}, "old-landlock"),
        (True, {"landlock": 0}, "bubblewrap-alone"),
    )
]


class Server:
    """A running confinement_server.py, and one that is warm, for honest work."""

    warm: "Server"
    needs: subprocess.Popen[bytes] | None = None

    def __init__(
        self,
        role: str,
        found: Confinement,
        argv: Sequence[str],
        root: Path,
        readable: Sequence[Path],
    ) -> None:
        self.role, self.confinement = role, found
        self._start_another = partial(Server, role, found, argv, root, readable)
        self.process = subprocess.Popen(
            server_command(found, argv, root, readable),
            env=server_environment(root) | {"SECRET_AT_START": "secret"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=become(role),
        )
        self._ready = False

    def start_another(self) -> "Server":
        """Start a second server of the same kind."""
        return self._start_another()

    def send(self, **order: Any) -> None:
        """Give an order."""
        if not self._ready:
            assert self._read()["threads"] == 1
            assert self.needs is None or self.needs.wait() == 0
            self._ready = True
        print(json.dumps(order), file=self.process.stdin, flush=True)

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order, and return the answer."""
        self.send(**order)
        return self._read()

    def run(
        self,
        act: str,
        confinement: Confinement | None,
        world: dict[str, Any],
        limits: Limits | None = None,
        **order: Any,
    ) -> dict[str, Any]:
        """Run an act in a child; see ``run`` of confinement_server.py for what an order may say."""
        return self.ask(**make_order(act, confinement, world, limits, **order))

    def close(self) -> None:
        """Kill it, and with it all that it started."""
        self.process.kill()
        self.process.communicate()


def make_order(
    act: str, confinement: Confinement | None, world: dict[str, Any], limits: Limits | None = None, **order: Any
) -> dict[str, Any]:
    """Order to run an act in a child."""
    standard = {"grouped": False, "look": False, "spare": False, "until": '"said"', "longer": 0, "seconds": 120}
    standard["programs"] = True
    return {
        "do": "run",
        "act": act,
        "confinement": asdict(confinement) if confinement is not None else None,
        "world": world,
        "limits": asdict(limits or Limits()),
        "readable": [str(path) for path in [*default_readable(), Path(world["readable"])]],
        **standard,
        **order,
    }


@contextmanager
def make_servers() -> Iterator[dict[tuple[str, bool], Server]]:
    """Start a server for each role, with and without namespaces, and a warm one beside each, all at once."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(temporary_folder()))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("EE559_CACHE", str(base / "cache"))
        unpacking = unpack_digits(base / "cache")
        stack.callback(unpacking.wait)
        (base / "secret.txt").write_text(SECRET)
        readable = [*default_readable(), Path(__file__).parent, base]
        servers: dict[tuple[str, bool], Server] = {}

        def start(role: str, found: Confinement, *words: str) -> Server:
            root = Path(tempfile.mkdtemp(prefix=f"{role}-", dir=base))
            root.chmod(0o711)
            own(role, root)
            argv = [sys.executable, str(Path(__file__).with_name("confinement_server.py")), str(root)]
            server = Server(role, found, [*argv, str(base / "secret.txt"), *words], root, readable)
            stack.callback(server.close)
            return server

        roles = [role for role, requirement in ROLES.items() if requirement.is_here()]
        probing = {role: start(role, Confinement()) for role in roles}
        for role in roles:
            found = Confinement.from_dict(probing[role].ask(do="probe"))
            found = stack.enter_context(cgroup_home(found))
            for wrapped in (False, True) if found.namespaces else (False,):
                holds = found if wrapped else replace(found, bwrap="")
                servers[role, wrapped] = start(role, holds)
                servers[role, wrapped].warm = start(role, holds, "warm")
                servers[role, wrapped].warm.needs = unpacking
        yield servers


def unpack_digits(cache: Path) -> subprocess.Popen[bytes]:
    """Begin to unpack the digits where all may read them."""
    code = "import os; os.umask(0o022); from ee559 import load_mnist; load_mnist('tiny')"
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"EE559_CACHE": str(cache)})
