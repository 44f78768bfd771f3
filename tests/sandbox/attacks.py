"""What hostile code may try, for these tests: each attack returns true if it gets its way.

An attack runs in a forked child, confined or (to show that it works at all) not. An OSError means that it was refused.
"""

# mypy: disable-error-code="func-returns-value,no-any-return"
# An attack is an expression: a call that returns is None, and the attack got its way.

import ctypes
import fcntl
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Environment = dict[str, Any]
"""Paths, ports and process numbers that exist outside of the sandbox: see environment.py."""

LIBC = ctypes.CDLL(None, use_errno=True)
SECRET = "the answer is 42"


def call(number: int, *arguments: int) -> int:
    """Call the kernel; the attacks use x86_64's numbers, as named in SYSCALLS."""
    result = LIBC.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def reaches(number: int, *arguments: int) -> bool:
    """Whether the kernel looks at the arguments, wrong ones, rather than refusing the call."""
    try:
        call(number, *arguments)
    except OSError as error:
        return error.errno not in (1, 13, 38)  # EPERM, EACCES, ENOSYS
    return True


def same(path: str) -> bool:
    return SECRET in Path(path).read_text()


def by_symlink(environment: Environment) -> bool:
    os.symlink(environment["secret"], "link")
    return same("link")


def by_hard_link(environment: Environment) -> bool:
    os.link(environment["secret"], "hard")
    return same("hard")


def writes(environment: Environment) -> bool:
    with open(environment["victim_file"], "a") as file:
        return file.write("damage") > 0


def creates(environment: Environment) -> bool:
    Path(environment["open_folder"], "new").write_text("here")
    return True


def changes_mode(environment: Environment) -> bool:
    os.chmod(environment["victim_file"], 0o777)
    return os.stat(environment["victim_file"]).st_mode & 0o777 == 0o777


def changes_mode_of_what_it_reads(environment: Environment) -> bool:
    fd = os.open(environment["readable_file"], os.O_RDONLY)
    os.fchmod(fd, 0o751)
    return os.stat(environment["readable_file"]).st_mode & 0o777 == 0o751


def changes_time(environment: Environment) -> bool:
    os.utime(environment["victim_file"], (1, 1))
    return os.stat(environment["victim_file"]).st_mtime == 1


def empties(environment: Environment) -> bool:
    os.truncate(environment["victim_file"], 0)
    return True


def empties_what_it_reads(environment: Environment) -> bool:
    os.close(os.open(environment["readable_file"], os.O_RDONLY | os.O_TRUNC))
    return os.stat(environment["readable_file"]).st_size == 0


def renames(environment: Environment) -> bool:
    os.rename(environment["victim_file"], environment["victim_file"] + ".moved")
    return True


def takes(environment: Environment) -> bool:
    os.rename(environment["victim_file"], "mine")
    return True


def connects(family: int, kind: int, address: Any) -> bool:
    with socket.socket(family, kind) as mine:
        mine.settimeout(2)
        mine.connect(address)
        return mine.send(b"hello") == 5


def listens(environment: Environment) -> bool:
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))
        mine.listen()
        return True


def datagram_pair(environment: Environment) -> bool:
    first, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return first.sendto(b"hello", environment["datagram_path"]) == 5


def signals_by_owner(environment: Environment) -> bool:
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())
    return True


def limits_parent(environment: Environment) -> bool:
    resource.prlimit(environment["victim"], resource.RLIMIT_CORE, (0, 0))
    return True


def renices(environment: Environment) -> bool:
    victim = environment["victim"]
    os.setpriority(os.PRIO_PROCESS, victim, os.getpriority(os.PRIO_PROCESS, victim))
    return True


def kills_everything(environment: Environment) -> bool:
    for target in (-1, os.getppid(), environment["victim"]):
        try:
            os.kill(target, signal.SIGKILL)
        except OSError:
            continue
    return False  # the test looks who is still alive


def seizes(pid: int) -> bool:
    return LIBC.ptrace(ctypes.c_long(0x4206), ctypes.c_long(pid), None, None) == 0


def reads_memory(pid: int) -> bool:
    with open(f"/proc/{pid}/maps") as file:
        start = int(next(line for line in file if " r" in line).split("-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb") as memory:
        memory.seek(start)
        return len(memory.read(8)) == 8


def unshares(flags: int) -> bool:
    if LIBC.unshare(ctypes.c_int(flags)):
        raise OSError(ctypes.get_errno(), "unshare")
    return True


def clones_namespace(environment: Environment) -> bool:
    return call(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0) > 0 or os._exit(0)


def mounts(environment: Environment) -> bool:
    os.mkdir("mountpoint")
    if LIBC.mount(b"none", b"mountpoint", b"tmpfs", 0, None):
        raise OSError(ctypes.get_errno(), "mount")
    return LIBC.umount2(b"mountpoint", 2) == 0


def joins_namespace(environment: Environment) -> bool:
    return LIBC.setns(os.open("/proc/self/ns/uts", os.O_RDONLY), 0) == 0


def changes_root(environment: Environment) -> bool:
    os.chroot(".")
    return True


def shared_memory(environment: Environment) -> bool:
    segment = call(29, 0, 4096, 0o1600)
    return call(31, segment, 0, 0) == 0


def message_queue(environment: Environment) -> bool:
    name = ctypes.create_string_buffer(b"sandbox-hostile")
    os.close(call(240, ctypes.addressof(name), os.O_CREAT | os.O_RDWR, 0o600, 0))
    return call(241, ctypes.addressof(name)) == 0


def posix_memory(environment: Environment) -> bool:
    path = Path("/dev/shm/sandbox-hostile")
    path.write_text("left behind")
    path.unlink()
    return True


def runs_setuid_program(environment: Environment) -> bool:
    return subprocess.run([environment["setuid_id"], "-u"], capture_output=True, text=True).stdout.strip() == "0"


def becomes_root(environment: Environment) -> bool:
    os.setuid(0)
    return True


ATTACKS: dict[str, Callable[[Environment], Any]] = {
    "read a secret": lambda e: same(e["secret"]),
    "read through a symbolic link": by_symlink,
    "read through a hard link": by_hard_link,
    "read through its own root": lambda e: same("/proc/self/root" + e["secret"]),
    "read through its own working folder": lambda e: same(f"/proc/self/cwd/{'../' * 20}{e['secret']}"),
    "read through the victim's root": lambda e: same(f"/proc/{e['victim']}/root{e['secret']}"),
    "read through the victim's working folder": lambda e: same(f"/proc/{e['victim']}/cwd/secret.txt"),
    "list a folder": lambda e: "secret.txt" in os.listdir(e["outside"]),
    "read the passwords' file": lambda e: "root" in Path("/etc/passwd").read_text(),
    "write to a file": writes,
    "create a file": creates,
    "create a folder": lambda e: os.mkdir(e["open_folder"] + "/new") is None,
    "create a pipe": lambda e: os.mkfifo(e["open_folder"] + "/new") is None,
    "create a symbolic link": lambda e: os.symlink("/", e["open_folder"] + "/new") is None,
    "delete a file": lambda e: os.unlink(e["victim_file"]) is None,
    "delete a folder": lambda e: os.rmdir(e["open_folder"] + "/empty") is None,
    "rename a file": renames,
    "take a file": takes,
    "empty a file": empties,
    "empty a file that it may read": empties_what_it_reads,
    "change a mode": changes_mode,
    "change the mode of what it may read": changes_mode_of_what_it_reads,
    "change a time": changes_time,
    "connect by TCP": lambda e: connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", e["tcp"])),
    "send by UDP": lambda e: connects(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", e["udp"])),
    "listen by TCP": listens,
    "connect to a Unix socket": lambda e: connects(socket.AF_UNIX, socket.SOCK_STREAM, e["stream_path"]),
    "connect to an abstract socket": lambda e: connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + e["abstract"]),
    "lead a pair of sockets elsewhere": datagram_pair,
    "open netlink": lambda e: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close() is None,
    "signal its parent": lambda e: os.kill(os.getppid(), 0) is None,
    "signal another": lambda e: os.kill(e["victim"], 0) is None,
    "signal another's group": lambda e: os.killpg(os.getpgid(e["victim"]), 0) is None,
    "signal through a pidfd": lambda e: signal.pidfd_send_signal(os.pidfd_open(e["victim"]), 0) is None,
    "let a pipe signal its parent": signals_by_owner,
    "limit another": limits_parent,
    "renice another": renices,
    "pin another": lambda e: os.sched_setaffinity(e["victim"], os.sched_getaffinity(0)) is None,
    "trace another": lambda e: seizes(e["victim"]),
    "read another's memory": lambda e: reads_memory(e["victim"]),
    "read another's memory by a call": lambda e: reaches(310, e["victim"], 1, 1, 1, 1, 0),
    "read another's environment": lambda e: b"VICTIM=" in Path(f"/proc/{e['victim']}/environ").read_bytes(),
    "read another's command": lambda e: b"sleep" in Path(f"/proc/{e['victim']}/cmdline").read_bytes(),
    "list another's files": lambda e: len(os.listdir(f"/proc/{e['victim']}/fd")) > 0,
    "read its parent's command": lambda e: len(Path(f"/proc/{os.getppid()}/cmdline").read_bytes()) > 0,
    "compare processes": lambda e: call(312, os.getpid(), os.getpid(), 1, 0, 0) == 0,
    "mount": mounts,
    "unshare the user": lambda e: unshares(0x10000000),
    "clone into a namespace": clones_namespace,
    "join a namespace": joins_namespace,
    "change root": changes_root,
    "make System V memory": shared_memory,
    "make a message queue": message_queue,
    "make POSIX memory": posix_memory,
    "set up io_uring": lambda e: reaches(425, 1, 0),
    "use a keyring": lambda e: call(250, 0, -3 & 0xFFFFFFFF, 1) > 0,
    "change its personality": lambda e: call(135, 0x0040000) >= 0,
    "make memory a file": lambda e: os.memfd_create("hostile") > 0,
    "watch a folder": lambda e: LIBC.inotify_init1(0) >= 0,
    "run a setuid program": runs_setuid_program,
    "become root": becomes_root,
}
NEEDS_ROOT = {"mount", "join a namespace", "change root", "become root"}
MAY_BE_CLOSED = {
    "run a setuid program",
    "unshare the user",
    "clone into a namespace",
    "set up io_uring",
    "use a keyring",
    "mount",
} | {
    "make a message queue",
    "join a namespace",
    "trace another",
    "read another's memory by a call",
    "compare processes",
}
"""Attacks that a machine, such as a container, may refuse to everyone."""

AGAINST_PARENT: dict[str, Callable[[Environment], Any]] = {
    "environment": lambda e: len(Path(f"/proc/{os.getppid()}/environ").read_bytes()) > 0,
    "memory": lambda e: reads_memory(os.getppid()),
    "maps": lambda e: len(Path(f"/proc/{os.getppid()}/maps").read_bytes()) > 0,
    "files": lambda e: len(os.listdir(f"/proc/{os.getppid()}/fd")) > 0,
    "working folder": lambda e: len(os.listdir(f"/proc/{os.getppid()}/cwd")) >= 0,
    "memory by a call": lambda e: reaches(310, os.getppid(), 1, 1, 1, 1, 0),
    "trace": lambda e: seizes(os.getppid()),
    "first process's memory": lambda e: os.open("/proc/1/mem", os.O_RDWR) > 0,
}
