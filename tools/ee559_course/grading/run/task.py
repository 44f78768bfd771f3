"""What a run of a submission is given and what it gives back: its cells and the questions to them, as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Output = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One cell of code of the notebook.

    Attributes:
        cell: its id.
        source: to run.
        stubs: names that it defines as they were released, without an answer: one that came before stays.
    """

    cell: str
    source: str
    stubs: Sequence[str] = ()


@dataclass(frozen=True)
class Question:
    """What a hidden test asks, when all cells have been run.

    Attributes:
        test: id of the test's cell.
        asks: the name, in the notebook, of what is tried.
        answer: source of the function that tries it.
        cases: what that is called with, packed (see ``ee559.practicals.wire``).
        timed: whether each answer's processor time is measured.
    """

    test: str
    asks: str
    answer: str
    cases: list[Any]
    timed: bool = False


@dataclass(frozen=True)
class Task:
    """One run.

    Attributes:
        steps: in the order of the notebook.
        questions: asked when all steps are done.
        files: texts that lie beside the notebook, by name.
        forbidden: what is refused from before the first step, as the fields of `Forbidden`; starting programs is
            refused then as well, and nothing that a step shows is kept. None: nothing is.
        step_seconds: wall-clock time that one step or one question may take.
    """

    steps: list[Step]
    questions: list[Question] = field(default_factory=list)
    files: Mapping[str, str] = field(default_factory=dict)
    forbidden: Mapping[str, Any] | None = None
    step_seconds: float = 120.0


@dataclass(frozen=True)
class Answer:
    """What came of one case.

    Attributes:
        value: what was returned, packed; None if nothing was.
        error: name and text of the exception, if one was raised.
        seconds: of processor time, where it is measured.
    """

    value: Any = None
    error: tuple[str, str] | None = None
    seconds: float = 0.0


class ExitReason(StrEnum):
    """Why a run ended before its end; after SIGNAL, its number follows."""

    CELL_TIME = "time"
    RUN_TIME = "all time"
    CPU_TIME = "processor time"
    MEMORY = "memory"
    DISK = "disk"
    OUTPUT = "output"
    ITSELF = "itself"
    SIGNAL = "signal"


Status = Literal["ok", "error", "interrupted", "unfinished", "skipped", "not run"]


@dataclass
class StepResult:
    """What became of one step.

    Attributes:
        cell: its id.
        status: ``error`` if the code raised, ``interrupted`` if it took too long and gave way, ``unfinished`` if the
            process ended in it, ``skipped`` if it was left out because it had ended the process before, ``not run`` if
            the process had ended before.
        outputs: what it showed, as a notebook keeps it.
        error: name and text of the exception, if one was raised.
    """

    cell: str
    status: Status = "not run"
    outputs: list[Output] = field(default_factory=list)
    error: tuple[str, str] | None = None


@dataclass
class Asked:
    """What became of one question.

    Attributes:
        status: as of a step; ``error`` if a case's answer is an error.
        answers: one for each case that was answered.
        at: id of the cell and number of the line in it where an error arose, if that is known: a claim of the
            student's process.
    """

    status: Status = "not run"
    answers: list[Answer] = field(default_factory=list)
    at: tuple[str, int] | None = None


@dataclass
class RunResult:
    """What became of a run.

    Attributes:
        steps: in the order of the task.
        asked: what became of each question, by test.
        ended: empty if all was done; otherwise why it was not, see `ExitReason`.
        waited: whether it ran out of wall-clock time while it had little of the processor: a loaded machine, perhaps.
        seconds: on the wall clock.
        cpu_seconds: of processor time.
        peak_memory: in bytes.
    """

    steps: list[StepResult] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    ended: str = ""
    waited: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0

    def to_json(self) -> str:
        """Write the result."""
        return json.dumps(vars(self), default=vars)

    @classmethod
    def from_json(cls, text: str) -> "RunResult":
        """Read a result that `to_json` wrote."""
        fields = json.loads(text)
        steps = [StepResult(**{**step, "error": _pair(step["error"])}) for step in fields["steps"]]
        asked = {
            test: Asked(each["status"], [_answer(answer) for answer in each["answers"]], _pair(each["at"]))
            for test, each in fields["asked"].items()
        }
        return cls(**{**fields, "steps": steps, "asked": asked})


def _answer(fields: dict[str, Any]) -> Answer:
    return Answer(**{**fields, "error": _pair(fields["error"])})


def _pair(read: Any) -> Any:
    """Make a tuple of what JSON has made a list of."""
    return None if read is None else tuple(read)
