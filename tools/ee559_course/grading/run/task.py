"""What a worker is given and what it gives back: one submission's cells and questions, as JSON."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Output = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One cell of the notebook.

    Attributes:
        cell: its id.
        source: the student's code to run; for a question, the function that asks it.
        cases: for a question, what it is called with, packed (see ``ee559.practicals.wire``); None for code to run.
        timed: whether each answer's processor time is measured.
    """

    cell: str
    source: str
    cases: list[Any] | None = None
    timed: bool = False


@dataclass(frozen=True)
class Task:
    """One submission, without a name.

    Attributes:
        key: says which submission it is, to the grader only.
        steps: in the order of the notebook.
        files: texts that lie beside the notebook, by name.
        step_seconds: wall-clock time that one step may take.
    """

    key: str
    steps: list[Step]
    files: dict[str, str] = field(default_factory=dict)
    step_seconds: float = 120.0

    def to_json(self) -> str:
        """Write the task."""
        return json.dumps(vars(self), default=vars)

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Read a task."""
        fields = json.loads(text)
        return cls(**{**fields, "steps": [Step(**step) for step in fields["steps"]]})


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


Status = Literal["ok", "error", "interrupted", "unfinished", "not run"]


@dataclass
class StepResult:
    """What became of one step.

    Attributes:
        cell: its id.
        status: ``error`` if the code raised, ``interrupted`` if it took too long and gave way, ``unfinished`` if the
            process ended in it, ``not run`` if it had ended before.
        outputs: what it showed, as a notebook keeps it.
        answers: one for each case that was answered.
    """

    cell: str
    status: Status = "not run"
    outputs: list[Output] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


@dataclass
class RunResult:
    """What became of a submission.

    Attributes:
        key: of the task.
        steps: in the order of the task.
        ended: empty if all steps were run; otherwise why they were not, such as ``memory``.
        waited: whether it ran out of wall-clock time while it had little of the processor: a loaded machine, perhaps.
        seconds: on the wall clock.
        cpu_seconds: of processor time.
        peak_memory: in bytes.
    """

    key: str
    steps: list[StepResult] = field(default_factory=list)
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
        steps = [
            StepResult(**{**step, "answers": [Answer(**answer) for answer in step["answers"]]})
            for step in fields["steps"]
        ]
        return cls(**{**fields, "steps": steps})
