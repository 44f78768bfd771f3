"""The fork server in namespaces of its own, through bubblewrap."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ee559_sandbox.confinement import Confinement

OWN_PACKAGE = Path(__file__).resolve().parent

RIGHTS_OF_ROOT = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "KILL", "SETGID", "SETUID", "SYS_ADMIN", "SYS_PTRACE"),
)
"""What a server that is root needs: to make and give away a scratch folder, change user, measure, kill, clean up."""


def server_command(
    confinement: Confinement,
    argv: Sequence[str],
    scratch_root: Path,
    readable: Iterable[Path],
    server_only: Iterable[Path] = (),
) -> list[str]:
    """Command that starts a fork server: ``argv`` in namespaces where they hold, else ``argv`` as it is.

    Inside, the server has process numbers, a network without devices, /proc and /dev of its own; it sees ``readable``
    what is its own, and this package, and may write to ``scratch_root`` only.

    Args:
        confinement: what :func:`probe` found.
        argv: the command of the server itself.
        scratch_root: an existing folder for the scratch folders; make its mode 0711 (not 0700, which would oblige
            :func:`confine` to keep the right to pass it).
        readable: what the server and its children may read.
        server_only: what the server reads as well; where there is Landlock, its children do not.

    Start it with ``subprocess.Popen(command, env=server_environment(...), pass_fds=...)`` from a thread that lives as
    long as the server: when that thread ends, the server and all inside it are killed.
    """
    if not confinement.namespaces:
        return list(argv)
    command = [confinement.bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--as-pid-1"]  # bubblewrap's own first process would be open to a child of the same user
    command += ["--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    if confinement.drops_privileges:  # a user namespace would map root only, and leave nobody to become
        command += ["--cap-drop", "ALL"]
        command += [word for right in RIGHTS_OF_ROOT for word in ("--cap-add", f"CAP_{right}")]
    else:
        command += ["--unshare-user"]
    binds = _Binds()
    binds.made.add(Path("/"))
    given = [*readable, *server_only, OWN_PACKAGE]
    for path in sorted({*given, *(path.resolve() for path in given)}):
        binds.add("--ro-bind-try", path)
    if confinement.landlock or confinement.drops_privileges:  # else a child could change its own limits
        for parent in confinement.cgroup_parents:
            binds.add("--bind-try", Path(parent))
    scratch_root = scratch_root.resolve()
    binds.make_parents(scratch_root)
    binds.words += ["--bind", str(scratch_root), str(scratch_root)]
    binds.words += ["--remount-ro", "/"]
    return [*command, *binds.words, "--chdir", str(scratch_root), "--", *argv]


class _Binds:
    """Options for bwrap. It would give the parents of a mount the mode of the real ones, such as 0700 of /root."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.made: set[Path] = set()
        self.bound: set[Path] = set()

    def add(self, option: str, path: Path) -> None:
        if path.parts[1:2] in (("proc",), ("dev",)) or self.bound.intersection((path, *path.parents)):
            return
        self.make_parents(path)
        self.words += [option, str(path), str(path)]
        self.bound.add(path)

    def make_parents(self, path: Path) -> None:
        for parent in reversed(path.parents):
            if parent not in self.made and not self.bound.intersection((parent, *parent.parents)):
                self.words += ["--perms", "0755", "--dir", str(parent)]
                self.made.add(parent)
