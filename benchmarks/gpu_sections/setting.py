"""What the sections share: the device and the sizes, the time that is left, timing, and what counts as equal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt
from time import perf_counter

import torch
from ee559.timing import Timings, synchronize, timing
from torch import Tensor

Row = dict[str, object]
"""One line of a section's table, by column. Times are in seconds."""

TOLERANCES = {"float32": 2e-5, "TF32": 1e-2, "bfloat16": 5e-2}
"""By precision, how far two ways may differ: relative, and in standard deviations √D of a sum of D random products."""


@dataclass(frozen=True)
class Plan:
    """Trainings of one network of practical 4: which, on how many images, how long, from which seeds."""

    network: str
    nb_hidden: int
    data: str
    nb_epochs: int
    seeds: range


def _widths(nb_epochs: int, nb_seeds: int) -> tuple[Plan, ...]:
    seeds = range(100, 100 + nb_seeds)  # as in trainings.py, and not those of the ten trainings
    return tuple(Plan("Net", nb_hidden, "small", nb_epochs, seeds) for nb_hidden in (10, 50, 200, 500, 1000))


def _plans() -> dict[str, tuple[Plan, ...]]:
    ten = range(10)
    return {
        "ten_trainings": tuple(Plan("Net", 200, "small", epochs, ten) for epochs in (25, 100)),
        "hidden_units": _widths(25, 10),
        "three_convolutions": tuple(Plan("Net2", 200, "small", epochs, ten) for epochs in (25, 100)),
        "full_set": (Plan("Net", 200, "full", 25, range(3)),),
        "hidden_units_long": _widths(100, 5),
        "full_set_long": (Plan("Net", 200, "full", 100, range(3)),),
    }


@dataclass(frozen=True)
class Sizes:
    """How large everything is. The defaults are the slides' and the practical's; `SHORT` only tries the code.

    Args:
        batch, in_features, out_features: N, D and C of x (N, D) and w (C, D). Practical: slide H5.
        runs: runs of each thing timed, at most.
        batch_sizes: values of N for the curve.
        waits: values of N for the clocks.
        peak, peak_cpu: side of the square matrices whose product shows the highest rate, GPU and CPU.
        queued: calls between two waits where many are timed as one.
        backend: what `torch.compile` compiles with.
        epochs: data and mini-batch size of the epochs that are timed.
        moved: data and mini-batch size of the epochs to which data is moved.
        plans: the trainings of each section. Practical: practical session 4.
    """

    batch: int = 2500
    in_features: int = 1000
    out_features: int = 1500
    runs: int = 51
    batch_sizes: tuple[int, ...] = tuple(2**k for k in range(17))
    waits: tuple[int, ...] = (1, 64, 2500, 65_536)
    peak: int = 8192
    peak_cpu: int = 4096
    queued: int = 100
    backend: str = "inductor"
    epochs: tuple[tuple[str, int], ...] = (("small", 100), ("full", 100), ("full", 1000))
    moved: tuple[tuple[str, int], ...] = (("full", 100), ("full", 1000))
    plans: Mapping[str, tuple[Plan, ...]] = field(default_factory=_plans)


SHORT = Sizes(
    batch=20,
    in_features=10,
    out_features=15,
    runs=3,
    batch_sizes=(1, 4, 16),
    waits=(1, 20),
    peak=64,
    peak_cpu=32,
    queued=3,
    backend="eager",
    epochs=(("tiny", 100),),
    moved=(("tiny", 100),),
    plans={
        name: (Plan(plans[0].network, plans[0].nb_hidden, "tiny", 1, range(2)),) for name, plans in _plans().items()
    },
)


class Stopwatch:
    """Tell how much of a budget is left once the device has done what it was given.

    Args:
        device: is waited for before each reading.
        seconds: the budget, from now on.
    """

    def __init__(self, device: torch.device, seconds: float) -> None:
        self.device = device
        self._end = now(device) + seconds

    def left(self) -> float:
        """Return the seconds that are left; below zero, the budget is spent."""
        return self._end - now(self.device)


def now(device: torch.device) -> float:
    """Wait for the device, then read the clock, in seconds. Practical: slide H5."""
    synchronize(device)
    return perf_counter()


@dataclass(frozen=True)
class Setting:
    """Where a section computes, at which sizes, and how much time is left."""

    device: torch.device
    sizes: Sizes
    stopwatch: Stopwatch

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """The device, and the CPU to compare with; the CPU alone where it is the device."""
        cpu = torch.device("cpu")
        return (cpu,) if self.device.type == "cpu" else (self.device, cpu)


def measure(
    callables: Mapping[str, Callable[[], object]],
    device: torch.device,
    most: int,
    seconds: float = 1.0,
    warmup: int = 3,
) -> Timings:
    """Time things that do the same work, as often as fits in some seconds.

    Args:
        callables: what to call, by name.
        device: where they compute; it is waited for before each reading of the clock.
        most: runs of each, at most; at least one counts.
        seconds: what all runs together may take, about.
        warmup: runs of each that do not count.
    """
    once = timing(callables, nb=1, warmup=warmup, device=device)
    nb = min(most, int(seconds / max(sum(once.medians.values()), 1e-9)))
    return timing(callables, nb=nb, warmup=0, device=device) if nb > 1 else once


def rows_of(times: Timings, **labels: object) -> list[Row]:
    """Return a row for each thing timed: its labels, median and quartiles in seconds, and the number of runs."""
    return [
        {"device": times.device.type, **labels, "way": name, **spread(times.medians[name], *quartiles, times.nb)}
        for name, quartiles in times.quartiles.items()
    ]


def spread(median: float, low: float, high: float, runs: int) -> Row:
    """Return the columns of one measurement: median and quartiles in seconds, and the number of runs."""
    return {"seconds": median, "low": low, "high": high, "runs": runs}


def precisions(device: torch.device) -> tuple[str, ...]:
    """Return the precisions that are compared on a device; TF32 exists on CUDA alone."""
    return ("float32", "TF32", "bfloat16") if device.type == "cuda" else ("float32", "bfloat16")


@contextmanager
def precision(name: str) -> Iterator[torch.dtype]:
    """Let products of float32 use TF32 only if that is the precision; give the type of the operands."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if name == "TF32" else "highest")
    try:
        yield torch.bfloat16 if name == "bfloat16" else torch.float32
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def full_float32() -> Iterator[None]:
    """Compute float32 without TF32, convolutions too, and by cuDNN's deterministic algorithms."""
    cudnn = torch.backends.cudnn
    before = (cudnn.allow_tf32, cudnn.deterministic)
    cudnn.allow_tf32, cudnn.deterministic = False, True
    try:
        with precision("float32"):
            yield
    finally:
        cudnn.allow_tf32, cudnn.deterministic = before


def operands(device: torch.device, nb: int, sizes: Sizes) -> tuple[Tensor, Tensor]:
    """Draw x (nb, D) and w (C, D) from a standard normal distribution, float32, the same on every device."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(sizes.out_features, sizes.in_features, generator=generator)
    x = torch.randn(nb, sizes.in_features, generator=generator)
    return x.to(device), w.to(device)


def agree(actual: Tensor, expected: Tensor, name: str, in_features: int) -> None:
    """Compare two results of x wᵀ, whose values are sums of D = in_features random products, in a precision.

    Raises:
        AssertionError: they differ by more than `TOLERANCES` allows, or one has values that are not numbers.
    """
    tolerance = TOLERANCES[name]
    torch.testing.assert_close(actual.float(), expected.float(), rtol=tolerance, atol=tolerance * sqrt(in_features))
