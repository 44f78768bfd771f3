"""Files that are written whole or not at all."""

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside a file to write to; it takes the file's name when all went well, and is removed if not.

    Args:
        path: of the file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)  # what a killed process left
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; return its path."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text in UTF-8 whole or not at all, half characters replaced; return its path."""
    return write_bytes(path, text.encode(errors="replace"))


def write_zip(path: Path, files: Mapping[str, Path]) -> Path:
    """Pack files into a zip, whole or not at all, the same bytes for the same files; return its path.

    Args:
        path: of the zip.
        files: by their names in it.
    """
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # its date is the zip format's first day
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, file.read_bytes())
    return path
