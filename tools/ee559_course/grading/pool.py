"""The workers that run students' code: of this machine, or of any Dask cluster."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import dask
from distributed import Client, Future, LocalCluster

from ee559_course.grading.confinement import Limits, probe
from ee559_course.grading.run.task import Task
from ee559_course.grading.run.worker import UNCONFINED, run_submission

SETTINGS = {
    "distributed.scheduler.allowed-failures": 1,  # a submission whose worker dies is tried once more
    "distributed.scheduler.worker-saturation": 1.0,  # and none waits on a worker that another one kills
}
SECONDS_TO_ANSWER = 10


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
    """Connected workers.

    Args:
        client: Dask's.
        options: where code is run.
    """

    def __init__(self, client: Client, options: PoolOptions) -> None:
        self._client = client
        self._settings = json.dumps({"limits": asdict(options.limits), "unconfined": options.unconfined})

    @property
    def size(self) -> int:
        """How many submissions run at the same time."""
        return int(sum(self._client.nthreads().values()))

    def submit(self, task: Task) -> Future[str]:
        """Let a worker run a submission; the future has a `RunResult` as JSON."""
        return self._client.submit(run_submission, task.to_json(), self._settings, pure=False)


@contextlib.contextmanager
def connect(options: PoolOptions) -> Iterator[Pool]:
    """Start workers, or connect to those of a scheduler.

    Raises:
        GradingError: there are none, or nothing confines students' code on one of them.
    """
    with dask.config.set(SETTINGS), contextlib.ExitStack() as stack:
        if options.scheduler is None:
            address = stack.enter_context(
                LocalCluster(
                    n_workers=options.workers or _cores(),
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    scheduler_kwargs={
                        "dashboard_address": "127.0.0.1:0"
                    },  # it opens a port all the same, by default 8787
                    silence_logs=50,
                )
            )
        else:
            address = options.scheduler
        try:
            client = stack.enter_context(Client(address, timeout=SECONDS_TO_ANSWER))
        except (OSError, ValueError) as error:
            raise GradingError(f"no scheduler answers at {options.scheduler}: {error}") from None
        confined = client.run(_is_confined)
        if not confined:
            raise GradingError(f"the scheduler at {options.scheduler} has no workers: start some.")
        if not all(confined.values()) and not options.unconfined:
            raise GradingError(UNCONFINED)
        yield Pool(client, options)


def _is_confined() -> bool:
    return probe().confined


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
