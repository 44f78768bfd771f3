"""What a machine offers to confine a process, and what protects from what."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ee559_sandbox.landlock import OLDEST


@dataclass(frozen=True)
class Confinement:
    """What holds on a machine, as :func:`probe` found it.

    Args:
        landlock: version of Landlock's interface, 0 where there is none or one older than 6.
        seccomp: whether our filter of system calls can be installed.
        bwrap: path of bubblewrap where namespaces work through it, else empty.
        cgroup_version: 1 or 2 where the memory and pids controllers can be used, else 0.
        cgroup_parents: folders in which a group can be made: one in version 2, those of memory and pids in version 1.
        drops_privileges: we are root and can become a user without rights.
        fixed_scratch: the scratch folder can be a file system of its own, of a fixed size.
    """

    landlock: int = 0
    seccomp: bool = False
    bwrap: str = ""
    cgroup_version: int = 0
    cgroup_parents: tuple[str, ...] = ()
    drops_privileges: bool = False
    fixed_scratch: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Confinement":
        """Make one from ``dataclasses.asdict`` of another, also after JSON."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**known | {"cgroup_parents": tuple(values.get("cgroup_parents", ()))})

    @property
    def namespaces(self) -> bool:
        """Whether the fork server gets its own file system, network and process numbers."""
        return bool(self.bwrap)

    @property
    def confined(self) -> bool:
        """Whether files, network and other processes are all out of reach.

        The baseline: seccomp, which closes the network, ptrace and (where Landlock does not) signals; and Landlock of
        version 6 or namespaces, which close the file system. No single one of them does all three.
        """
        return self.seccomp and (self.landlock >= OLDEST or self.namespaces)

    def lines(self) -> list[str]:
        """One line for each thing: ✓ or ✗, what it protects from, and the remedy where it is missing."""
        return [
            _line(
                self.landlock >= OLDEST,
                f"Landlock (version {self.landlock})" if self.landlock else "Landlock",
                "files outside the scratch folder cannot be read or changed",
                f"Linux 6.12 or newer with `landlock` in /sys/kernel/security/lsm (version {OLDEST} or more), "
                "or bubblewrap",
            ),
            _line(
                self.seccomp,
                "seccomp",
                "no network, no ptrace, no signals to other processes",
                "Linux on x86_64 or aarch64, and a container that allows seccomp",
            ),
            _line(
                self.namespaces,
                "namespaces (bubblewrap)",
                "what is not needed does not exist inside, and all of it ends with its server",
                "install bubblewrap (`apt-get install bubblewrap`, 0.8 or newer) and allow user namespaces",
            ),
            _line(
                self.cgroup_version > 0,
                f"cgroup (version {self.cgroup_version})" if self.cgroup_version else "cgroup",
                "memory and processes of all that is started are counted together",
                "run as root, or with `systemd-run --user --scope -p Delegate=yes`",
            ),
            _line(
                self.drops_privileges,
                "a user of its own",
                "what the calling user owns does not belong to the process",
                "run as root, in a container for instance (with the capability CAP_DAC_READ_SEARCH, where Python lies "
                "in a folder that only root may enter); without root the others must do",
            ),
            _line(
                self.fixed_scratch,
                "a scratch folder of fixed size",
                "files cannot grow beyond their limit, deleted ones that are still in use included",
                "allow user namespaces, or run as root with the capability CAP_SYS_ADMIN; without it the files are "
                "looked at several times a second, and deleted files that are mapped are not seen",
            ),
        ]


def _line(holds: bool, name: str, protects: str, remedy: str) -> str:
    return f"✓ {name}: {protects}" if holds else f"✗ {name}: without it, not held: {protects}. Remedy: {remedy}"
