"""The package is what notebooks import: light, quiet, and never called utils."""

import subprocess
import sys
from pathlib import Path

import ee559


def test_all_public_names_are_there_and_documented() -> None:
    for name in ee559.__all__:
        assert getattr(ee559, name).__doc__, name


def test_importing_it_loads_nothing_heavy_beside_torch() -> None:
    code = "import torch, sys; before = set(sys.modules); import ee559; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "ee559" in loaded
    assert not loaded & {
        "torchvision",
        "matplotlib",
        "PIL",
        "IPython",
        "jupyterlab",
        "ee559_course",
        "pandas",
    }


def test_importing_it_reads_neither_the_command_line_nor_the_network() -> None:
    code = (
        "import sys, socket\n"
        "def refuse(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "class Argv(list):\n"
        "    def __getitem__(self, i): raise AssertionError('command line at import')\n"
        "import torch\n"
        "sys.argv = Argv(['x', '--unknown'])\n"
        "import ee559; print('quiet')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("quiet\n", "")


def test_nothing_is_importable_as_utils(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import utils"], cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'utils'" in done.stderr
