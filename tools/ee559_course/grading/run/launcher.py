"""Where students' processes come from: a warm server that forks them, or, where nothing can fork, a fresh Python."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import ee559_sandbox
import psutil
from ee559_sandbox import (
    Confinement,
    Limits,
    ProcessExit,
    Usage,
    default_readable,
    server_command,
    server_environment,
)

import ee559_course

COURSE, SANDBOX = (Path(str(package.__file__)).parent for package in (ee559_course, ee559_sandbox))
CLEAN_JOBS = "ee559_course.grading.worker.clean_jobs"  # a module with `serve`, and a program
KEPT = ("EE559_CACHE", "MPLBACKEND")  # variables that pass from the worker to the students' processes
SECONDS_TO_END = 10
MAX_WORDS = 300  # characters


class LaunchError(RuntimeError):
    """A student's process could not be started."""


class Pipes(NamedTuple):
    """The grader's ends of the two pipes of a student's process."""

    commands: IO[bytes]
    events: IO[bytes]


class Launcher(Protocol):
    """Starts one process at a time, in a folder of its own."""

    def start(self, programs: bool = True) -> Pipes:
        """Start a student's process, which may start programs or not."""

    def start_clean(self, job: str) -> Pipes:
        """Start a process for a clean job, one that runs none of a student's code."""

    def usage(self) -> Usage:
        """Say what the process and its children use."""

    def interrupt(self) -> None:
        """Send it Ctrl+C."""

    def stop(self, patience: float) -> tuple[ProcessExit, bool]:
        """Kill it and all that is left of it; say how it ended, and whether the kernel did it to save memory.

        Args:
            patience: seconds to wait first for an end of its own, which then is the one that is told.
        """

    def close(self) -> None:
        """Stop, and let the launcher itself go."""


class ForkServer:
    """A launcher that is warm; see `ee559_course.grading.run.fork_server`.

    Args:
        confinement: what the students' processes are confined by.
        limits: what one submission may use.
        scratch_root: the folder that their own folders lie in.

    Raises:
        LaunchError: the server does not start; the message has its last words.
    """

    def __init__(self, confinement: Confinement, limits: Limits, scratch_root: Path) -> None:
        ours, theirs = socket.socketpair()
        readable = find_readable()
        settings = {
            "confinement": asdict(confinement),
            "limits": asdict(limits),
            "readable": [str(path) for path in readable],
            "keep_variables": KEPT,
            "scratch_root": str(scratch_root),
            "own": [str(COURSE), str(SANDBOX)],
            "clean": CLEAN_JOBS,
        }
        command = [sys.executable, "-m", "ee559_course.grading.run.fork_server", str(theirs.fileno())]
        command = server_command(confinement, [*command, json.dumps(settings)], scratch_root, readable, [COURSE])
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open for as long as the server lives
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=server_environment(scratch_root, KEPT),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        theirs.close()
        self._channel, self._answers = ours, ours.makefile("rb")
        try:
            threads = self._read()["threads"]
            if threads != 1:
                raise LaunchError(f"expected a server with one thread before it forks, got {threads}.")
        except LaunchError:
            self.close()
            raise

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise self._gone()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _gone(self) -> LaunchError:
        """Make the error that says how the server ended, and its last words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(SECONDS_TO_END)
        self._log.seek(0)
        printed = self._log.read().decode(errors="replace").splitlines() or ["without a word"]
        return LaunchError(
            f"the server that starts students' processes is gone: exit status {self._process.poll()}, "
            f"{printed[-1][-MAX_WORDS:]}. Run `ee559 doctor`: it says what this machine lacks."
        )

    def _ask(self, do: str, fds: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        try:
            socket.send_fds(self._channel, [json.dumps({"do": do, **fields}).encode()], fds)
            return self._read()
        except OSError as error:
            raise self._gone() from error

    def start(self, programs: bool = True) -> Pipes:
        """Fork a student's process."""
        return self._start("fork", programs=programs)

    def start_clean(self, job: str) -> Pipes:
        """Fork a process for a job."""
        return self._start("clean", job=job)

    def _start(self, do: str, **fields: Any) -> Pipes:
        commands, events = os.pipe(), os.pipe()
        try:
            self._ask(do, (commands[0], events[1]), **fields)
        except LaunchError:
            os.close(commands[1])
            os.close(events[0])
            raise
        finally:
            os.close(commands[0])
            os.close(events[1])
        return Pipes(os.fdopen(commands[1], "wb"), os.fdopen(events[0], "rb"))

    def usage(self) -> Usage:
        """Say what the process and its children use."""
        return Usage(**self._ask("usage"))

    def interrupt(self) -> None:
        """Send it Ctrl+C."""
        self._ask("interrupt")

    def stop(self, patience: float) -> tuple[ProcessExit, bool]:
        """Kill it and all that is left of it."""
        answer = self._ask("stop", patience=patience)
        return ProcessExit(**answer["ended"]), answer["out_of_memory"]

    def close(self) -> None:
        """End the server, which ends all that it started."""
        self._answers.close()
        self._channel.close()
        self._log.close()
        try:
            self._process.wait(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def find_readable() -> list[Path]:
    """Paths that a student's process may read: nothing of the course but the package ee559 and its data."""
    cache = os.environ.get("EE559_CACHE", "")
    return [*default_readable(["ee559"]), *([Path(cache)] if os.path.isabs(cache) else [])]


class FreshPython:
    """A launcher that starts Python anew for each submission, unconfined: for systems that cannot fork."""

    _process: subprocess.Popen[bytes]

    def start(self, programs: bool = True) -> Pipes:
        """Start a Python; it may always start programs."""
        return self._start("ee559_course.grading.run.child_main", lambda scratch: str(scratch))

    def start_clean(self, job: str) -> Pipes:
        """Start a Python for a job."""
        return self._start(CLEAN_JOBS, lambda scratch: job)

    def _start(self, module: str, argument: Callable[[Path], str]) -> Pipes:
        self._scratch = Path(tempfile.mkdtemp(prefix="ee559-grading-"))
        command = [sys.executable, "-m", module, argument(self._scratch)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self._scratch
        )
        self._most = Usage(0, 0, 0, 0, 0.0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return Pipes(self._process.stdin, self._process.stdout)

    def usage(self) -> Usage:
        """Say what the process and its children use; files are not counted."""
        cpu, memory, family = 0.0, 0, self._family()
        for process in family:
            try:
                times, memory = process.cpu_times(), memory + process.memory_info().rss
            except psutil.Error:
                continue
            cpu += times.user + times.system
        most = self._most
        self._most = Usage(0, 0, max(memory, most.memory_bytes), len(family), max(cpu, most.cpu_seconds))
        return Usage(0, 0, memory, len(family), cpu)

    def interrupt(self) -> None:
        """Send it Ctrl+C, where there is such a thing."""
        if os.name == "posix":
            self._process.send_signal(signal.SIGINT)

    def stop(self, patience: float) -> tuple[ProcessExit, bool]:
        """Kill it and its children."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        killed = self._process.poll() is None
        self.usage()
        family = self._family()
        for process in reversed(family):
            try:
                process.kill()
            except psutil.Error:
                continue
        _, left = psutil.wait_procs(family, timeout=10)
        status = self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)
        return ProcessExit(status, killed, self._most.cpu_seconds, self._most.memory_bytes, len(left)), False

    def close(self) -> None:
        """Do nothing: there is nothing to let go."""

    def _family(self) -> list[psutil.Process]:
        try:
            main = psutil.Process(self._process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.Error:
            return []
