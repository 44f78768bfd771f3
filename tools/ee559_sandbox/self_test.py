"""What :func:`probe` runs in a process of its own: each part of the confinement, tried in a forked child."""

import errno
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from ee559_sandbox import landlock
from ee559_sandbox.cgroup import Cgroup, cgroup_home, find_parents
from ee559_sandbox.child import confine
from ee559_sandbox.confinement import Confinement
from ee559_sandbox.limits import Limits

TRIED_BYTES = 1 << 20


def holds_in_a_child(try_it: Callable[[], bool]) -> bool:
    """Whether ``try_it`` returns true in a forked child; a child that dies says no."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if try_it() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def refuses(act: Callable[[], object], *numbers: int) -> bool:
    """Whether an act fails with one of these errors."""
    try:
        act()
    except OSError as error:
        return error.errno in numbers
    return False


def fill_with_deleted_files() -> None:
    """Hold more in files that have no name any more than the limit allows."""
    held = []
    for name in ("first", "second"):
        held.append(os.open(name, os.O_CREAT | os.O_RDWR))
        os.unlink(name)
        if os.write(held[-1], bytes(TRIED_BYTES)) < TRIED_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def try_confinement(confinement: Confinement) -> bool:
    """Whether a child confined so cannot do what it should not, and can still work in its scratch folder."""
    secret = Path(__file__)  # readable for us, and in no list

    def act() -> bool:
        server = os.getppid()
        confine(confinement, scratch, [Path("/usr/lib"), Path("/dev/null")], Limits(file_bytes=TRIED_BYTES))
        Path("written").write_text("here")
        held = Path("written").read_text() == "here"
        if confinement.landlock:
            held &= refuses(lambda: secret.read_bytes(), errno.EACCES)
        if confinement.landlock or confinement.seccomp:
            held &= refuses(lambda: os.kill(server, 0), errno.EPERM)
        if confinement.seccomp:
            held &= refuses(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), errno.EPERM)
        if confinement.fixed_scratch:
            held &= refuses(fill_with_deleted_files, errno.ENOSPC)
        if confinement.drops_privileges:
            held &= os.getuid() != 0 and refuses(lambda: os.setuid(0), errno.EPERM)
        return held

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        return holds_in_a_child(act)


def try_cgroup(confinement: Confinement) -> bool:
    """Whether a process can be put into a group, and the group removed afterwards."""

    def joins() -> bool:
        group.add(os.getpid())
        return os.getpid() in group.processes()

    try:
        with Cgroup(confinement, Limits()) as group:
            return holds_in_a_child(joins)
    except OSError:
        return False


def try_cgroup_home(confinement: Confinement) -> bool:
    """Whether a caller can have a folder of its own, and a group in it."""
    try:
        with cgroup_home(confinement) as own:
            return try_cgroup(own)
    except OSError:
        return False


def find_confinement() -> Confinement:
    """Try each part, and name those that hold."""
    found = Confinement()
    version = landlock.find_version()
    for part in (
        Confinement(landlock=version),
        Confinement(seccomp=True),
        Confinement(drops_privileges=os.geteuid() == 0),
        Confinement(fixed_scratch=True),
    ):
        if part != Confinement() and try_confinement(part):
            found = replace(found, **{name: value for name, value in asdict(part).items() if value})
    for cgroup_version, parents in find_parents():
        candidate = replace(found, cgroup_version=cgroup_version, cgroup_parents=parents)
        if try_cgroup_home(candidate):
            return candidate
    return found


def main() -> None:
    """Print what holds; with a confinement in the first argument, whether all of that holds together."""
    if len(sys.argv) > 1:
        confinement = Confinement.from_dict(json.loads(sys.argv[1]))
        groups = not confinement.cgroup_version or try_cgroup(confinement)
        print(json.dumps({"holds": try_confinement(confinement), "groups": groups, "pid": os.getpid()}))
    else:
        print(json.dumps(asdict(find_confinement())))


if __name__ == "__main__":
    main()
