"""The bank of forgeries: submissions to the tiny practical with an answer that nobody worked for, each by another way.

Run all of them, as root and as an ordinary user: ``python tests/forged_bank.py``. Each must lose the test of its prize,
and no other: it earns what the rest of it is worth. With words as arguments, those whose names have them are run.
"""

import base64
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import nbformat
from course_copies import course_at, solved
from ee559_course.grading.plan.grading_plan import GradingPlan, read_plan
from ee559_sandbox import Limits
from users import become, own

FOLDER = Path(__file__).with_name("forged")
FIRST = "from torch.nn import functional as F"
PRIZES = {"smooth": "test-smoothed-values", "nb-parameters": "test-counted-parameters"}
LIMITS = Limits(cpu_seconds=60)
SECONDS_A_CELL = 20.0
PROGRAM = """
import json, sys
from ee559_course.grading.worker.worker import run_submission

settings = sys.stdin.readline()
for task in sys.stdin:
    print(run_submission(task, settings), flush=True)
"""


@dataclass(frozen=True)
class Forged:
    """One forgery.

    Attributes:
        kind: the file of the bank that it stands in.
        name: what it does.
        answers: sources of answers, by cell.
        first: code of a cell of its own, before all others but the imports.
        loses: ids of the tests that it must lose.
        harms: whether it may lose others too, because it breaks what it is asked with.
    """

    kind: str
    name: str
    answers: Mapping[str, str]
    first: str
    loses: frozenset[str]
    harms: bool = False

    def notebook(self) -> bytes:
        """Return what is handed in."""
        made = solved(self.answers)
        at = 1 + next(number for number, cell in enumerate(made.cells) if cell.id == "checks")
        made.cells.insert(at, nbformat.v4.new_code_cell(f"{FIRST}\n{self.first}", id="mine"))
        return str(nbformat.writes(made)).encode()


@dataclass(frozen=True)
class Result:
    """What became of a forgery: the tests that it lost, with their messages, or why it was not graded."""

    lost: Mapping[str, str]
    reason: str = ""

    def problem(self, forged: Forged) -> str:
        """Say what is not as it must be; nothing if all is."""
        if self.reason:
            return f"not graded: {self.reason}"
        if earned := forged.loses - self.lost.keys():
            return f"earned {', '.join(sorted(earned))}"
        if not forged.harms and (more := self.lost.keys() - forged.loses):
            return f"lost more than it is worth: { ({test: self.lost[test] for test in more}) }"
        return ""


@cache
def bank() -> tuple[Forged, ...]:
    """Read the bank."""
    return tuple(_forged(path.stem, entry) for path in sorted(FOLDER.glob("*.toml")) for entry in _entries(path))


def _entries(path: Path) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = tomllib.loads(path.read_text(encoding="utf-8"))["forged"]
    return entries


def _forged(kind: str, entry: dict[str, object]) -> Forged:
    known = {"name", "first", "loses", "harms"}
    answers = {cell: str(source) for cell, source in entry.items() if cell not in known}
    loses = entry.get("loses") or [PRIZES[cell] for cell in answers]
    assert isinstance(loses, list)
    return Forged(
        kind,
        str(entry["name"]),
        answers,
        str(entry.get("first", "")),
        frozenset(loses),
        bool(entry.get("harms")),
    )


@cache
def _plan() -> GradingPlan:
    return read_plan(course_at(Path(mkdtemp(prefix="forged-")) / "course"), "tiny")


def run_forged(chosen: Sequence[Forged], ordinary: bool) -> Iterator[tuple[Forged, Result]]:
    """Grade forgeries one after the other in one worker, and yield what became of each.

    Args:
        chosen: of the bank.
        ordinary: whether the worker belongs to an ordinary user, even if we are root.
    """
    plan = _plan()
    common = {"plan": plan.to_json(), "files": plan.files, "cell_seconds": SECONDS_A_CELL}
    home = Path(mkdtemp(prefix="forged-home-"))
    other = ordinary and os.geteuid() == 0
    if other:
        own("ordinary", home)
    worker = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=home,
        env={**os.environ, "TMPDIR": str(home)} | ({"HOME": str(home)} if other else {}),
        preexec_fn=become("ordinary") if other else None,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    with worker:
        worker.stdin.write(json.dumps({"limits": asdict(LIMITS), "unconfined": False}) + "\n")
        for forged in chosen:
            content = base64.b64encode(forged.notebook()).decode()
            worker.stdin.write(json.dumps({**common, "content": content, "seed": forged.name}) + "\n")
            worker.stdin.flush()
            graded = json.loads(worker.stdout.readline() or '{"reason": "the worker is gone"}')
            marks = graded.get("tests", [])
            lost = {mark["cell"]: mark["message"] for mark in marks if mark["points"] < mark["max_points"]}
            yield forged, Result(lost, graded.get("reason", ""))
        worker.stdin.close()


def main(*words: str) -> int:
    """Run the bank, or what words choose of it, and print what is not as it must be."""
    chosen = [forged for forged in bank() if not words or any(word in forged.name for word in words)]
    wrong = 0
    for ordinary in (False, True):
        for forged, result in run_forged(chosen, ordinary):
            problem = result.problem(forged)
            wrong += bool(problem)
            print(
                f"{'✗' if problem else '✓'} {'user' if ordinary else 'self'} {forged.kind}: {forged.name}", flush=True
            )
            print(f"    {problem or '; '.join(result.lost.values())}", flush=True)
    print(f"{2 * len(chosen) - wrong} of {2 * len(chosen)} are as they must be.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
