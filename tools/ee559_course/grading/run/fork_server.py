"""A process that has imported what notebooks import, and forks for each submission: the child starts warm.

It stays single-threaded and computes nothing, so that a fork is safe, and it never runs a student's code itself. It
does what a worker asks through a socket: ``fork`` a student's process or ``clean`` one for a job (two pipes come with
either), ``usage``, ``interrupt``, ``stop``.
"""

import importlib
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ee559_sandbox import (
    Cgroup,
    Confinement,
    Limits,
    confine,
    find_usage,
    kill_process_tree,
    make_scratch,
    prepare_server,
    remove_scratch,
)

from ee559_course.grading.run.preload import OWN, leave_out_compiler, preload, preload_more

MIB = 2**20
RUNS_OF_ONE = 2  # of one submission: after them there are others, and it pays to import what only some need
CLEAN = Limits(cpu_seconds=600, memory_bytes=3000 * MIB, file_bytes=64 * MIB, files=100, processes=16)
"""What a job may use; what is read of a submission is limited before, and its judgement may train networks."""


class _Server:
    def __init__(self, channel: socket.socket, settings: dict[str, Any]) -> None:
        self._channel = channel
        self._confinement = Confinement.from_dict(settings["confinement"])
        self._limits = Limits(**settings["limits"])
        self._readable = [Path(path) for path in settings["readable"]]
        self._keep_variables: list[str] = settings["keep_variables"]
        self._scratch_root = Path(settings["scratch_root"])
        self._own = [Path(path) for path in settings["own"]]
        self._clean = settings["clean"]
        self._child = self._nb_runs = 0

    def run(self) -> None:
        """Do what is asked until the worker is gone."""
        try:
            self._tell(ready=True, threads=threading.active_count())
            while True:
                message, fds, _, _ = socket.recv_fds(self._channel, 65_536, 2)
                if not message:
                    return
                self._tell(**self._do(json.loads(message), fds))
        finally:
            self._stop()

    def _tell(self, **answer: Any) -> None:
        self._channel.sendall(json.dumps(answer).encode() + b"\n")

    def _do(self, command: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        match command:
            case {"do": "fork", "programs": bool(programs)}:
                return self._fork(*fds, programs=programs)
            case {"do": "clean", "job": str(job)}:
                return self._fork(*fds, job=job)
            case {"do": "usage"}:
                return asdict(find_usage(self._scratch, self._child, self._limits))
            case {"do": "interrupt"}:
                os.kill(self._child, signal.SIGINT)
                return {}
            case {"do": "stop", "patience": float(patience)}:
                return self._stop(patience)
        raise ValueError(f"expected fork, clean, usage, interrupt or stop, got {command}")

    def _fork(self, commands: int, events: int, *, programs: bool = False, job: str = "") -> dict[str, Any]:
        limits = CLEAN if job else self._limits
        self._nb_runs += not job
        if self._nb_runs == RUNS_OF_ONE + 1:
            preload_more()
        self._scratch = make_scratch(self._scratch_root)
        self._group = Cgroup(self._confinement, limits)
        self._group.create()
        self._child = os.fork()
        if self._child == 0:
            self._be_the_child(commands, events, limits, programs, job)
        os.close(commands)
        os.close(events)
        return {}

    def _be_the_child(self, commands: int, events: int, limits: Limits, programs: bool, job: str) -> None:
        """Confine this process and serve; it never returns."""
        try:
            self._confine(commands, events, limits, programs, self._own if job else [])
            with os.fdopen(commands, "rb") as in_, os.fdopen(events, "wb") as out:
                from ee559_course.grading.run import child_main  # preloaded

                if job:
                    importlib.import_module(self._clean).serve(job, in_, out, self._scratch)
                else:
                    child_main.serve(in_, out, self._scratch)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _confine(self, commands: int, events: int, limits: Limits, programs: bool, more: list[Path]) -> None:
        try:
            self._group.add(os.getpid())
            confine(
                self._confinement,
                self._scratch,
                [*self._readable, *more],
                limits,
                {commands, events},
                keep_variables=self._keep_variables,
                programs=programs,
            )
        except BaseException as error:
            os.write(events, json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode() + b"\n")
            raise

    def _stop(self, patience: float = 0.0) -> dict[str, Any]:
        """Kill what is left of the submission, and say how its first process ended and what it used."""
        if not self._child:
            return {}
        deadline = time.monotonic() + (patience if hasattr(os, "waitid") else 0.0)
        while time.monotonic() < deadline and not os.waitid(
            os.P_PID, self._child, os.WEXITED | os.WNOWAIT | os.WNOHANG
        ):
            time.sleep(0.005)
        ended = kill_process_tree(self._child, self._group)
        out_of_memory = self._group.nb_killed_for_memory() > 0
        self._group.remove()
        remove_scratch(self._scratch)
        self._child = 0
        return {"ended": asdict(ended), "out_of_memory": out_of_memory}


def main() -> None:
    """Serve on the socket whose number is the first argument; the second has the settings as JSON."""
    prepare_server()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the worker's business
    os.environ["OMP_THREAD_LIMIT"] = "1"  # threads that a fork did not take along would be waited for
    leave_out_compiler()
    settings = json.loads(sys.argv[2])
    preload(OWN, settings["clean"])
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        _Server(channel, settings).run()
    os._exit(0)  # there is nothing to tidy up, and torch would take a second for it


if __name__ == "__main__":
    main()
