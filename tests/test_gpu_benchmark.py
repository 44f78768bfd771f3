"""The benchmark for a GPU: on the CPU at tiny sizes, on a GPU that is not there, and on a real one if there is one."""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from ee559.mnist import Mnist, load_mnist
from ee559.training import select_device
from machine import GPU as GPU_HERE
from torch.overrides import TorchFunctionMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # for these imports alone: its site.py is not Python's
gpu, setting, products, trainings = map(
    importlib.import_module, ("gpu", "gpu_sections.setting", "gpu_sections.products", "gpu_sections.trainings")
)
sys.path.remove(str(ROOT / "benchmarks"))
timing = importlib.import_module("ee559.timing")

CPU, GPU = torch.device("cpu"), select_device()
NAMES = [section.name for section in gpu.SECTIONS]
ON_BOTH = {"batch_vs_loop", "batch_sizes", "epoch"}  # the sections that compare with the CPU
needs_gpu = pytest.mark.needs(GPU_HERE)


@pytest.fixture(autouse=True)
def few_images_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def few(size: str, **options: Any) -> Mnist:
        assert size == "tiny"
        return Mnist(*(t[:20] for t in load_mnist("tiny", **options)))

    monkeypatch.setattr(trainings, "load_mnist", few)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(name: str, device: torch.device, seconds: float = 100) -> dict[str, Any]:
    section = next(section for section in gpu.SECTIONS if section.name == name)
    stopwatch = setting.Stopwatch(device, seconds)
    with setting.full_float32():
        measured: dict[str, Any] = gpu.measured(section, setting.Setting(device, setting.SHORT, stopwatch))
    return measured


def assert_measured(entry: Mapping[str, Any]) -> None:
    assert entry.get("error") is None
    assert entry["took"] > 0
    assert entry["rows"]
    for row in entry["rows"]:
        if "low" in row:
            assert 0 < row["low"] <= row["seconds"] <= row["high"]
            assert 1 <= row["runs"] <= setting.SHORT.runs
        if "errors" in row:
            assert len(row["errors"]) == len(row["seeds"]) == len(row["losses"]) == 2
            assert 0 <= row["min"] <= row["mean"] <= row["max"] <= 100
            assert row["left_out"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_each_section_runs_on_the_cpu_and_its_ways_agree(name: str) -> None:
    assert_measured(run(name, CPU))


@needs_gpu
@pytest.mark.parametrize("name", NAMES)
def test_each_section_runs_on_a_real_gpu_and_its_ways_agree(name: str) -> None:
    entry = run(name, GPU)
    assert_measured(entry)
    assert {row["device"] for row in entry["rows"] if "device" in row} <= {GPU.type, "cpu"}
    if GPU.type == "cuda":
        assert not any("left_out" in row for row in entry["rows"] if "way" in row)


@needs_gpu
def test_a_real_gpu_is_named() -> None:
    about = gpu.describe(GPU)
    assert about["kind"] == GPU.type
    assert about["name"]


class NoSuchGpu(TorchFunctionMode):
    """A CUDA device whose tensors lie in the CPU's memory; it counts what is sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def here(value: Any) -> Any:
            if isinstance(value, torch.device) and value.type == "cuda":
                self.sent[func.__name__] += 1
                return CPU
            return value

        if func is torch.device:
            return func(*args, **(kwargs or {}))
        if func is torch.Tensor.pin_memory:
            return args[0]
        return func(*map(here, args), **{name: here(value) for name, value in (kwargs or {}).items()})


class Event:
    """An event of that device; two of them are always two milliseconds apart."""

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        """Take no note."""

    def elapsed_time(self, end: "Event") -> float:
        return 2.0


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the clock and to devices, in order: "wait cuda", "wait cpu" or "clock"."""
    done: list[str] = []
    clock: Callable[[], float] = timing.perf_counter

    def read() -> float:
        done.append("clock")
        return clock()

    for module in (timing, setting, products):
        if hasattr(module, "perf_counter"):
            monkeypatch.setattr(module, "perf_counter", read)
        if hasattr(module, "synchronize"):
            monkeypatch.setattr(module, "synchronize", lambda device: done.append(f"wait {torch.device(device)}"))
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(products, "capture", lambda function: function)
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    return done


@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_gets_the_data_and_is_waited_for_before_each_reading_of_the_clock(name: str, moments: list[str]) -> None:
    with NoSuchGpu() as device:
        entry = run(name, torch.device("cuda"))
    assert_measured(entry)
    assert device.sent["to"] > 0
    before = Counter(moments[i - 1] for i, moment in enumerate(moments) if moment == "clock")
    assert moments[0] != "clock"
    assert before["clock"] == 0  # each reading after a wait
    assert before["wait cuda"] > 0
    forgotten = sum(2 * row["runs"] for row in entry["rows"] if row.get("way") == "forgotten")
    if name in ON_BOTH:
        assert {row["device"] for row in entry["rows"]} == {"cuda", "cpu"}
    else:
        assert before["wait cpu"] == forgotten  # the CPU is not waited for in truth
        assert {row["device"] for row in entry["rows"] if "device" in row} <= {"cuda"}
    assert (forgotten > 0) == (name == "synchronize")


def test_events_are_medians_in_seconds(moments: list[str]) -> None:
    with NoSuchGpu():
        rows = run("events", torch.device("cuda"))["rows"]
    assert [row["way"] for row in rows] == ["clock", "events", "clock around 3 calls"] * 2
    assert all(row["seconds"] == row["low"] == row["high"] == 2e-3 for row in rows if row["way"] == "events")


def wrong_at_the_end(x: torch.Tensor, w: torch.Tensor) -> Callable[[], torch.Tensor]:
    def batch() -> torch.Tensor:
        result = x.mm(w.t())
        result[-1, -1] += 10
        return result

    return batch


@pytest.mark.parametrize("name", ["batch_vs_loop", "batch_sizes", "ways", "compiled_10"])
def test_ways_that_differ_are_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_batch", wrong_at_the_end)
    entry = run(name, CPU)
    assert entry["error"].startswith("AssertionError")
    assert "ratio" not in [column for row in entry["rows"] for column in row]


def test_a_loop_that_would_take_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "TOO_LONG", 0.0)
    rows = run("batch_vs_loop", CPU)["rows"]
    assert [(row["precision"], row["way"], "left_out" in row) for row in rows] == [
        (name, way, way == "loop") for name in ("float32", "bfloat16") for way in ("batch", "loop")
    ]


def test_an_epoch_that_learns_something_else_on_one_device_is_an_error(
    monkeypatch: pytest.MonkeyPatch, moments: list[str]
) -> None:
    losses = iter(range(1, 100))
    monkeypatch.setattr(trainings, "train_model", lambda *args, **kwargs: [float(next(losses))])
    with NoSuchGpu():
        assert run("epoch", torch.device("cuda"))["error"].startswith("AssertionError")


def toy(name: str, rows: Callable[[Any], Iterator[dict[str, object]]]) -> Any:
    return gpu.Section(name, name.capitalize(), rows)


def one_row(_: object) -> Iterator[dict[str, object]]:
    yield {"way": "toy", "seconds": 1.0}


def failing(_: object) -> Iterator[dict[str, object]]:
    yield {"way": "before", "seconds": 2.0}
    raise RuntimeError("no compiler was found\nand more")


def test_a_failing_section_is_recorded_and_the_others_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recorded" / "gpu.json"
    sections = [toy("first", one_row), toy("second", failing), toy("third", one_row)]
    assert gpu.record(path, CPU, setting.SHORT, 100, sections) == 1
    recorded = json.loads(path.read_text(encoding="utf-8"))
    assert list(recorded["sections"]) == ["first", "second", "third"]
    assert recorded["sections"]["second"]["error"] == "RuntimeError: no compiler was found\nand more"
    assert [row["way"] for row in recorded["sections"]["second"]["rows"]] == ["before"]
    assert recorded["sections"]["third"]["rows"] == recorded["sections"]["first"]["rows"] == [*one_row(None)]
    assert recorded["output"] == capsys.readouterr().out
    assert "failed: RuntimeError: no compiler was found\n" in recorded["output"]
    assert [file.name for file in path.parent.iterdir()] == ["gpu.json"]


def test_what_was_measured_before_a_crash_is_in_the_file(tmp_path: Path) -> None:
    def crash(_: object) -> Iterator[dict[str, object]]:
        raise KeyboardInterrupt
        yield {}

    path = tmp_path / "gpu.json"
    with pytest.raises(KeyboardInterrupt):
        gpu.record(path, CPU, setting.SHORT, 100, [toy("first", one_row), toy("second", crash)])
    assert list(json.loads(path.read_text(encoding="utf-8"))["sections"]) == ["first"]


def test_a_recording_tells_where_it_was_made_and_can_be_shown_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    assert gpu.record(path, CPU, setting.SHORT, 100, [toy("first", one_row)]) == 0
    recorded = json.loads(path.read_text(encoding="utf-8"))
    assert (ROOT / recorded["command"].split()[-1]).exists()
    assert {"title", "date", "machine", "output"} < set(recorded)
    assert {"kind", "name", "driver"} <= set(recorded["device"])
    assert recorded["software"]["torch"] == torch.__version__
    assert {"python", "cuda", "cudnn", "triton"} < set(recorded["software"])
    assert recorded["cpu"]["threads"] == 1


def test_settings_of_float32_are_put_back(tmp_path: Path) -> None:
    def settings() -> tuple[object, ...]:
        cudnn = torch.backends.cudnn
        return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic

    seen = []

    def look(_: object) -> Iterator[dict[str, object]]:
        seen.append(settings())
        yield {}

    before = settings()
    gpu.record(tmp_path / "gpu.json", CPU, setting.SHORT, 100, [toy("first", look)])
    assert seen == [("highest", False, True)]
    assert settings() == before


def test_when_the_time_is_spent_sections_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    assert gpu.record(path, CPU, setting.SHORT, 0, [toy("first", one_row)]) == 0
    entry = json.loads(path.read_text(encoding="utf-8"))["sections"]["first"]
    assert entry == {"title": "First", "left_out": "no time was left", "rows": []}


def test_a_training_that_would_outlast_the_budget_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([100.0, 100.0])  # for the section and the first training
    monkeypatch.setattr(setting.Stopwatch, "left", lambda self: next(left, 0.0))
    (row,) = run("full_set", CPU)["rows"]
    assert (row["seeds"], len(row["errors"]), row["left_out"]) == ([0], 1, 1)
    (row,) = trainings.practical_trainings(
        setting.Setting(CPU, setting.SHORT, setting.Stopwatch(CPU, 0)), section="full_set"
    )
    assert (row["seeds"], row["errors"], row["left_out"]) == ([], [], 2)
    assert "mean" not in row


def test_a_seed_gives_the_same_training_again() -> None:
    first, second = (run("three_convolutions", CPU)["rows"][0] for _ in range(2))
    assert (first["errors"], first["losses"]) == (second["errors"], second["losses"])


def test_without_a_gpu_a_sentence_is_said_and_a_recording_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "select_device", lambda: CPU)
    path = tmp_path / "gpu.json"
    path.write_text("recorded", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"No GPU \(CUDA or MPS\) on this machine"):
        gpu.main(["--out", str(path)])
    assert path.read_text(encoding="utf-8") == "recorded"


def test_the_command_passes_the_chosen_device_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actual: list[object] = []

    def record(*arguments: object) -> int:
        actual.extend(arguments)
        return 0

    monkeypatch.setattr(gpu, "select_device", lambda: torch.device("mps"))
    monkeypatch.setattr(gpu, "record", record)
    for name in ("COMPILE_THREADS", "FORCE_DISABLE_CACHES"):
        monkeypatch.setenv(f"TORCHINDUCTOR_{name}", "1")  # set here, so that they are taken back
    assert gpu.main(["--out", str(tmp_path / "gpu.json"), "--seconds", "5"]) == 0
    assert actual == [tmp_path / "gpu.json", torch.device("mps"), setting.Sizes(), 5.0]


def test_a_short_run_is_never_written_where_recordings_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        gpu.main(["--short"])
    assert left.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_the_driver_is_unknown_where_nothing_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    told = tmp_path / "version"
    assert gpu.driver(told) is None
    told.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release\n", encoding="utf-8")
    assert gpu.driver(told) == "580.159.04"
