"""The package is what notebooks import: light, quiet, and never called utils."""

import ast
import subprocess
import sys
from pathlib import Path

import ee559
import pytest

PACKAGE = Path(ee559.__file__).parent
OUTER = ("ee559.doctor", "ee559.figures", "ee559.practicals")
"""What needs the core, and what the core does without."""


def core_files() -> list[Path]:
    """List the sources of the core: all but those of the outer modules and packages."""
    outer = tuple(name.removeprefix("ee559.") for name in OUTER)
    return [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).with_suffix("").parts[0] not in outer]


def imported_by(path: Path) -> set[str]:
    """Name every module that a source imports, in functions too, and what it takes from each."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_core_module_names_no_outer_one(path: Path) -> None:
    assert [name for name in imported_by(path) if f"{name}.".startswith(tuple(f"{outer}." for outer in OUTER))] == []


def test_importing_the_whole_core_loads_no_outer_module() -> None:
    modules = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in core_files()]
    code = f"import sys, {', '.join(modules)}; print(*[name for name in sys.modules if name.startswith({OUTER})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


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
