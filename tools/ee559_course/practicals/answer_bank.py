"""The bank of answers beside each practical: right ones, wrong ones, and answers that nobody worked for."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ee559_course.practicals.practical import ReleaseError, Practical

BANK = "answers.toml"
Kind = Literal["right", "wrong", "unearned"]
KINDS: tuple[Kind, ...] = ("right", "wrong", "unearned")


@dataclass(frozen=True)
class Answer:
    """An answer to one part.

    Attributes:
        kind: whether it earns full marks, loses some, or was had without the work.
        name: what it does, in words.
        cell: the id of the solution cell that it stands in.
        source: the code.
        extra: code of a cell of the student's own before it.
        fails: ids of the tests that it fails, and it fails no others.
        says: words of the message that the part's check prints for it.
        unseen: why the check cannot see that it is wrong, if it cannot.
    """

    kind: Kind
    name: str
    cell: str
    source: str
    extra: str = ""
    fails: frozenset[str] = frozenset()
    says: str = ""
    unseen: str = ""


def load_answers(practical: Practical) -> list[Answer]:
    """Read the bank of a practical; an unearned answer that names no tests fails all of its part.

    Raises:
        ReleaseError: an answer names a cell or a test that the practical does not have, or a name is used twice.
    """
    text = (practical.folder / BANK).read_text(encoding="utf-8") if (practical.folder / BANK).exists() else ""
    bank = tomllib.loads(text)
    answers = [_answer(practical, kind, entry) for kind in KINDS for entry in bank.get(kind, [])]
    names: set[str] = set()
    for answer in answers:
        if answer.name in names:
            raise ReleaseError(f"{practical.name}/{BANK}: two answers are called '{answer.name}': rename one.")
        names.add(answer.name)
    return answers


def _answer(practical: Practical, kind: Kind, entry: dict[str, str | list[str]]) -> Answer:
    where = f"{practical.name}/{BANK}, '{entry.get('name')}'"
    part = practical.part_of(str(entry.get("cell")))
    if part is None or entry["cell"] not in part.answers:
        raise ReleaseError(f"{where}: no cell for an answer is called {entry.get('cell')}.")
    try:
        fails = frozenset(entry.get("fails", ()) or (kind == "unearned" and {test.id() for test in part.tests}) or ())
        answer = Answer(**{**entry, "kind": kind, "fails": fails})  # type: ignore[arg-type]
    except TypeError as error:
        raise ReleaseError(f"{where}: {error}.") from error
    if unknown := sorted(answer.fails - {test.id() for test in practical.tests}):
        raise ReleaseError(f"{where}: no test is called {unknown[0]}.")
    if kind == "wrong" and not answer.fails:
        raise ReleaseError(f"{where}: expected the tests that it fails, got none.")
    if kind == "wrong" and not (answer.says or answer.unseen):
        raise ReleaseError(f"{where}: expected words that the check says, or why the check cannot see it in unseen.")
    return answer


def equivalent_changes(practical: Practical) -> set[tuple[str, str]]:
    """Read from the bank which changes of a solution, by cell, leave it right; each has its reason there."""
    bank = tomllib.loads((practical.folder / BANK).read_text(encoding="utf-8"))
    return {(entry["cell"], entry["change"]) for entry in bank.get("equivalent", [])}


def pack(answers: Iterable[Answer]) -> list[dict[str, Answer]]:
    """Lay answers to different cells into the same submission, so that few submissions hold them all."""
    packs: list[dict[str, Answer]] = []
    for answer in answers:
        free = next((each for each in packs if answer.cell not in each), None)
        if free is None:
            packs.append(free := {})
        free[answer.cell] = answer
    return packs


def coverage_table(practical: Practical, answers: Sequence[Answer]) -> str:
    """Write as Markdown which hidden test catches which wrong answer."""
    lines = ["| Hidden test | Wrong answers that it catches |", "|---|---|"]
    for test in practical.tests:
        caught = [answer.name for answer in answers if answer.kind == "wrong" and test.id() in answer.fails]
        lines.append(f"| {test.id()} | {'; '.join(caught)} |")
    return "\n".join(lines) + "\n"
