"""The students' bundle holds what they need and nothing secret, and works in a clean environment."""

import builtins
import gc
import inspect
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from types import FunctionType, ModuleType

import ee559.practicals
import nbformat
import pytest
from ee559_course.practicals.bundle import make_bundle
from ee559_course.practicals.practical import practical_names, read_practical
from machine import PACKAGES
from secret_lines import secrets_of


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "students.zip")


def test_bundle_has_every_lecture_and_practical_and_no_source_of_a_practical(bundle: Path, root: Path) -> None:
    names = {name.removeprefix("ee559/") for name in zipfile.ZipFile(bundle).namelist()}
    for folder in ("lectures", "practicals"):
        assert {path.relative_to(root).as_posix() for path in (root / folder).rglob("*.ipynb")} <= names
    assert {name.split("/")[0] for name in names if "/" in name} == {"lectures", "practicals", "utils"}
    assert [name for name in names if "answers" in name or ".git" in name or "__pycache__" in name] == []


@pytest.mark.parametrize("practical", practical_names())
def test_no_file_of_the_bundle_has_a_line_of_a_solution_or_hidden_test(bundle: Path, practical: str) -> None:
    secrets = secrets_of(practical)
    with zipfile.ZipFile(bundle) as opened:
        for name in opened.namelist():
            if name.endswith((".gz", "SHA256SUMS")):
                continue
            text = opened.read(name).decode()
            if name.endswith(".ipynb"):
                text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
            elif name.endswith(".json"):
                text = text.replace("\\n", "\n")
            assert secrets & {line.strip() for line in text.splitlines()} == set(), name


def reachable(start: object) -> list[object]:
    """Collect what can be reached from an object by attributes, containers, closures and globals of our own modules."""
    found: dict[int, object] = {}
    built_in = vars(builtins)  # this test run's own tools put things there
    waiting = [start]
    while waiting:
        each = waiting.pop()
        module = getattr(each, "__module__", None) or getattr(each, "__name__", "")
        foreign = (callable(each) or isinstance(each, ModuleType)) and not str(module).startswith("ee559.practicals")
        if id(each) in found or foreign or each is built_in:
            continue
        found[id(each)] = each
        waiting += gc.get_referents(each) if not isinstance(each, ModuleType) else vars(each).values()
    return list(found.values())


def text_of(function: FunctionType) -> str:
    ours = Path(ee559.__file__).parent in Path(function.__code__.co_filename).parents
    return inspect.getsource(function) if ours else ""  # dataclasses write some of their own


@pytest.mark.parametrize("practical", practical_names())
def test_nothing_that_a_check_leads_to_answers_a_task(practical: str) -> None:
    source, checks = read_practical(practical), getattr(ee559.practicals, practical)
    things = reachable(checks)
    for each in things:
        if isinstance(each, FunctionType):
            assert not each.__module__.startswith("ee559_hidden"), each
            assert secrets_of(practical) & {line.strip() for line in text_of(each).splitlines()} == set(), each
        elif isinstance(each, str):
            assert secrets_of(practical) & {line.strip() for line in each.splitlines()} == set()
    assert checks in things
    assert any(isinstance(each, str) and "def answer" in each for each in things)
    names = {test.asks for test in source.tests}
    assert names & set(vars(ee559.practicals.practical)) == names & set(vars(ee559.practicals.question)) == set()
    assert secrets_of(practical) & set(pickle.dumps(checks).decode("latin-1").splitlines()) == set()


def test_the_same_files_make_the_same_zip(bundle: Path, tmp_path: Path) -> None:
    assert make_bundle(tmp_path / "again.zip").read_bytes() == bundle.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


def test_a_student_unpacks_it_sets_it_up_and_does_a_part_of_a_practical(bundle: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(bundle).extractall(tmp_path)
    home = tmp_path / "ee559"
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("EE559_", "PYTHON", "COV", "JUPYTER"))
    }
    environment |= {"PATH": os.defpath, "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    environment.pop("VIRTUAL_ENV", None)
    base = Path(getattr(sys, "_base_executable", sys.executable))

    done = subprocess.run([base, "course.py", "lab", "--version"], cwd=home, env=environment, capture_output=True)
    if b"There is no network" in done.stderr:
        PACKAGES.skip()
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()

    path = home / "practicals" / "sizes" / "sizes.ipynb"
    notebook = nbformat.read(path, as_version=4)
    answer = next(cell for cell in notebook.cells if cell.id == "field")
    answer.source = """\
def field(layers):
    cells = 1
    for kernel_size, stride, dilation in reversed(layers):
        cells = (cells - 1) * stride + dilation * (kernel_size - 1) + 1
    return cells"""
    nbformat.write(notebook, path)
    programs = home / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    run: list[str | Path] = [programs / "jupyter", "nbconvert", "--execute", "--allow-errors", "--inplace"]
    run += ["--to", "notebook", path]
    run += [f"--ExecutePreprocessor.{patience}_timeout=600" for patience in ("startup", "iopub")]  # else 60 s and 4 s
    done = subprocess.run(run, cwd=home, env=environment | {"PATH": str(programs)}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    said = {
        cell.id: "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    }
    assert said["check-field"].startswith("✓ field")
    assert "1 of 6 answers pass" in said["progress"]


def test_the_bundles_course_py_says_what_it_cannot_do(bundle: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(bundle).extractall(tmp_path)
    done = subprocess.run([sys.executable, "course.py", "test"], cwd=tmp_path / "ee559", capture_output=True, text=True)
    assert done.returncode == 2
    assert "this is the students' bundle" in done.stderr
    assert not (tmp_path / "ee559" / ".venv").exists()
