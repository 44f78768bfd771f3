"""Fingerprints of what the site is made from: fast, standard library only, so that an unchanged site costs nothing."""

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from ee559_course.paths import ROOT

NOT_READ = {"build", "tests", "__pycache__", "node_modules"}


def file_hash(path: Path) -> str:
    """Return a hash of a file's content."""
    return hashlib.blake2b(path.read_bytes(), digest_size=20).hexdigest()


def text_hash(parts: Iterable[str]) -> str:
    """Return a hash of some texts in their order."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()


def sources_hash(root: Path) -> str:
    """Return a hash of all files below ``root``, by name and content; environments and what is built are left out."""
    return text_hash(f"{path.relative_to(root).as_posix()} {file_hash(path)}" for path in _files(root))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in NOT_READ or path.suffix == ".egg-info":
            continue
        if path.is_dir() and not (path / "pyvenv.cfg").exists():
            yield from _files(path)
        elif path.is_file():
            yield path


def environment_hash() -> str:
    """Return a hash of Python, of every installed package's version and of the course's settings."""
    packages = {info.name for info in Path(sysconfig.get_path("purelib")).glob("*.dist-info")}
    settings = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("EE559_")]
    return text_hash([sys.version, *sorted(packages), *sorted(settings)])


def site_fingerprint() -> str:
    """Return a hash of all that a site can depend on: the repository's files and the environment."""
    return text_hash([sources_hash(ROOT), environment_hash()])
