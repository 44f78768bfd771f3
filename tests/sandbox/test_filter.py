"""The filter of system calls, judged as the kernel would, for each processor."""

import errno
import signal
from collections.abc import Sequence

import pytest
from ee559_sandbox import seccomp as filters
from ee559_sandbox.seccomp import ALLOW, ERRNO, KILL, Instruction, assemble
from ee559_sandbox.syscalls import BOTH, LAST_KNOWN, X86_64_ONLY, number_of

MACHINES = ("x86_64", "aarch64")
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
EPERM, ENOSYS, PRETENDED = ERRNO | 1, ERRNO | 38, ERRNO


def judge(program: Sequence[Instruction], number: int, arguments: Sequence[int] = (), architecture: int = 0) -> int:
    """Run a filter as the kernel would."""
    words = [number, architecture, 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    accumulator = place = 0
    while True:
        code, true, false, operand = program[place]
        place += 1
        if code == 0x06:
            return operand
        if code == 0x20:
            accumulator = words[operand // 4]
        elif code == 0x54:
            accumulator &= operand
        elif code == 0x05:
            place += operand
        else:
            compare = {0x15: accumulator == operand, 0x25: accumulator > operand, 0x35: accumulator >= operand}
            place += true if compare.get(code, bool(accumulator & operand)) else false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("own_files_only", [True, False])
def test_filter_judges_every_call(machine: str, own_files_only: bool) -> None:
    def says(name: str, *arguments: int) -> int:
        number = number_of(name, machine)
        assert number is not None
        return judge(program, number, arguments, ARCHITECTURES[machine])

    program = assemble(machine, own_files_only)
    without_programs = assemble(machine, own_files_only, programs=False)
    starting = [number_of(name, machine) for name in ("execve", "execveat")]
    assert {judge(program, number or 0, (), ARCHITECTURES[machine]) for number in starting} == {ALLOW}
    assert {judge(without_programs, number or 0, (), ARCHITECTURES[machine]) for number in starting} == {EPERM}
    assert len(without_programs) <= 4096
    assert all(0 <= jump <= 255 for _, true, false, _ in program for jump in (true, false))
    refused = [name for name in filters.REFUSED if number_of(name, machine) is not None]
    assert len(refused) > 90
    assert {says(name) for name in refused} == {EPERM}
    assert says("clone3") == says("memfd_create") == ENOSYS
    assert says("setsid") == says("setpgid") == says("sync") == PRETENDED
    assert says("fchmodat") == (ALLOW if own_files_only else PRETENDED)
    assert says("utimensat") == (ALLOW if own_files_only else EPERM)
    assert says("kill", 1, 9) == ALLOW
    assert judge(program, LAST_KNOWN + 1, (), ARCHITECTURES[machine]) == ENOSYS
    named = {number_of(name, machine) for name in BOTH} | set(X86_64_ONLY.values())
    others = [number for number in range(LAST_KNOWN + 1) if number not in named]
    assert {judge(program, number, (1,) * 6, ARCHITECTURES[machine]) for number in others} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_filter_judges_arguments(machine: str) -> None:
    def says(name: str, *arguments: int) -> int:
        number = number_of(name, machine)
        assert number is not None
        return judge(program, number, arguments, ARCHITECTURES[machine])

    program = assemble(machine, True, signals_to=77)
    threads, new_user, new_network = 0x3D0F00, 0x10000000, 0x40000000
    assert says("clone", threads) == says("clone", signal.SIGTERM) == ALLOW
    assert says("clone", new_user) == says("clone", new_network | 17) == says("clone", 0x8000) == EPERM
    assert says("clone", 1 << 40 | new_user) == EPERM  # the high half of a register does not help
    assert says("socketpair", 1, 1 | 0o2000000) == ALLOW
    assert says("socketpair", 1, 2) == says("socketpair", 16, 1) == EPERM
    assert says("sendto", 5, 1, 1, 0, 0, 0) == ALLOW
    assert says("sendto", 5, 1, 1, 0, 1 << 32, 16) == EPERM
    assert says("fcntl", 0, 1) == ALLOW
    assert {says("fcntl", 0, command) for command in (8, 10, 15, 1024, 1026)} == {EPERM}
    assert says("ioctl", 0, 0x5401) == ALLOW
    assert says("ioctl", 0, 0x5412) == ERRNO | errno.ENOTTY  # TIOCSTI: type into another's terminal
    assert says("prctl", 15) == ALLOW
    assert says("prctl", 1, 0) == EPERM
    assert says("prlimit64", 0, 7) == ALLOW
    assert says("prlimit64", 78, 7) == says("sched_setaffinity", 78) == EPERM
    assert says("personality", 0xFFFFFFFF) == ALLOW
    assert says("personality", 0x40000) == EPERM
    assert says("kill", 77) == says("kill", 0) == says("tgkill", 77, 78) == ALLOW
    assert says("kill", 78) == says("kill", 0xFFFFFFFF) == says("tgkill", 78, 77) == says("tkill", 78) == EPERM


def test_filter_kills_foreign_calls() -> None:
    for machine, other in zip(MACHINES, reversed(MACHINES), strict=True):
        assert judge(assemble(machine, True), 0, (), ARCHITECTURES[other]) == KILL
        assert judge(assemble(machine, True), 0, (), 0x40000003) == KILL  # i386
    x32 = 0x40000000
    assert judge(assemble("x86_64", True), x32 | 41, (), ARCHITECTURES["x86_64"]) == KILL
