"""Build what a release gives away: the students' bundle, the site, the PDF and the wheel, with their checksums."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ee559_course.files import write_zip
from ee559_course.paths import ROOT
from ee559_course.practicals.bundle import make_bundle

SUMS = "SHA256SUMS"
WHEEL_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-data", "LICENSE-prose", "utils", "tools")
NOT_PACKED = shutil.ignore_patterns("__pycache__", "*.egg-info")
Write = Callable[[Path], object]
"""Writes one file of a release at a path."""


class DistError(RuntimeError):
    """A release could not be built; the message says why."""


def course_version() -> str:
    """Return the version that ``pyproject.toml`` states."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def dist_files(site: Path) -> dict[str, Write]:
    """Return what a release consists of: how each file is written, by its name.

    Args:
        site: the built site.
    """
    from ee559_course.site.pdf import make_pdf

    version = course_version()
    return {
        f"ee559-{version}-students.zip": make_bundle,
        f"ee559-{version}-site.zip": partial(zip_folder, site),
        f"ee559-{version}-course.pdf": partial(make_pdf, site),
        f"ee559-{version}-py3-none-any.whl": build_wheel,
    }


def write_dist(output: Path, files: Mapping[str, Write]) -> Path:
    """Write the files and their SHA256SUMS into a folder; what stood there stays until all of them are whole.

    Args:
        output: the folder.
        files: how each is written, by its name.

    Raises:
        Exception: what a file's function raises; the folder is as it was.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".dist-") as workshop:
        fresh = Path(workshop) / "dist"
        fresh.mkdir()
        for name, write in files.items():
            write(fresh / name)
        sums = [f"{hashlib.sha256((fresh / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(files)]
        (fresh / SUMS).write_text("".join(sums), encoding="utf-8", newline="\n")
        if output.exists():
            os.replace(output, Path(workshop) / "old")
        os.replace(fresh, output)
    return output


def zip_folder(folder: Path, output: Path) -> None:
    """Pack a folder into a zip, under the zip's own name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    write_zip(output, {f"{output.stem}/{path.relative_to(folder).as_posix()}": path for path in files})


def build_wheel(output: Path) -> None:
    """Build the wheel from a copy of the sources, without network: setuptools leaves nothing beside them.

    Args:
        output: the wheel to write, under the name that setuptools gives it.

    Raises:
        DistError: setuptools failed; the message ends with what pip said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        sources = Path(scratch)
        for name in WHEEL_SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, sources / name, ignore=NOT_PACKED)
            else:
                shutil.copy2(ROOT / name, sources)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
        done = subprocess.run([*command, "--wheel-dir", output.parent, sources], capture_output=True, text=True)
    if done.returncode != 0 or not output.exists():
        raise DistError(f"The wheel was not built: {done.stderr.strip()[-1000:]}")
