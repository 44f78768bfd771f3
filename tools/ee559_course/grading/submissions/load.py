"""Take in what was handed in: read it whatever it is, repair what is certain, and put the rest in quarantine."""

import dataclasses
import errno
import hashlib
import json
import os
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import Quarantine
from ee559_course.grading.plan.grading_plan import GradingPlan
from ee559_course.grading.submissions.attachments import with_pictures_beside
from ee559_course.grading.submissions.modules import read_modules
from ee559_course.grading.submissions.repair import repair

MAX_FILE = 30_000_000  # bytes; a notebook of a practical has some 50,000
MAX_CELL = 50_000  # characters, pictures apart; to read a much longer one takes much longer, and more memory
MAX_TEXT = 500_000  # of all cells of code, and of all of words
MAX_CELLS = 2_000
MAX_NAME = 100  # of a notebook, where it is told
NO_NAME_HAS = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}  # kinds of characters that show as nothing, or turn the line
JOINERS = "\u200c\u200d"  # that Persian, Hindi and emoji are written with


@dataclass(frozen=True)
class Submission:
    """What a student handed in, as it came.

    Attributes:
        student: id.
        digest: of the content.
        content: of the notebook's file.
        notes: what was not as it should be.
        modules: texts of the student's own modules, which lie beside the notebook, by file name.
    """

    student: str
    digest: str
    content: bytes
    notes: tuple[str, ...]
    modules: Mapping[str, str] = field(default_factory=dict)


def submitting_students(course: CourseFolder, practical: str) -> list[str]:
    """Return the ids of the students with a folder for the practical, whatever is in it."""
    folder = course.root / "submitted"
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if _may_be_there(each / practical))


def _may_be_there(path: Path) -> bool:
    """Whether something is there, or cannot be seen, as in a folder that we may not enter."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def load_submission(course: CourseFolder, student: str, practical: str) -> Submission:
    """Read the bytes of what a student handed in, and nothing more.

    Raises:
        Quarantine: there is nothing that can be read.
    """
    alike = _check_name(course, student)
    try:
        taken = _load_submission(course, student, practical)
    except OSError as error:
        raise Quarantine(
            f"it cannot be read: {error.strerror}.",
            "Let yourself read the folder and what is in it, as `chmod -R u+rwX` does, and grade again.",
        ) from None
    return dataclasses.replace(taken, notes=(*alike, *taken.notes))


def _load_submission(course: CourseFolder, student: str, practical: str) -> Submission:
    folder = course.submitted(student, practical)
    for each in (folder.parent, folder):
        if each.is_symlink() or not each.is_dir():
            raise Quarantine(
                f"{each.relative_to(course.root)} is not a folder, but a link or a file.",
                "Look where it leads, and put a folder with the notebook there.",
            )
    path, notes = _find_notebook(folder, practical)
    content = _read_bytes(path)
    modules, left_out = read_modules(folder)
    digest = hashlib.sha256(content)
    for name, text in modules.items():
        digest.update(f"\0{name}\0{text}".encode())
    return Submission(student, digest.hexdigest(), content, (*notes, *left_out), modules)


def parse(content: bytes, plan_json: str) -> str:
    """Lay out the notebook that is to be graded, as JSON: for a clean child of the fork server, within its limits.

    Args:
        content: of the file.
        plan_json: `GradingPlan.to_json` of the practical.

    Returns:
        ``notebook``, repaired, without outputs, its cells marked as nbgrader needs them, and ``notes`` on what was
        repaired; or ``reason`` and ``remedy`` of a quarantine.
    """
    try:
        text, said = _decode(content)
        cells, upgraded = _read_cells(text)
        notebook, repaired = repair(cells, GradingPlan.from_json(plan_json))
    except Quarantine as quarantine:
        return json.dumps({"reason": quarantine.reason, "remedy": quarantine.remedy})
    return json.dumps({"notebook": notebook, "notes": [*said, *upgraded, *repaired]})


def _check_name(course: CourseFolder, student: str) -> tuple[str, ...]:
    """Return what is to be noted of a name that can be an id."""
    remedy = "Rename the folder in submitted/ to the student's id, in letters and digits, and grade again."
    if any("\udc80" <= character <= "\udcff" for character in student):
        raise Quarantine("the name of the folder is not UTF-8, and the gradebook could not hold it.", remedy)
    if student.startswith(".") or student != student.strip():
        raise Quarantine("the name of the folder cannot be a student's id.", remedy)
    if any(unicodedata.category(character) in NO_NAME_HAS for character in student if character not in JOINERS):
        raise Quarantine("the name of the folder has characters that are not to be seen.", remedy)
    same = _looks(student)
    alike = any(_looks(each) == same for each in os.listdir(course.root / "submitted") if each != student)
    return ("there is another folder whose name looks the same: see whether they are one student.",) if alike else ()


def _looks(name: str) -> str:
    """Write a name as others are that look the same, or are the same on some disks; Strauss and Strauß differ."""
    return unicodedata.normalize("NFKC", name.translate(dict.fromkeys(map(ord, JOINERS)))).lower()


def _find_notebook(folder: Path, practical: str) -> tuple[Path, list[str]]:
    path = folder / f"{practical}.ipynb"
    if os.path.lexists(path):
        return path, []
    found = [each for each in sorted(folder.iterdir()) if each.suffix.lower() == ".ipynb" and each.is_file()]
    if len(found) == 1:
        return found[0], [f"the notebook was called {found[0].name[:MAX_NAME]}, and not {practical}.ipynb."]
    if found:
        raise Quarantine(
            f"there are {len(found)} notebooks, and none is called {practical}.ipynb.",
            f"Rename the right one to {practical}.ipynb.",
        )
    raise Quarantine("there is no notebook.", f"Ask for it, and put it there as {practical}.ipynb.")


def _read_bytes(path: Path) -> bytes:
    """Read a regular file, without following a link and without waiting."""
    remedy = "Ask the student to hand the notebook in again."
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise Quarantine("the notebook is a link.", remedy) from None
    if path.is_symlink() or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Quarantine("the notebook is not a file.", remedy)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise Quarantine(
            f"the notebook has more than {MAX_FILE // 1_000_000} MB.", "Open it, clear all outputs, and save it."
        )
    return content


def _decode(content: bytes) -> tuple[str, list[str]]:
    if not content.strip():
        raise Quarantine("the notebook is empty.", "Ask the student to hand it in again.")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            try:
                return content.decode(encoding), [f"its text was {encoding}, and not UTF-8."]
            except UnicodeDecodeError:
                break
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        raise Quarantine(
            "its text is not UTF-8.", "Open it in an editor that shows it well, save it as UTF-8, and grade again."
        ) from None


def _read_cells(text: str) -> tuple[list[NotebookNode], list[str]]:
    """Read a notebook of any version into plain cells of today: type, source, id, nbgrader's metadata, attachments."""
    remedy = "Ask the student to open the notebook in JupyterLab, save it, and hand it in again."
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
        raise Quarantine(f"it is cut off or damaged{where}.", remedy) from None
    if not isinstance(raw, dict) or type(raw.get("nbformat")) not in (int, float):
        raise Quarantine("it is not a notebook.", remedy)
    notes = []
    if raw["nbformat"] != 4:
        try:
            raw = nbformat.convert(nbformat.reads(text, as_version=nbformat.NO_CONVERT), 4)
        except Exception:  # nbformat raises many kinds, and all mean the same here
            raise Quarantine(f"it is a notebook of format {str(raw['nbformat'])[:9]}.", remedy) from None
        notes.append("it was of an older notebook format.")
    listed = raw.get("cells")
    if not isinstance(listed, list) or len(listed) > MAX_CELLS:
        raise Quarantine("it has no list of cells, or too long a one.", remedy)
    cells = [_read_cell(cell) for cell in listed]
    if None in cells:
        raise Quarantine("a cell is not as cells are.", remedy)
    read = [cell for cell in cells if cell is not None]
    for what, kinds in {"code": ("code",), "words": ("markdown", "raw")}.items():
        sizes = [len(cell.source) for cell in read if cell.cell_type in kinds]
        if max(sizes, default=0) > MAX_CELL or sum(sizes) > MAX_TEXT:
            raise Quarantine(
                f"a cell has more than {MAX_CELL:,} characters of {what}, or all have more than {MAX_TEXT:,}.",
                "Ask the student what it is: no practical asks for so much. Data belong into files.",
            )
    return read, notes


def _read_cell(raw: Any) -> NotebookNode | None:
    """Take from a cell what grading needs; None if it is no cell."""
    if not isinstance(raw, dict) or not isinstance(raw.get("cell_type"), str):
        return None
    source: Any = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    cell: NotebookNode = nbformat.v4.new_raw_cell(source.encode(errors="replace").decode())
    if raw["cell_type"] in ("code", "markdown"):  # any other kind, such as another program's, is text that is not run
        cell.cell_type = raw["cell_type"]
    if cell.cell_type == "code":
        cell.update(execution_count=None, outputs=[])
    identity = raw.get("id")
    cell.id = identity if isinstance(identity, str) else ""
    metadata = raw.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    cell.metadata["grade_id"] = grade_id if isinstance(grade_id, str) else ""
    if raw["cell_type"] == "markdown":
        cell.source, pictures = with_pictures_beside(cell.source, raw.get("attachments"))
        cell.update({"attachments": pictures} if pictures else {})
    return cell
