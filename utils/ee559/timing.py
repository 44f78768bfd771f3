"""How long things take: warm-up, several runs, the median and its spread, the device waited for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Timings:
    """What `timing` measured, in seconds by name."""

    medians: dict[str, float]
    quartiles: dict[str, tuple[float, float]]
    nb: int
    device: torch.device
    threads: int

    def ratio(self, slow: str, fast: str) -> float:
        """Return how many times the median of `fast` goes into that of `slow`.

        Raises:
            ValueError: a name was not timed.
        """
        for name in (slow, fast):
            if name not in self.medians:
                raise ValueError(f"expected one of the names timed, {sorted(self.medians)}; got {name!r}.")
        return self.medians[slow] / self.medians[fast]

    def __str__(self) -> str:
        """One line for each name, then what was measured and where."""
        width = max(len(name) for name in self.medians)
        lines = [f"{name:<{width}}  {time}  ({low} to {high})" for name, time, low, high in self._rows()]
        return "\n".join([*lines, self._conditions()])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{title}</th>' for title in ("what", "median", "quartiles"))
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{time}</td><td>{low} to {high}</td></tr>'
            for name, time, low, high in self._rows()
        )
        caption = f"<caption>{escape(self._conditions())}</caption>"
        return f'<table tabindex="0">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (name, _readable(self.medians[name]), _readable(low), _readable(high))
            for name, (low, high) in self.quartiles.items()
        ]

    def _conditions(self) -> str:
        runs = "1 run" if self.nb == 1 else f"median and quartiles of {self.nb} runs"
        threads = "1 CPU thread" if self.threads == 1 else f"{self.threads} CPU threads"
        return f"{runs}, device {self.device}, {threads}"


def timing(
    callables: Mapping[str, Callable[[], object]],
    nb: int = 51,
    warmup: int = 3,
    device: torch.device | str | None = None,
) -> Timings:
    """Time things that do the same work, taking turns, so that a machine that gets busy slows them all.

    Args:
        callables: what to call, by name.
        nb: runs of each that count.
        warmup: runs of each before those, which do not count.
        device: where they compute; it is waited for before and after each run. The CPU if None.

    Returns:
        The median and the quartiles of the nb runs of each, in seconds, with the device and CPU threads.

    Raises:
        ValueError: there is nothing to time, or nb < 1, or warmup < 0.

    Source: slide H5.
    """
    if not callables:
        raise ValueError("expected at least one callable, by name; got none.")
    if nb < 1 or warmup < 0:
        raise ValueError(f"expected nb ≥ 1 and warmup ≥ 0; got nb={nb}, warmup={warmup}.")
    place = torch.device(device or "cpu")
    for function in callables.values():
        for _ in range(warmup):
            function()
    seconds: dict[str, list[float]] = {name: [] for name in callables}
    for _ in range(nb):
        for name, function in callables.items():
            synchronize(place)
            start = perf_counter()
            function()
            synchronize(place)
            seconds[name].append(perf_counter() - start)
    return Timings(
        medians={name: median(runs) for name, runs in seconds.items()},
        quartiles={name: _quartiles(runs) for name, runs in seconds.items()},
        nb=nb,
        device=place,
        threads=torch.get_num_threads(),
    )


def synchronize(device: torch.device | str) -> None:
    """Wait until a GPU has done what it was given; the CPU computes before it returns."""
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    elif place.type == "mps":
        torch.mps.synchronize()


@dataclass(frozen=True)
class BatchVsLoop:
    """Median seconds of a batch of samples through a linear map, at once and one sample at a time."""

    batch_seconds: float
    loop_seconds: float
    ratio: float
    device: torch.device
    threads: int
    batch_size: int
    batch_quartiles: tuple[float, float]
    loop_quartiles: tuple[float, float]

    def __str__(self) -> str:
        """Return the line that the lecture prints."""
        kind = "CPU" if self.device.type == "cpu" else "GPU"
        return f"{kind} batch vs. loop speed ratio {self.ratio:.1f}"


def batch_vs_loop(x: Tensor, w: Tensor, nb: int = 51) -> BatchVsLoop:
    """Time x wᵀ against a loop over the samples of x, and print the lecture's line.

    Args:
        x: (N, D), one sample a row.
        w: (C, D), the weight of a linear map, of the same floating-point type and on the same device.
        nb: runs of each that count, after one that does not.

    Returns:
        The two medians in seconds, their ratio loop / batch, the quartiles, the device and CPU threads.

    Raises:
        ValueError: x and w do not fit together, or one has no element, or nb < 1.
        AssertionError: the batch and the loop give different results.

    Source: slides H5 and H6.
    """
    result = _measure(x, w, nb)
    print(result)
    return result


def plot_batch_vs_loop(
    batch_sizes: Sequence[int], in_features: int, out_features: int, nb: int = 11
) -> "tuple[list[BatchVsLoop], Figure]":
    """Time batch and loop on the CPU for several batch sizes, and draw both times and their ratio.

    Args:
        batch_sizes: the values of N, each at least 1.
        in_features: D, the size of a sample.
        out_features: C, the size of a result.
        nb: runs of each at each size.

    Returns:
        One result for each batch size, and the figure: times with their quartiles on the left, the ratio
        loop / batch on the right. The samples are random and leave the global generator as it was.

    Raises:
        ValueError: there is no batch size, or a size or nb is below 1.

    Source: slides H5 and H6.
    """
    if not batch_sizes or min(*batch_sizes, in_features, out_features, nb) < 1:
        raise ValueError(
            "expected at least one batch size, and sizes and nb ≥ 1; got "
            f"batch_sizes={list(batch_sizes)}, in_features={in_features}, out_features={out_features}, nb={nb}."
        )
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(out_features, in_features, generator=generator)
    results = [_measure(torch.randn(n, in_features, generator=generator), w, nb) for n in batch_sizes]
    return results, _draw(results)


def _measure(x: Tensor, w: Tensor, nb: int) -> BatchVsLoop:
    _check_operands(x, w)
    y = x.new_empty(x.size(0), w.size(0))

    def batch() -> Tensor:
        return x.mm(w.t())

    def loop() -> Tensor:
        for k in range(y.size(0)):
            y[k] = w.mv(x[k])
        return y

    with torch.no_grad():
        # The two sum D products in different orders, so they differ by roundings of that many terms.
        rounding = torch.finfo(x.dtype).eps * x.size(1)
        scale = (x.abs().max() * w.abs().max()).item()
        torch.testing.assert_close(loop(), batch(), rtol=rounding, atol=rounding * scale, equal_nan=True)
        times = timing({"batch": batch, "loop": loop}, nb=nb, warmup=1, device=x.device)
    return BatchVsLoop(
        batch_seconds=times.medians["batch"],
        loop_seconds=times.medians["loop"],
        ratio=times.ratio("loop", "batch"),
        device=times.device,
        threads=times.threads,
        batch_size=x.size(0),
        batch_quartiles=times.quartiles["batch"],
        loop_quartiles=times.quartiles["loop"],
    )


def _check_operands(x: Tensor, w: Tensor) -> None:
    if x.dim() != 2 or w.dim() != 2 or x.size(1) != w.size(1) or not x.numel() or not w.numel():
        raise ValueError(
            f"expected x (N, D) and w (C, D) with the same D and no empty size; got {tuple(x.shape)} and "
            f"{tuple(w.shape)}. Put one sample in each row of x, and the weights of one output in each row of w."
        )
    if x.dtype != w.dtype or not x.is_floating_point() or x.device != w.device:
        raise ValueError(
            "expected x and w of one floating-point type on one device; got "
            f"{x.dtype} on {x.device} and {w.dtype} on {w.device}. Convert one with `.to(...)`."
        )


def _draw(results: list[BatchVsLoop]) -> "Figure":
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = [result.batch_size for result in results]
    for label, format, times, quartiles in (
        ("loop", "s--", [r.loop_seconds for r in results], [r.loop_quartiles for r in results]),
        ("batch", "o-", [r.batch_seconds for r in results], [r.batch_quartiles for r in results]),
    ):
        below = [max(0.0, time - low) for time, (low, _) in zip(times, quartiles, strict=True)]
        above = [max(0.0, high - time) for time, (_, high) in zip(times, quartiles, strict=True)]
        left.errorbar(sizes, times, yerr=(below, above), fmt=format, capsize=3, label=label)
    left.set(xscale="log", yscale="log", xlabel="batch size", ylabel="seconds (median, quartiles)")
    left.legend()
    right.plot(sizes, [result.ratio for result in results], "k^-.")
    right.axhline(1, color="grey", linewidth=0.8)
    right.set(xscale="log", xlabel="batch size", ylabel="loop time / batch time")
    return figure


def _quartiles(runs: list[float]) -> tuple[float, float]:
    if len(runs) == 1:
        return runs[0], runs[0]
    low, _, high = quantiles(runs, n=4, method="inclusive")
    return low, high


def _readable(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 0.9995:  # what rounds to 1 in this unit
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
