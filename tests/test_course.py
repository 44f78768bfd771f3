"""course.py sets the course up once, repairs what was interrupted, and says in a sentence what is wrong."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from machine import POSIX


@pytest.fixture
def clone(root: Path, tmp_path: Path) -> Path:
    """Copy what a set-up reads."""
    copy = tmp_path / "course"
    copy.mkdir()
    for name in (
        "course.py",
        "pyproject.toml",
        "requirements.lock",
        "README.md",
        "LICENSE",
        "LICENSE-prose",
        "LICENSE-data",
    ):
        shutil.copy2(root / name, copy)
    shutil.copytree(root / "utils", copy / "utils", ignore=shutil.ignore_patterns("data", "__pycache__"))
    shutil.copytree(root / "tools", copy / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def course(clone: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the clone's course.py, with its environment in the clone."""
    monkeypatch.delenv("EE559_VENV", raising=False)
    specification = importlib.util.spec_from_file_location("course_under_test", clone / "course.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def installs(course: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Record what pip is asked for instead of downloading it; the environment itself is real."""
    calls: list[tuple[str, ...]] = []

    def pip_install(*arguments: str, index: str | None = None) -> None:
        calls.append((*(("--index-url", index) if index else ()), *arguments))
        if "student" in arguments[-1] or arguments[-1] == "jupyterlab":
            course.LAB_PAGE.parent.mkdir(parents=True, exist_ok=True)
            course.LAB_PAGE.touch()

    monkeypatch.setattr(course, "pip_install", pip_install)
    real_run = subprocess.run

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "ipykernel" in command:
            course.KERNEL.parent.mkdir(parents=True, exist_ok=True)
            course.KERNEL.write_text('{"argv": ["python"]}', encoding="utf-8")
        if {"ipykernel", "labextension"} & set(command):
            return subprocess.CompletedProcess(command, 0)
        return real_run(command, **options)

    monkeypatch.setattr(course.subprocess, "run", run)
    return calls


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_wrong_python_gets_one_sentence(root: Path, version: tuple[int, int, int]) -> None:
    code = f"import sys, runpy; sys.version_info = {version}; runpy.run_path('course.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("The course needs Python 3.11, 3.12 or 3.13, and this is Python %d.%d" % version[:2])
    assert "Traceback" not in done.stderr


def test_course_py_reads_no_package_outside_the_standard_library(root: Path) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", "course.py", "--help"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0
    assert "doctor" in done.stdout


def test_without_a_network_it_says_so_in_a_sentence_and_the_next_run_goes_on(clone: Path) -> None:
    closed = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "EE559_"))}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "course.py", "lab"],
            cwd=clone,
            env={**environment, **closed},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "There is no network" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert not (clone / ".venv" / "ee559-installed.json").exists()


def test_second_set_up_does_nothing(course: ModuleType, installs: list[tuple[str, ...]]) -> None:
    course.set_up("lab", None)
    assert len(installs) == 1
    course.set_up("lab", None)
    assert len(installs) == 1


def test_each_task_installs_what_its_users_need_and_keeps_what_is_there(
    course: ModuleType, installs: list[tuple[str, ...]]
) -> None:
    course.set_up("lab", None)
    course.set_up("test", None)
    course.set_up("lab", None)
    assert [call[-1] for call in installs] == [".[student]", ".[instructor,student,test]"]
    assert all(call[:2] == ("--constraint", str(course.LOCK)) for call in installs)


def test_interrupted_set_up_is_repaired_by_the_next_run(
    course: ModuleType, installs: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: str) -> None:
        course.PYTHON.unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(course, "pip_install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            course.set_up("lab", None)
    assert not course.STAMP.exists()
    course.set_up("lab", None)
    assert course.PYTHON.exists()
    assert len(installs) == 1
    assert course.STAMP.exists()


def test_changed_lock_installs_again(course: ModuleType, installs: list[tuple[str, ...]]) -> None:
    course.set_up("lab", None)
    course.LOCK.write_text(course.LOCK.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    course.set_up("lab", None)
    assert len(installs) == 2


def test_torch_index_is_used_for_torch_alone_and_remembered(
    course: ModuleType, installs: list[tuple[str, ...]]
) -> None:
    course.set_up("lab", "https://example.org/cpu")
    assert installs[0][:2] == ("--index-url", "https://example.org/cpu")
    assert installs[0][-2:] == ("torch", "torchvision")
    assert "--index-url" not in installs[1]
    course.set_up("lab", None)
    assert len(installs) == 2
    assert course.remembered_torch_index() == "https://example.org/cpu"


def test_torch_index_is_remembered_when_the_installation_is_interrupted(
    course: ModuleType, installs: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: str, index: str | None = None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(course, "pip_install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            course.set_up("lab", "https://example.org/cpu")
    course.set_up("lab", None)
    assert installs[0][:2] == ("--index-url", "https://example.org/cpu")


def test_lost_kernel_or_lab_is_put_back(course: ModuleType, installs: list[tuple[str, ...]]) -> None:
    course.set_up("lab", None)
    course.KERNEL.unlink()
    course.set_up("lab", None)
    assert course.KERNEL.exists()
    course.LAB_PAGE.unlink()
    course.set_up("lab", None)
    assert course.LAB_PAGE.exists()
    assert len(installs) == 3


def test_kernel_keeps_its_warnings_to_itself(course: ModuleType, installs: list[tuple[str, ...]]) -> None:
    course.set_up("lab", None)
    assert json.loads(course.KERNEL.read_text(encoding="utf-8"))["argv"] == ["python", "--log-level=ERROR"]


@pytest.mark.needs(POSIX)  # there a group of processes can be interrupted
def test_interrupt_is_left_to_the_program_that_runs(root: Path) -> None:
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # background jobs do not
    asks = "import time\ntry: print('up', flush=True); time.sleep(300)\nexcept KeyboardInterrupt: raise SystemExit(7)"
    runs = f"sys.exit(course.run(sys.executable, '-c', {listen + asks!r}))"
    code = f"{listen}import course, sys; {runs}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) == 7


def test_a_taken_port_is_not_used(course: ModuleType) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert course.free_port(port) not in (0, port)


@pytest.mark.parametrize("command", [["site", "--server"], ["doctor", "--verbose"]])
def test_unknown_option_is_refused_before_anything_is_installed(clone: Path, command: list[str]) -> None:
    done = subprocess.run([sys.executable, "course.py", *command], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{command[0]} knows no {command[1]}" in done.stderr
    assert not (clone / ".venv").exists()


def test_a_folder_that_is_no_environment_is_not_touched(course: ModuleType, installs: list[tuple[str, ...]]) -> None:
    course.VENV.mkdir()
    (course.VENV / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit, match="not a Python environment"):
        course.set_up("lab", None)
    assert (course.VENV / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_doctor_before_set_up_names_the_remedy(clone: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "EE559_VENV"}
    done = subprocess.run(
        [sys.executable, "course.py", "doctor"], cwd=clone, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Remedy: python3 course.py lab" in done.stdout
