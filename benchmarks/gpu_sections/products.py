"""The linear map s = x wᵀ: batch and loop, batch sizes, clocks, and five ways to write the loop."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from ee559.timing import synchronize, timing
from torch import Tensor

from gpu_sections.setting import Row, Setting, agree, measure, operands, precision, precisions, rows_of, spread

LOOP_LIMIT = 1.0  # seconds; once a loop takes longer, it is left out at larger batch sizes
TOO_LONG = 10.0  # seconds; a single loop that would take longer is left out


def batch_against_loop(setting: Setting) -> Iterator[Row]:
    """Time `x.mm(w.t())` against a loop of `w.mv(x[k])`, on the GPU and on the CPU, in each precision.

    Practical: slides H5 and H6.
    """
    sizes = setting.sizes
    for device in setting.devices:
        for name in precisions(device):
            labels = {"precision": name, "batch_size": sizes.batch}
            with precision(name) as dtype:
                x, w = (t.to(dtype) for t in operands(device, sizes.batch, sizes))
                ways = {"batch": _batch(x, w), "loop": _loop(x, w)}
                few = _loop(x[: max(1, sizes.batch // 50)], w)
                expected = 50 * timing({"loop": few}, nb=1, warmup=1, device=device).medians["loop"]
                if expected > TOO_LONG:  # the CPU may have no instructions for a type
                    del ways["loop"]
                else:
                    agree(ways["loop"](), ways["batch"](), name, sizes.in_features)
                times = measure(ways, device, sizes.runs, seconds=20 if name == "float32" else 8, warmup=1)
            for row in rows_of(times, **labels):
                yield {**row, "ratio": times.ratio("loop", "batch")} if "loop" in ways else row
            if "loop" not in ways:
                yield {"device": device.type, **labels, "way": "loop", "left_out": f"some {expected:.0f} s a run"}


def curve_over_batch_size(setting: Setting) -> Iterator[Row]:
    """Time batch and loop (float32) at batch sizes N; rates in TFLOP/s, and the highest, of a large square product.

    A product of N samples takes 2 N C D operations. Practical: slides H5 and H6.
    """
    sizes = setting.sizes
    for device in setting.devices:
        samples, weight = operands(device, max(sizes.batch_sizes), sizes)
        expected = samples.mm(weight.t())
        sides = (sizes.out_features, sizes.in_features)
        for name in precisions(device) if device == setting.device else ("float32",):
            yield _peak(setting, device, name)
            loop_seconds = 0.0 if name == "float32" else LOOP_LIMIT
            for nb in sizes.batch_sizes:
                with precision(name) as dtype:
                    x, w = samples[:nb].to(dtype), weight.to(dtype)
                    ways = {"batch": _batch(x, w)}
                    if loop_seconds < LOOP_LIMIT:
                        ways["loop"] = _loop(x, w)
                    for way in ways.values():
                        agree(way(), expected[:nb], name, sizes.in_features)
                    times = measure(ways, device, sizes.runs, warmup=1)
                loop_seconds = times.medians.get("loop", LOOP_LIMIT)
                for row in rows_of(times, precision=name, batch_size=nb):
                    yield {**row, "tflops": _tflops(nb, *sides, times.medians[str(row["way"])])}


def synchronize_forgotten(setting: Setting) -> Iterator[Row]:
    """Time the batch with `synchronize` before each reading of the clock, and without: then only the asking counts.

    Practical: slide H5.
    """
    for nb in setting.sizes.waits:
        batch = _batch(*operands(setting.device, nb, setting.sizes))
        times = measure({"synchronized": batch}, setting.device, setting.sizes.runs)
        asked = timing({"forgotten": batch}, nb=times.nb, warmup=0)  # on the CPU, as it believes, nothing is waited for
        synchronize(setting.device)
        yield from rows_of(times, batch_size=nb)
        yield from ({**row, "device": setting.device.type} for row in rows_of(asked, batch_size=nb))


def events_beside_the_clock(setting: Setting) -> Iterator[Row]:
    """Time the batch by the clock, by the GPU's events, and by the clock around many calls; seconds of one call.

    Practical: slide H5.
    """
    event = _event_class(setting.device)
    if event is None:
        yield {"way": "events", "left_out": f"no events on {setting.device.type}"}
        return
    queued = setting.sizes.queued
    for nb in setting.sizes.waits:
        batch = _batch(*operands(setting.device, nb, setting.sizes))
        pairs: list[tuple[Any, Any]] = []

        def between_events(batch: Callable[[], Tensor] = batch, pairs: list[tuple[Any, Any]] = pairs) -> None:
            start, end = event(enable_timing=True), event(enable_timing=True)
            start.record()
            batch()
            end.record()
            pairs.append((start, end))

        def many(batch: Callable[[], Tensor] = batch) -> None:
            for _ in range(queued):
                batch()

        times = measure({"clock": batch, "events": between_events}, setting.device, setting.sizes.runs)
        yield rows_of(times, batch_size=nb)[0]
        seconds = [start.elapsed_time(end) / 1e3 for start, end in pairs[-times.nb :]]
        quarters = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
        low, middle, high = torch.tensor(seconds, dtype=torch.float64).quantile(quarters).tolist()
        yield {"device": times.device.type, "batch_size": nb, "way": "events", **spread(middle, low, high, times.nb)}
        times = measure({"clock": many}, setting.device, setting.sizes.runs)
        middle, low, high = (value / queued for value in (times.medians["clock"], *times.quartiles["clock"]))
        way = f"clock around {queued} calls"
        yield {"device": times.device.type, "batch_size": nb, "way": way, **spread(middle, low, high, times.nb)}


def ways_to_write_the_loop(setting: Setting) -> Iterator[Row]:
    """Time four ways: `mm`, a loop of `mv`, `torch.vmap` of `mv`, and a CUDA graph of the loop. The fifth is compiled.

    Practical: slides H2, H5 and H6.
    """
    sizes, device = setting.sizes, setting.device
    x, w = operands(device, sizes.batch, sizes)
    ways = {"1 mm": _batch(x, w), "2 loop of mv": _loop(x, w), "3 vmap of mv": lambda: torch.vmap(w.mv)(x)}
    if device.type == "cuda":
        ways["4 CUDA graph of the loop"] = capture(_loop(x, w))
    else:
        yield {"way": "4 CUDA graph of the loop", "left_out": f"no CUDA graphs on {device.type}"}
    yield from _compared(setting, ways)


def compiled_loop(setting: Setting, rows: int) -> Iterator[Row]:
    """Time the loop compiled by `torch.compile`, some rows of x a call, beside the batch and the loop.

    A compiler unrolls a Python loop. All of the rows at once would take very long to compile, so Python's loop
    goes over calls, each for some rows. What the first call takes, compilation included, is a row too.
    Practical: slides H5 and H6.
    """
    sizes, device = setting.sizes, setting.device
    x, w = operands(device, sizes.batch, sizes)
    y = torch.full((len(x), len(w)), torch.nan, device=device)
    torch.compile(_negative, backend=sizes.backend)(w)  # what loads the compiler is not what the loop takes
    some = torch.compile(_some_rows, backend=sizes.backend, dynamic=False)

    def loop() -> Tensor:
        for k in range(0, len(x), rows):
            y[k : k + rows] = some(x[k : k + rows], w)
        return y

    first = timing({"first call": lambda: some(x[:rows], w)}, nb=1, warmup=0, device=device)
    yield from rows_of(first, rows=rows, batch_size=rows)
    ways = {"1 mm": _batch(x, w), "2 loop of mv": _loop(x, w), f"5 compiled, {rows} rows a call": loop}
    yield from ({"rows": rows, **row} for row in _compared(setting, ways))


def capture(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record what a function asks of the GPU as a CUDA graph; return a function that asks for all of it at once."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        function()  # libraries set themselves up at a first call, which a graph cannot hold
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function()

    def replay() -> Tensor:
        graph.replay()
        return result

    result.fill_(torch.nan)  # so that a replay which computes nothing is found out
    return replay


def _compared(setting: Setting, ways: dict[str, Callable[[], Tensor]]) -> Iterator[Row]:
    """Compare ways with the first, time them in turns, and give their rows with the ratio to the first."""
    sizes = setting.sizes
    first, *_ = ways
    expected = ways[first]()
    for way in ways.values():
        agree(way(), expected, "float32", sizes.in_features)
    times = measure(ways, setting.device, sizes.runs, seconds=20)
    for row in rows_of(times, batch_size=sizes.batch):
        yield {**row, "ratio": times.ratio(str(row["way"]), first)}


def _batch(x: Tensor, w: Tensor) -> Callable[[], Tensor]:
    return lambda: x.mm(w.t())


def _loop(x: Tensor, w: Tensor) -> Callable[[], Tensor]:
    y = x.new_full((len(x), len(w)), torch.nan)

    def loop() -> Tensor:
        for k in range(len(y)):
            y[k] = w.mv(x[k])
        return y

    return loop


def _negative(x: Tensor) -> Tensor:
    return -x


def _some_rows(x: Tensor, w: Tensor) -> Tensor:
    return torch.stack([w.mv(row) for row in x])


def _peak(setting: Setting, device: torch.device, name: str) -> Row:
    side = setting.sizes.peak_cpu if device.type == "cpu" else setting.sizes.peak
    with precision(name) as dtype:
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        times = measure({"peak": _batch(a, b)}, device, setting.sizes.runs)
    (row,) = rows_of(times, precision=name, batch_size=side)
    return {**row, "tflops": _tflops(side, side, side, times.medians["peak"])}


def _tflops(n: int, c: int, d: int, seconds: float) -> float:
    return 2 * n * c * d / seconds / 1e12


def _event_class(device: torch.device) -> type | None:
    if device.type == "cuda":
        return torch.cuda.Event
    if device.type == "mps":
        from torch.mps.event import Event

        return Event
    return None
