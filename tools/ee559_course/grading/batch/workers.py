"""The workers that run students' code: processes of this machine, which talk through pipes, or those of a scheduler."""

import contextlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from ee559_sandbox import Limits, probe

from ee559_course.grading.errors import GradingError
from ee559_course.grading.worker.worker import UNCONFINED, run_submission, warm_up

T = TypeVar("T")


@dataclass(frozen=True)
class WorkerOptions:
    """Where code is run.

    Attributes:
        workers: that run code at the same time on this machine; as many as it has cores if None.
        scheduler: address of a Dask scheduler whose workers are used in their place.
        unconfined: whether to run code where nothing confines it.
        limits: what one submission may use.
    """

    workers: int | None = None
    scheduler: str | None = None
    unconfined: bool = False
    limits: Limits = field(default_factory=Limits)


class Pool:
    """Workers.

    Args:
        executor: runs functions on them.
        size: how many submissions they run at the same time.
        settings: for `run_submission`.
    """

    def __init__(self, executor: Executor, size: int, settings: str) -> None:
        self.size = size
        self._executor, self._settings = executor, settings

    def submit(self, task: str) -> Future[str]:
        """Let a worker grade a submission, see `run_submission`."""
        return self._executor.submit(run_submission, task, self._settings)


class LocalWorkers(Executor):
    """Processes of this machine: each starts when it is needed, and what one that dies was given is tried once more.

    Args:
        size: how many.
        settings: for `warm_up`.
    """

    def __init__(self, size: int, settings: str) -> None:
        self._threads, self._own = ThreadPoolExecutor(size), threading.local()
        self._settings = settings
        self._started: list[ProcessPoolExecutor] = []

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Begin to run a function in a process that has nothing to do."""
        return self._threads.submit(self._run, function, *arguments, **named)

    def _run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        try:
            return self._process().submit(function, *arguments, **named).result()
        except BrokenProcessPool:  # it was killed, such as for lack of memory
            del self._own.process
            return self._process().submit(function, *arguments, **named).result()

    def _process(self) -> ProcessPoolExecutor:
        """Return the one process of this thread."""
        if not hasattr(self._own, "process"):
            spawn = multiprocessing.get_context("spawn")
            self._own.process = ProcessPoolExecutor(1, spawn, initializer=warm_up, initargs=(self._settings,))
            self._started.append(self._own.process)
        process: ProcessPoolExecutor = self._own.process
        return process

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for process in self._started:
            process.shutdown(wait, cancel_futures=cancel_futures)


@contextlib.contextmanager
def connect(options: WorkerOptions) -> Iterator[Pool]:
    """Start workers, or connect to those of a scheduler.

    Raises:
        GradingError: there are none, or nothing confines students' code on one of them.
    """
    settings = json.dumps({"limits": asdict(options.limits), "unconfined": options.unconfined})
    if options.scheduler is not None:
        from ee559_course.grading.batch.cluster import connect_cluster  # Dask takes a second to import

        with connect_cluster(options.scheduler, settings) as (executor, size):
            yield Pool(executor, size, settings)
        return
    if not probe().confined and not options.unconfined:
        raise GradingError(UNCONFINED)
    size = options.workers or _cores()
    local = LocalWorkers(size, settings)
    try:
        yield Pool(local, size, settings)
    finally:
        local.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
