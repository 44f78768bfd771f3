"""Kernels forked from a process with torch begin with it, do what kernels do, and end with who wanted them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from machine import LINUX
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError

pytestmark = pytest.mark.needs(LINUX)
OWNER = """
import sys, time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="ee559")
client.execute("import os; open('pid', 'w').write(str(os.getpid()))", reply=True)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", "ee559-warm")
    KernelProvisionerFactory.clear_instance()  # it reads the variable once
    yield
    KernelProvisionerFactory.clear_instance()


def run(folder: Path, *sources: str, **options: int) -> list[str]:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        kernel_name="ee559",
        resources={"metadata": {"path": folder}},
        iopub_timeout=120,  # after 4 s, its default, it goes on without what a busy kernel has still to show
        **options,
    )
    client.execute()
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in client.nb.cells]


def test_torch_is_there_before_the_first_cell_and_each_kernel_is_its_own(tmp_path: Path) -> None:
    shown = "import os, sys\nprint('torch' in sys.modules, os.getcwd(), 'mine' in globals())\nmine = 1"
    assert run(tmp_path, shown) == [f"True {tmp_path} False\n"]
    assert run(tmp_path, shown, "print(mine)") == [f"True {tmp_path} False\n", "1\n"]


def test_a_cell_that_runs_too_long_is_interrupted(tmp_path: Path) -> None:
    with pytest.raises(CellTimeoutError):
        run(tmp_path, "while True: pass", timeout=2)


def test_a_kernel_ends_when_the_program_that_wanted_it_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=tmp_path, stdout=subprocess.PIPE, env=dict(os.environ))
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    kernel = psutil.Process(int((tmp_path / "pid").read_text()))
    assert "kernel_server" in " ".join(kernel.cmdline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    until = time.monotonic() + 60
    with contextlib.suppress(psutil.NoSuchProcess):  # it may end between the two questions
        while kernel.is_running() and kernel.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, "it goes on"
            time.sleep(0.2)
