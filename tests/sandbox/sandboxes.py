"""The sandboxes that these tests try, and the fork servers that make them."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attacks import SECRET
from ee559_sandbox import (
    Confinement,
    Limits,
    cgroup_home,
    default_readable,
    server_command,
    server_environment,
)
from honest_work import DATA, NUMBERS
from machine import BUBBLEWRAP, FIXED_SCRATCH, LANDLOCK, USERS
from users import become, own, temporary_folder


@dataclass
class Sandbox:
    """A way to confine: who calls, whether in namespaces, and whether with Landlock."""

    user: str
    bubblewrap: bool
    landlock: bool
    server: "Server" = field(init=False)
    confinement: Confinement = field(init=False)

    def __str__(self) -> str:
        parts = {"bubblewrap": self.bubblewrap, "landlock": self.landlock}
        return "-".join([self.user, *(part for part, there in parts.items() if there)])

    def find(self, servers: "dict[tuple[str, bool], Server]") -> None:
        """Find the server of this sandbox, or skip the test, loudly."""
        USERS[self.user].require()
        if (self.user, self.bubblewrap) not in servers:
            BUBBLEWRAP.skip()
        if not self.bubblewrap:
            LANDLOCK.require()
        self.server = servers[self.user, self.bubblewrap]
        found = self.server.confinement
        self.confinement = found if self.landlock else replace(found, landlock=0)
        assert self.confinement.confined

    def require_fixed_scratch(self) -> None:
        """Skip the test, loudly, where the scratch folder cannot have a fixed size."""
        if not self.confinement.fixed_scratch:
            FIXED_SCRATCH.skip()

    def run(self, job: str, environment: dict[str, Any], limits: Limits | None = None, **order: Any) -> dict[str, Any]:
        """Run a job in a confined child."""
        return self.server.run(job, self.confinement, environment, limits, **order)

    def work(self, job: str, environment: dict[str, Any], **order: Any) -> dict[str, Any]:
        """Run a job in a confined child of a server that has imported torch."""
        return self.server.warm.run(job, self.confinement, environment, **order)


SANDBOXES = [
    Sandbox(user, bubblewrap, landlock)
    for user in USERS
    for bubblewrap, landlock in ((False, True), (True, True), (True, False))
]
WITH_LANDLOCK = [sandbox for sandbox in SANDBOXES if sandbox.landlock]
Allowed = Callable[[Sandbox, str], bool]


def each(
    sandboxes: list[Sandbox], jobs: Iterable[str], allowed: Allowed = lambda sandbox, job: True
) -> pytest.MarkDecorator:
    """Give a test each sandbox with each job, but for the pairs that make no sense."""
    pairs = [(sandbox, job) for job in jobs for sandbox in sandboxes if allowed(sandbox, job)]
    return pytest.mark.parametrize(("sandbox", "job"), pairs, ids=str, indirect=["sandbox"])


class Server:
    """A running fork_server.py, and one that is warm, for honest work."""

    warm: "Server"

    def __init__(
        self,
        user: str,
        found: Confinement,
        argv: Sequence[str],
        root: Path,
        readable: Sequence[Path],
    ) -> None:
        self.user, self.confinement = user, found
        self._start_another = partial(Server, user, found, argv, root, readable)
        self.process = subprocess.Popen(
            server_command(found, argv, root, readable),
            env=server_environment(root, [DATA]) | {"SECRET_AT_START": "secret"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=become(user),
        )
        self._ready = False

    def start_another(self) -> "Server":
        """Start a second server of the same kind."""
        return self._start_another()

    def send(self, **order: Any) -> None:
        """Give an order."""
        if not self._ready:
            assert self._read()["threads"] == 1
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
        job: str,
        confinement: Confinement | None,
        environment: dict[str, Any],
        limits: Limits | None = None,
        **order: Any,
    ) -> dict[str, Any]:
        """Run a job in a child; see ``run`` of fork_server.py for what an order may say."""
        return self.ask(**make_order(job, confinement, environment, limits, **order))

    def close(self) -> None:
        """Kill it, and with it all that it started."""
        self.process.kill()
        self.process.communicate()


def make_order(
    job: str, confinement: Confinement | None, environment: dict[str, Any], limits: Limits | None = None, **order: Any
) -> dict[str, Any]:
    """Order to run a job in a child."""
    standard = {"grouped": False, "look": False, "spare": False, "until": '"said"', "longer": 0, "seconds": 120}
    standard["programs"] = True
    return {
        "do": "run",
        "job": job,
        "confinement": asdict(confinement) if confinement is not None else None,
        "environment": environment,
        "limits": asdict(limits or Limits()),
        "readable": [str(path) for path in [*default_readable(), environment["readable"], os.environ[DATA]]],
        **standard,
        **order,
    }


@contextmanager
def make_servers() -> Iterator[dict[tuple[str, bool], Server]]:
    """Start a server for each user, with and without namespaces, and a warm one beside each, all at once."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(temporary_folder()))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        data = base / "data"
        data.mkdir()
        (data / "numbers.txt").write_text(NUMBERS)
        patch.setenv(DATA, str(data))
        (base / "secret.txt").write_text(SECRET)
        readable = [*default_readable(), Path(__file__).parent, base]
        servers: dict[tuple[str, bool], Server] = {}

        def start(user: str, found: Confinement, *words: str) -> Server:
            root = Path(tempfile.mkdtemp(prefix=f"{user}-", dir=base))
            root.chmod(0o711)
            own(user, root)
            argv = [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(root)]
            server = Server(user, found, [*argv, str(base / "secret.txt"), *words], root, readable)
            stack.callback(server.close)
            return server

        users = [user for user, requirement in USERS.items() if requirement.is_here()]
        probing = {user: start(user, Confinement()) for user in users}
        for user in users:
            found = Confinement.from_dict(probing[user].ask(do="probe"))
            found = stack.enter_context(cgroup_home(found))
            for bubblewrap in (False, True) if found.namespaces else (False,):
                holds = found if bubblewrap else replace(found, bwrap="")
                servers[user, bubblewrap] = start(user, holds)
                servers[user, bubblewrap].warm = start(user, holds, "warm")
        yield servers
