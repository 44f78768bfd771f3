"""nbgrader's collecting from downloaded archives, with a look at each archive before anything of it is written."""

import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nbgrader.plugins.zipcollect import ExtractorPlugin

MAX_BYTES = 4_000_000_000
MAX_FILES = 20_000


class ArchiveError(ValueError):
    """An archive is not extracted; the message names it and the remedy."""


class CheckedExtractor(ExtractorPlugin):  # type: ignore[misc]  # nbgrader is not typed
    """Refuses archives that would write outside their folder, or more than a class hands in."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Look at all archives, then extract them as nbgrader does; exit with a sentence if one is refused."""
        try:
            for path in sorted(Path(archive_path).rglob("*")):
                if path.suffix in self.zip_ext:
                    check_archive(path)
        except ArchiveError as error:
            sys.exit(str(error))
        super().extract(archive_path, extracted_path)


def check_archive(path: Path) -> None:
    """Look at the names and sizes in a zip or a tar.gz.

    Raises:
        ArchiveError: a name leads out of the archive's folder, or it would fill the disk.
    """
    size = files = 0
    try:
        for name, of_file in _entries(path):
            size, files = size + of_file, files + 1
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
                raise ArchiveError(f"{path.name}: {name!r} leads out of the folder. Take it out of the archive.")
            if size > MAX_BYTES or files > MAX_FILES:
                raise ArchiveError(
                    f"{path.name}: it holds more than {MAX_FILES:,} files or {MAX_BYTES // 10**9} GB. "
                    "Extract it by hand, and see what is in it."
                )
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveError(f"{path.name}: it cannot be read: {error}. Download it again.") from error


def _entries(path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and size of each file in an archive."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from ((entry.filename, entry.file_size) for entry in archive.infolist())
        return
    with tarfile.open(path) as archive:
        for entry in archive:
            if not (entry.isfile() or entry.isdir()):
                raise ArchiveError(f"{path.name}: {entry.name!r} is a link or a device. Take it out of the archive.")
            yield entry.name, entry.size
