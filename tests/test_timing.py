"""Timing: who is called, how often and after what wait. No test asserts a speed."""

import importlib
import re

import numpy as np
import pytest
import torch
from ee559 import BatchVsLoop, Timings, batch_vs_loop, plot_batch_vs_loop, timing
from matplotlib.container import ErrorbarContainer

module = importlib.import_module("ee559.timing")
LINE = r"(CPU|GPU) batch vs\. loop speed ratio \d+\.\d\n"


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_each_callable_runs_warmup_and_nb_times() -> None:
    calls: list[str] = []
    times = timing({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, nb=5, warmup=2)
    assert calls == ["a", "a", "b", "b"] + ["a", "b"] * 5  # warm-up first, then in turns
    assert isinstance(times, Timings)
    assert list(times.medians) == list(times.quartiles) == ["a", "b"]
    assert all(low <= times.medians[name] <= high for name, (low, high) in times.quartiles.items())
    assert (times.nb, times.device, times.threads) == (5, torch.device("cpu"), torch.get_num_threads())


def test_medians_and_quartiles_of_a_known_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0, 1, 10, 12, 20, 23, 30, 34, 40, 90])  # five runs of 1, 2, 3, 4 and 50 seconds
    monkeypatch.setattr(module, "perf_counter", lambda: next(moments))
    times = timing({"a": lambda: None}, nb=5, warmup=0)
    assert times.medians == {"a": 3}
    assert times.quartiles == {"a": (2, 4)}
    assert times.ratio("a", "a") == 1


def test_one_run_is_its_own_spread() -> None:
    times = timing({"a": lambda: None}, nb=1)
    assert times.quartiles["a"] == (times.medians["a"],) * 2
    assert "1 run, device cpu" in str(times)


@pytest.mark.parametrize(("kind", "backend"), [("cuda", torch.cuda), ("mps", torch.mps)])
def test_a_gpu_is_waited_for_before_and_after_each_run(
    kind: str, backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(backend, "synchronize", lambda *_: events.append("wait"))

    def clock() -> float:
        events.append("clock")
        return float(len(events))

    monkeypatch.setattr(module, "perf_counter", clock)
    times = timing({"a": lambda: events.append("run")}, nb=3, warmup=1, device=kind)
    assert events == ["run"] + ["wait", "clock", "run", "wait", "clock"] * 3
    assert times.device.type == kind


def test_cpu_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in (torch.cuda, torch.mps):
        monkeypatch.setattr(backend, "synchronize", lambda *_: pytest.fail("a GPU was waited for"))
    timing({"a": lambda: None}, nb=1)


@pytest.mark.parametrize(
    ("callables", "nb", "warmup", "message"),
    [
        ({}, 5, 1, "at least one callable"),
        ({"a": int}, 0, 1, "nb=0, warmup=1"),
        ({"a": int}, 1, -1, "nb=1, warmup=-1"),
    ],
)
def test_nothing_to_time(callables: dict[str, type], nb: int, warmup: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        timing(callables, nb=nb, warmup=warmup)


def test_ratio_of_a_name_that_was_not_timed() -> None:
    with pytest.raises(ValueError, match=r"\['a'\]; got 'b'"):
        timing({"a": lambda: None}, nb=1).ratio("a", "b")


def test_text_and_table() -> None:
    cpu = torch.device("cpu")
    times = Timings({"a": 0.5, "b & c": 2e-5}, {"a": (0.4, 1.25), "b & c": (9e-8, 0.99999)}, 7, cpu, 2)
    assert str(times).splitlines() == [
        "a      500 ms  (400 ms to 1.25 s)",
        "b & c  20 µs  (90 ns to 1 s)",
        "median and quartiles of 7 runs, device cpu, 2 CPU threads",
    ]
    html = times._repr_html_()
    assert '<th scope="row">b &amp; c</th><td>20 µs</td><td>90 ns to 1 s</td>' in html
    assert "<caption>median and quartiles of 7 runs" in html


def test_batch_vs_loop_prints_the_line_of_the_lecture(capsys: pytest.CaptureFixture[str]) -> None:
    x, w = torch.randn(20, 30), torch.randn(15, 30, requires_grad=True)
    result = batch_vs_loop(x, w, nb=3)
    assert isinstance(result, BatchVsLoop)
    assert re.fullmatch(LINE, capsys.readouterr().out)
    assert result.ratio == result.loop_seconds / result.batch_seconds
    assert (result.device.type, result.threads, result.batch_size) == ("cpu", torch.get_num_threads(), 20)


def test_line_of_a_given_ratio() -> None:
    def line(device: str) -> str:
        return str(BatchVsLoop(1, 10, 10, torch.device(device), 2, 5, (1, 1), (10, 10)))

    assert line("cpu") == "CPU batch vs. loop speed ratio 10.0"
    assert line("cuda") == line("mps") == "GPU batch vs. loop speed ratio 10.0"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_batch_and_loop_agree_to_rounding(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 700, generator=generator).to(dtype)
    w = torch.randn(40, 700, generator=generator).to(dtype)
    batch_vs_loop(x, w, nb=1)


def test_a_batch_that_differs_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "timing", lambda *_, **__: pytest.fail("different results were timed"))
    mm = torch.Tensor.mm
    monkeypatch.setattr(torch.Tensor, "mm", lambda x, w: mm(x, w) + 1)
    with pytest.raises(AssertionError, match="not close"):
        batch_vs_loop(torch.randn(4, 3), torch.randn(2, 3), nb=1)


@pytest.mark.parametrize(
    ("x", "w", "message"),
    [
        (torch.ones(4, 3), torch.ones(3, 2), r"same D .*got \(4, 3\) and \(3, 2\)\. Put one sample"),
        (torch.ones(3), torch.ones(2, 3), r"\(N, D\).*got \(3,\)"),
        (torch.ones(4, 3), torch.ones(3), r"got \(4, 3\) and \(3,\)"),
        (torch.ones(0, 3), torch.ones(2, 3), "no empty size"),
        (torch.ones(4, 3), torch.ones(2, 3).double(), "float32 on cpu and torch.float64 on cpu"),
        (torch.ones(4, 3).long(), torch.ones(2, 3).long(), "floating-point type"),
        (torch.ones(4, 3), torch.ones(2, 3, device="meta"), "one device; got .* on meta"),
    ],
)
def test_operands_that_do_not_fit(x: torch.Tensor, w: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batch_vs_loop(x, w, nb=1)


def test_plot_shows_times_with_spread_and_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.get_rng_state()
    results, figure = plot_batch_vs_loop([1, 4, 16], in_features=8, out_features=6, nb=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert capsys.readouterr().out == ""
    assert [result.batch_size for result in results] == [1, 4, 16]

    left, right = figure.axes
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale()) == ("log", "log", "log")
    assert all(label for axes in (left, right) for label in (axes.get_xlabel(), axes.get_ylabel()))
    loop, batch = left.containers
    assert isinstance(loop, ErrorbarContainer)
    assert isinstance(batch, ErrorbarContainer)
    assert (loop.get_label(), batch.get_label()) == ("loop", "batch")
    assert loop[0].get_marker() != batch[0].get_marker()
    assert loop[0].get_linestyle() != batch[0].get_linestyle()
    assert loop.has_yerr
    assert batch.has_yerr
    assert np.asarray(batch[0].get_ydata()).tolist() == [result.batch_seconds for result in results]
    assert np.asarray(right.lines[0].get_ydata()).tolist() == [result.ratio for result in results]
    figure.canvas.draw()


@pytest.mark.parametrize(("sizes", "features", "nb"), [([], 3, 1), ([0, 1], 3, 1), ([1], 0, 1), ([1], 3, 0)])
def test_sizes_that_cannot_be_plotted(sizes: list[int], features: int, nb: int) -> None:
    with pytest.raises(ValueError, match="expected at least one batch size"):
        plot_batch_vs_loop(sizes, features, 2, nb=nb)
