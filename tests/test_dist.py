"""A release is whole or not there: what stood before stays when a part fails; the wheel works on its own."""

import subprocess
import sys
import zipfile
from pathlib import Path

import ee559_course.browser
import pytest
from ee559_course.cli import app
from ee559_course.dist import build_wheel, course_version, write_dist, zip_folder
from ee559_course.paths import ROOT
from typer.testing import CliRunner

USE_IT = """
import ee559, ee559_course.cli
from ee559.figures.interactive import FilterOnDigits
from ee559.practicals import sizes

print(ee559.load_mnist("tiny").train_input.shape, FilterOnDigits.__name__, ee559.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wheel") / f"ee559-{course_version()}-py3-none-any.whl"
    build_wheel(path)
    return path


def test_a_part_that_fails_leaves_the_release_before_it_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    output = tmp_path / "dist"
    write_dist(output, {"a.txt": lambda path: path.write_text("first", encoding="utf-8")})
    before = {path.name: path.read_bytes() for path in output.iterdir()}

    def fail(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_dist(output, {"a.txt": lambda path: path.write_text("second", encoding="utf-8"), "b.txt": fail})
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["dist"]


def test_a_new_release_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    output = tmp_path / "dist"
    for name in ("old.txt", "new.txt"):
        write_dist(output, {name: lambda path: path.write_text("", encoding="utf-8")})
    assert sorted(path.name for path in output.iterdir()) == ["SHA256SUMS", "new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["dist"]


def test_without_chromium_the_command_says_so_and_the_release_before_stands(
    built_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "dist"
    write_dist(output, {"a.txt": lambda path: path.write_text("first", encoding="utf-8")})
    monkeypatch.setattr(ee559_course.browser, "find_chromium", lambda: None)
    done = CliRunner().invoke(app, ["dist", "--output", str(output), "--site", str(built_site)])
    assert done.exit_code == 1
    assert "No Chromium on this machine" in done.output
    assert (output / "a.txt").read_text(encoding="utf-8") == "first"


def test_the_same_folder_makes_the_same_zip_which_unpacks_into_one_folder(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    (pages / "lectures").mkdir(parents=True)
    (pages / "lectures" / "01.html").write_text("…", encoding="utf-8")
    made = [tmp_path / place / "site-1.zip" for place in ("one", "two")]
    for path in made:
        path.parent.mkdir()
        zip_folder(pages, path)
    assert made[0].read_bytes() == made[1].read_bytes()
    assert zipfile.ZipFile(made[0]).namelist() == ["site-1/lectures/01.html"]


def test_the_wheel_has_all_that_its_packages_read_and_works_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{USE_IT}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "ee559") in done.stdout
    templates = {path.name for path in (ROOT / "tools").rglob("templates/*")}
    assert {path.name for path in tmp_path.rglob("templates/*")} == templates != set()


def test_the_wheel_has_the_two_source_roots_packages_and_nothing_of_the_practicals_sources(wheel: Path) -> None:
    packages = {path.parent.name for folder in ("utils", "tools") for path in (ROOT / folder).glob("*/__init__.py")}
    files = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    assert {file.parts[0] for file in files} == {*packages, f"ee559-{course_version()}.dist-info"}
    assert [file for file in files if file.name in ("hidden_tests.py", "answers.toml") or file.suffix == ".ipynb"] == []
