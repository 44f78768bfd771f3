"""Pack what a student needs into one zip: lectures, practicals, package and environment, and nothing else."""

from pathlib import Path

from ee559_course.files import write_zip
from ee559_course.paths import ROOT

FOLDER = "ee559"
FILES = (
    "course.py",
    "environment.yml",
    "pyproject.toml",
    "requirements.lock",
    "CITATION.cff",
    "LICENSE",
    "LICENSE-data",
    "LICENSE-prose",
)
FOLDERS = ("lectures", "practicals", "utils")
LEFT_OUT = {"__pycache__", ".ipynb_checkpoints"}
README = ROOT / "docs" / "student-readme.md"


def bundle_files(root: Path = ROOT) -> dict[str, Path]:
    """Return what goes into the bundle, under its names in there."""
    files = {name: root / name for name in FILES} | {"README.md": README}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            inside = path.relative_to(root)
            if (
                path.is_file()
                and not LEFT_OUT & set(inside.parts)
                and not any(part.endswith(".egg-info") for part in inside.parts)
            ):
                files[inside.as_posix()] = path
    return files


def make_bundle(output: Path) -> Path:
    """Write the zip, the same bytes for the same files; what stood there stays until the new one is whole.

    Args:
        output: the zip to write.
    """
    return write_zip(output, {f"{FOLDER}/{name}": path for name, path in bundle_files().items()})
