"""Downloaded archives are looked at before they are extracted, and file names make no paths."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
from course_copies import solved
from ee559_course.grading.submissions import collect as collecting
from ee559_course.grading.submissions.collect import ArchiveError, check_archive
from ee559_course.paths import ROOT


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Make a course folder with a place for downloaded archives."""
    root = tmp_path / "course"
    (root / "downloaded" / "sizes" / "archive").mkdir(parents=True)
    shutil.copy2(ROOT / "nbgrader_config.py", root)
    shutil.copytree(ROOT / "solutions" / "sizes", root / "solutions" / "sizes")
    return root


def zip_with(path: Path, *names: str) -> Path:
    text = nbformat.writes(solved())
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def collect(course: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [Path(sys.executable).with_name("nbgrader"), "zip_collect", "sizes"]
    return subprocess.run(command, cwd=course, capture_output=True, text=True)


def collected(course: Path) -> set[str]:
    return {str(path.relative_to(course)) for path in course.rglob("*.ipynb") if "submitted" in path.parts}


def test_honest_archive_is_collected(course: Path) -> None:
    archive = course / "downloaded" / "sizes" / "archive" / "all.zip"
    zip_with(archive, "ada_sizes.ipynb", "group/张伟_sizes.ipynb", "O'Brien_sizes (2).ipynb", "van_linus_sizes.ipynb")
    done = collect(course)
    assert done.returncode == 0, done.stderr
    students = ("ada", "张伟", "O'Brien", "van_linus")
    assert collected(course) == {f"submitted/{student}/sizes/sizes.ipynb" for student in students}


@pytest.mark.parametrize(
    ("platform", "names", "students"),
    [
        (
            "Moodle",
            [
                "Ada Lovelace_1234567_assignsubmission_file_sizes.ipynb",
                "Émilie du Châtelet_7654321_assignsubmission_file/sizes.ipynb",
            ],
            {"Ada Lovelace", "Émilie du Châtelet"},
        ),
        ("Canvas", ["lovelaceada_LATE_12345_678901_sizes-1.ipynb", "o_neill_777_678902_sizes.ipynb"], {"12345", "777"}),
    ],
)
def test_instructors_guide_reads_the_file_names_of_learning_platforms(
    course: Path, platform: str, names: list[str], students: set[str]
) -> None:
    guide = (ROOT / "site" / "instructors.md").read_text(encoding="utf-8")
    setting = re.split(r"\n(?:# |```)", guide.partition(f"\n# {platform}: ")[2])[0].partition("\n")[2]
    with (course / "nbgrader_config.py").open("a") as settings:
        settings.write(f"\n{setting}\n")
    zip_with(course / "downloaded" / "sizes" / "archive" / "all.zip", *names)
    done = collect(course)
    assert done.returncode == 0, done.stderr
    assert collected(course) == {f"submitted/{student}/sizes/sizes.ipynb" for student in students}


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../../evil.txt", "/tmp/evil.txt", "..\\..\\evil.txt", "C:\\evil.txt"]
)
def test_archive_that_leads_out_of_its_folder_is_not_extracted(course: Path, name: str) -> None:
    zip_with(course / "downloaded" / "sizes" / "archive" / "all.zip", "ada_sizes.ipynb", name)
    done = collect(course)
    assert done.returncode != 0
    assert "leads out of the folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(course.parent.rglob("evil*")) == []
    assert collected(course) == set()


def test_names_of_files_make_no_paths(course: Path) -> None:
    folder = course / "downloaded" / "sizes" / "archive"
    for name in (".._sizes.ipynb", "._sizes.ipynb", "__sizes.ipynb", "ada_sizes.ipynb"):
        nbformat.write(solved(), folder / name)
    assert collect(course).returncode == 0
    assert collected(course) == {"submitted/ada/sizes/sizes.ipynb"}
    assert not (course / "sizes").exists()


def tar_with(path: Path, change: Callable[[tarfile.TarInfo], None]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("ada_sizes.ipynb")
        change(entry)
        archive.addfile(entry, BytesIO(b"") if entry.isfile() else None)
    return path


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    def link(entry: tarfile.TarInfo) -> None:
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"

    with pytest.raises(ArchiveError, match="is a link or a device"):
        check_archive(tar_with(tmp_path / "all.tar.gz", link))
    check_archive(tar_with(tmp_path / "fine.tar.gz", lambda entry: None))


def test_bomb_is_refused_before_it_is_extracted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MAX_BYTES", 1_000_000)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(ArchiveError, match="Extract it by hand"):
        check_archive(path)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ArchiveError, match="Download it again"):
        check_archive(tmp_path / "broken.zip")
