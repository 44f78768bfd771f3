"""What a worker does: it keeps a warm launcher, and grades one submission after the other."""

import contextlib
import json
import multiprocessing
import multiprocessing.process
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from ee559_sandbox import Confinement, Limits, cgroup_home, probe
from platformdirs import user_cache_path

from ee559_course.files import write_bytes
from ee559_course.grading.run.launcher import ForkServer, FreshPython, Launcher, LaunchError
from ee559_course.grading.worker.grade_submission import grade_one

SCRATCH = "ee559-grading-"
SECONDS_TO_KEEP = 3600  # a worker in another container may share the folder, and has a process id of another kind
UNCONFINED = (
    "Nothing here keeps students' code from the rest of the machine. Grade on Linux 6.12 or newer, with bubblewrap, or "
    "in a container that holds nothing else and with --unconfined. `ee559 doctor` says what is missing."
)


class Unconfined(RuntimeError):
    """Nothing on this machine confines a student's code."""


def _remove_what_the_dead_left() -> None:
    """Remove the scratch folders of workers that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        owner = folder.name.removeprefix(SCRATCH).partition("-")[0]
        with contextlib.suppress(OSError):
            old = time.time() - folder.lstat().st_mtime > SECONDS_TO_KEEP
            if old and owner.isdecimal() and not psutil.pid_exists(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)


class Worker:
    """A launcher and its scratch folders.

    Args:
        limits: what one submission may use.
        unconfined: whether to run where nothing confines.

    Raises:
        Unconfined: nothing does, and that was not asked for.
    """

    def __init__(self, limits: Limits, unconfined: bool = False) -> None:
        confinement = probe()
        if not confinement.confined and not unconfined:
            raise Unconfined(UNCONFINED)
        self._stack = contextlib.ExitStack()
        self._confinement: Confinement = self._stack.enter_context(cgroup_home(confinement))
        _remove_what_the_dead_left()
        folder = tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-", ignore_cleanup_errors=True)
        self._folder = Path(self._stack.enter_context(folder))
        self._folder.chmod(0o711)
        self._limits = limits
        self._launcher: Launcher | None = None
        os.environ["EE559_CACHE"] = str(_unpacked_mnist())  # all submissions read MNIST where it is unpacked already

    def run(self, task: str) -> str:
        """Grade a submission, in a new launcher if the old one is gone; return the result as JSON.

        Raises:
            LaunchError: there is no process to run it in, and trying again did not help.
        """
        fields = json.loads(task)
        try:
            return self._run_once(fields)
        except LaunchError:
            self._close_launcher()
            return self._run_once(fields)

    def _run_once(self, fields: dict[str, Any]) -> str:
        if self._launcher is None:
            self._launcher = self._new_launcher()
        return json.dumps(grade_one(self._launcher, fields, self._limits))

    def _new_launcher(self) -> Launcher:
        if not hasattr(os, "fork"):
            return FreshPython()
        theirs, kept = self._folder / ".matplotlib", Path(os.environ["EE559_CACHE"]) / "fonts"
        _copy_fonts(kept, theirs)
        launcher = ForkServer(self._confinement, self._limits, self._folder)
        _copy_fonts(theirs, kept)  # before any submission has run
        return launcher

    def _close_launcher(self) -> None:
        if self._launcher is not None:
            self._launcher.close()
            self._launcher = None

    def warm_up(self) -> None:
        """Start the launcher, and do not wait for it."""
        if self._launcher is None:
            self._launcher = self._new_launcher()

    def close(self) -> None:
        """End the launcher, and leave nothing behind."""
        self._close_launcher()
        self._stack.close()


def _copy_fonts(source: Path, target: Path) -> None:
    """Copy Matplotlib's list of fonts, which it takes seconds to make, where it is not there yet."""
    with contextlib.suppress(OSError):  # such as a cache that this user may not write to
        for path in source.glob("fontlist-*.json"):
            if not (target / path.name).exists():
                write_bytes(target / path.name, path.read_bytes())


def _unpacked_mnist() -> Path:
    """Return the folder where MNIST is unpacked; a worker itself never imports torch, which is slow and large."""
    root = Path(os.environ.get("EE559_CACHE") or user_cache_path("ee559"))
    if len(list((root / "MNIST" / "raw").glob("*-ubyte"))) < 4:
        program = "from ee559.mnist import unpacked_root; print(unpacked_root())"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        root = Path(done.stdout.strip())
    return root


_here = threading.local()


def run_submission(task: str, settings: str) -> str:
    """Grade one submission in this thread's worker.

    Args:
        task: as `ee559_course.grading.worker.grade_submission.grade_one` takes it, as JSON.
        settings: ``limits`` and ``unconfined`` for `Worker`, as JSON.

    Returns:
        What `grade_one` returns, as JSON.
    """
    return _worker(settings).run(task)


def warm_up(settings: str) -> None:
    """Start this thread's worker, whose first submission is still on its way; it ends when the grader does."""
    if (grader := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_after, args=(grader,), daemon=True).start()
    _worker(settings).warm_up()


def _end_after(grader: multiprocessing.process.BaseProcess) -> None:
    grader.join()
    os._exit(1)


def _worker(settings: str) -> Worker:
    if getattr(_here, "settings", None) != settings:
        fields = json.loads(settings)
        _here.worker = Worker(Limits(**fields["limits"]), fields["unconfined"])
        _here.settings = settings
    worker: Worker = _here.worker
    return worker
