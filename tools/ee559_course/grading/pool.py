"""The workers that run students' code: processes of this machine, which talk through pipes."""

import contextlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field

from ee559_course.grading.confinement import Limits, probe
from ee559_course.grading.run.worker import UNCONFINED, run_submission, warm_up


class GradingError(RuntimeError):
    """The grading could not begin; the message says why and what to do."""


@dataclass(frozen=True)
class PoolOptions:
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
        options: where code is run.
    """

    def __init__(self, options: PoolOptions) -> None:
        self.size = options.workers or _cores()
        self._settings = json.dumps({"limits": asdict(options.limits), "unconfined": options.unconfined})
        self._executor = ProcessPoolExecutor(
            self.size, multiprocessing.get_context("spawn"), initializer=warm_up, initargs=(self._settings,)
        )

    def submit(self, task: str) -> Future[str]:
        """Let a worker grade a submission, see `run_submission`."""
        return self._executor.submit(run_submission, task, self._settings)

    def close(self) -> None:
        """End the workers."""
        self._executor.shutdown(cancel_futures=True)


@contextlib.contextmanager
def connect(options: PoolOptions) -> Iterator[Pool]:
    """Start workers, or connect to those of a scheduler.

    Raises:
        GradingError: there are none, or nothing confines students' code on one of them.
    """
    if not probe().confined and not options.unconfined:
        raise GradingError(UNCONFINED)
    pool = Pool(options)
    try:
        yield pool
    finally:
        pool.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
