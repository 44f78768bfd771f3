"""pyproject.toml, requirements.lock and environment.yml say the same thing."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def pyproject(root: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def locked(root: Path) -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            requirement = Requirement(line)
            pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def asked(root: Path) -> list[Requirement]:
    project = pyproject(root)
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for lines in lists for line in lines]


def test_every_dependency_is_pinned_to_a_version_that_satisfies_it(root: Path) -> None:
    pins = locked(root)
    for requirement in asked(root):
        versions = [next(iter(pin.specifier)) for pin in pins.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{requirement.name} is in pyproject.toml and not in requirements.lock"
        for version in versions:
            assert version.operator == "==", f"{requirement.name} is not pinned: {version}"
            assert requirement.specifier.contains(Version(version.version)), f"{requirement} against {version}"


def test_conda_environment_takes_its_list_from_pyproject_through_the_lock(root: Path) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))
    conda = [item for item in environment["dependencies"] if isinstance(item, str)]
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert pip == ["--constraint requirements.lock", "--editable .[student]"]
    assert [re.split(r"[<>=]", item)[0] for item in conda] == ["python", "pip"]
    assert conda[0] == f"python{pyproject(root)['requires-python']}"


def test_a_student_installs_no_instructors_tool(root: Path) -> None:
    project = pyproject(root)
    student = {Requirement(line).name for line in project["dependencies"] + project["optional-dependencies"]["student"]}
    instructor = {Requirement(line).name for line in project["optional-dependencies"]["instructor"]}
    assert not student & (instructor | {"sphinx", "dask", "distributed", "nbgrader"})


def test_workflow_runs_the_readme_test_command_on_three_systems(root: Path) -> None:
    workflow = yaml.safe_load((root / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    assert {name.split("-")[0] for name in job["strategy"]["matrix"]["os"]} == {"ubuntu", "macos", "windows"}
    assert job["steps"][-1]["run"] == "python course.py test"
    assert "python3 course.py test" in (root / "README.md").read_text(encoding="utf-8")
    assert "python3 course.py test" in (root / ".ci" / "run").read_text(encoding="utf-8")
