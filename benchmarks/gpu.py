"""Time batches, loops, clocks and epochs on a GPU beside the CPU, and train practical 4's networks to the end.

Run: python benchmarks/gpu.py, on a machine with CUDA or MPS. It writes benchmarks/recorded/gpu.json itself, after each
section, and exits with 1 if ways that compute the same give different results, or if a section fails in another way.
When the `--seconds` are spent, trainings and sections are left out, and the file says which. `--short --out FILE` tries
the code at tiny sizes, without a GPU too.

Products are those of slide H5: x 2500×1000, w 1500×1000, medians and quartiles of at most 51 runs. float32 means
float32: TF32 is off unless a row says TF32. Trainings start from fixed seeds; cuDNN's algorithms are deterministic.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from ee559.training import select_device
from gpu_sections import products, trainings
from gpu_sections.setting import SHORT, Row, Setting, Sizes, Stopwatch, full_float32, now
from record import machine

RECORDED = Path(__file__).resolve().parent / "recorded" / "gpu.json"
NOT_PRINTED = ("seeds", "losses")  # columns that are for the file alone


class Section(NamedTuple):
    """A table of the recording: its name in the file, its title, and what measures its rows."""

    name: str
    title: str
    rows: Callable[[Setting], Iterable[Row]]


def _trained(name: str, title: str) -> Section:
    return Section(name, f"{title}: test errors in percent", partial(trainings.practical_trainings, section=name))


def _compiled(rows: int) -> Section:
    title = f"Loop compiled, {rows} rows a call"
    return Section(f"compiled_{rows}", title, partial(products.compiled_loop, rows=rows))


SECTIONS = (
    Section("batch_vs_loop", "Batch against loop", products.batch_against_loop),
    Section("batch_sizes", "Batch sizes, and the highest rate", products.curve_over_batch_size),
    Section("synchronize", "Synchronize, and forget to", products.synchronize_forgotten),
    Section("events", "CUDA events beside the clock", products.events_beside_the_clock),
    Section("ways", "Ways to write the loop", products.ways_to_write_the_loop),
    Section("epoch", "An epoch of the network", trainings.training_epoch),
    Section("data_moved", "Data moved once, and by mini-batch", trainings.data_moved),
    _trained("ten_trainings", "Ten trainings"),
    _trained("hidden_units", "Hidden units, 25 epochs"),
    _trained("three_convolutions", "Three convolutions"),
    _compiled(1),
    _compiled(10),
    _trained("full_set", "The full set, 25 epochs"),
    _trained("hidden_units_long", "Hidden units, 100 epochs"),
    _trained("full_set_long", "The full set, 100 epochs"),
)
"""In the order in which they run: what may be left out comes last."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and record, or say that there is no GPU; return 1 if a section failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=440, help="the budget (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RECORDED, help="the file to write (default: recorded/gpu.json)")
    parser.add_argument("--short", action="store_true", help="tiny sizes, on the CPU if need be; wants --out")
    options = parser.parse_args(arguments)
    if options.short and options.out == RECORDED:
        parser.error("--short only tries the code: say with --out where to write what it measures.")
    device = select_device()
    if device.type == "cpu" and not options.short:
        raise SystemExit("No GPU (CUDA or MPS) on this machine: nothing was measured.")
    # Compiled here: other processes would start with this folder on their path, whose site.py is not Python's.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")  # a first call compiles
    return record(options.out, device, SHORT if options.short else Sizes(), options.seconds)


def record(
    path: Path, device: torch.device, sizes: Sizes, seconds: float, sections: Sequence[Section] = SECTIONS
) -> int:
    """Run the sections in order, and write the file after each; return 1 if one failed."""
    stopwatch = Stopwatch(device, seconds)
    about = describe(device)
    run: dict[str, Any] = {
        **_head(),
        "machine": f"{_title(about)}; {machine()}",
        "output": "",
        "device": about,
        "software": software(),
        "cpu": {"threads": torch.get_num_threads(), "cores": os.cpu_count(), "name": machine().split(",")[0]},
        "budget_seconds": seconds,
        "short": sizes is SHORT,
        "sections": {},
    }
    with full_float32():
        for section in sections:
            run["sections"][section.name] = entry = measured(section, Setting(device, sizes, stopwatch))
            text = as_text(entry)
            run["output"] += text
            write(path, run)
            print(text, end="", flush=True)
    return int(any("error" in entry for entry in run["sections"].values()))


def measured(section: Section, setting: Setting) -> dict[str, Any]:
    """Run a section; return its title, its rows up to where it failed if it did, and the seconds that it took."""
    rows: list[Row] = []
    entry: dict[str, Any] = {"title": section.title}
    try:
        start = now(setting.device)
        if setting.stopwatch.left() <= 0:
            return {**entry, "left_out": "no time was left", "rows": rows}
        for row in section.rows(setting):
            rows.append(row)
        entry["took"] = now(setting.device) - start
    except Exception as error:  # whatever it is, the next section is not its victim
        entry["error"] = f"{type(error).__name__}: {error}"[:2000]
    return {**entry, "rows": rows}


def as_text(entry: dict[str, Any]) -> str:
    """Write a section as its title, what is missing, and a table of its rows, a line each."""
    took = f" ({entry['took']:.1f} s)" if "took" in entry else ""
    lines = [f"{entry['title']}{took}"]
    lines += [f"  left out: {entry['left_out']}"] if "left_out" in entry else []
    lines += [f"  failed: {entry['error'].splitlines()[0]}"] if "error" in entry else []
    columns = list(dict.fromkeys(column for row in entry["rows"] for column in row if column not in NOT_PRINTED))
    table = [columns, *([_cell(row.get(column, "")) for column in columns] for row in entry["rows"])]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    for cells in table if columns else []:
        lines.append(("  " + "  ".join(map(str.ljust, cells, widths))).rstrip())
    return "\n".join([*lines, "", ""])


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def describe(device: torch.device) -> dict[str, object]:
    """Name the device and its driver (None where nothing tells); on CUDA its memory and multiprocessors too."""
    if device.type != "cuda":
        return {"kind": device.type, "name": machine().split(",")[0], "driver": None}
    properties = torch.cuda.get_device_properties(device)
    return {
        "kind": device.type,
        "name": properties.name,
        "driver": driver(),
        "memory_bytes": properties.total_memory,
        "multiprocessors": properties.multi_processor_count,
        "capability": f"{properties.major}.{properties.minor}",
    }


def _title(about: dict[str, object]) -> str:
    versions = {"driver": about["driver"], "CUDA": torch.version.cuda if about["kind"] == "cuda" else None}
    return ", ".join([str(about["name"]), *(f"{name} {found}" for name, found in versions.items() if found)])


def driver(kernel: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Return the version of NVIDIA's driver, from nvidia-smi or else the Linux kernel; None if neither tells."""
    ask = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=True).stdout.split()
        if said:
            return said[0]
    except (OSError, subprocess.SubprocessError):
        pass
    try:
        found = re.search(r"\d+\.\d+(\.\d+)?", kernel.read_text(encoding="utf-8"))
    except OSError:
        return None
    return found[0] if found else None


def software() -> dict[str, object]:
    """Return the versions of Python, torch, CUDA, cuDNN and Triton; None for what is not there."""
    try:
        triton = version("triton")
    except PackageNotFoundError:
        triton = None  # not on every machine
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "triton": triton,
    }


def write(path: Path, run: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def _head() -> dict[str, str]:
    title = (__doc__ or "").splitlines()[0].rstrip(".")
    return {"title": title, "command": "python benchmarks/gpu.py", "date": date.today().isoformat()}


if __name__ == "__main__":
    sys.exit(main())
