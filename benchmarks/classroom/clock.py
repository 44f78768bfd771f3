"""Run a command and measure all of it: seconds, processor time of every process that it started, events, memory."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil
from ee559_sandbox.kernel_calls import PR_SET_CHILD_SUBREAPER, prctl

SECONDS_TO_END = 20.0
COLD = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "local-provisioner"}  # Jupyter's own way to start kernels


class Line(NamedTuple):
    """A line that a command printed, and when.

    Attributes:
        seconds: since it began.
        cpu: seconds of processor time until then, of all processes that live.
        own: the same of the command's first process alone.
        text: the line.
    """

    seconds: float
    cpu: float
    own: float
    text: str


@dataclass
class Run:
    """What a command took.

    Attributes:
        status: how it ended.
        seconds: on the wall clock.
        cpu: seconds of processor time, of the command and of all that it started.
        lines: what it printed.
    """

    status: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    lines: list[Line] = field(default_factory=list)


def run(
    command: Sequence[str | Path],
    folder: Path,
    env: Mapping[str, str] | None = None,
    keep: Callable[[str], bool] = lambda line: True,
    watch: Callable[[psutil.Process], None] | None = None,
) -> Run:
    """Run a command to its end.

    Args:
        command: with its arguments.
        folder: where.
        env: variables that are added.
        keep: which of the lines that it prints are kept, with times.
        watch: called again and again while it runs, with its process.
    """
    become_parent_of_orphans()
    result = Run()
    before, started = _cpu_of_the_dead(), time.perf_counter()
    with open(folder / "standard-error.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    with _watching(psutil.Process(process.pid), watch):
        for line in process.stdout:
            if keep(line):
                own, cpu = _cpu_of_the_living(process.pid)
                result.lines.append(Line(time.perf_counter() - started, cpu, own, line))
        result.status = process.wait()
    result.seconds = time.perf_counter() - started
    _collect_orphans()
    result.cpu = _cpu_of_the_dead() - before
    return result


def become_parent_of_orphans() -> None:
    """Let processes whose parent has ended become this one's children, so that their processor time is counted."""
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def _collect_orphans() -> None:
    deadline = time.monotonic() + SECONDS_TO_END
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)


def _cpu_of_the_dead() -> float:
    return sum(os.times()[2:4])


def _cpu_of_the_living(pid: int) -> tuple[float, float]:
    """Processor time of a process, and of it and all below it and of those of their children that have ended."""
    own = total = 0.0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        own = sum(root.cpu_times()[:2])
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
    return own, total


@contextlib.contextmanager
def _watching(process: psutil.Process, watch: Callable[[psutil.Process], None] | None) -> Iterator[None]:
    over = threading.Event()

    def look() -> None:
        while watch is not None and not over.wait(0.25):
            with contextlib.suppress(psutil.Error):
                watch(process)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
