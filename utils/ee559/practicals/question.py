"""A recorded test of a practical: how an answer is tried, and which values must come, without anything that makes them."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ee559.checks import difference, shortened
from ee559.practicals.asking import as_graded, define, question_names
from ee559.practicals.wire import pack, unpack

MAX_SHOWN = 8  # values of a tensor that are written in a call
TOO_LONG = "it takes too long on a large batch. Is there a loop over the samples?"


class _TakesTooLongError(BaseException):
    """Breaks off an answer, and passes whatever catches an ``Exception`` in it."""


@dataclass(frozen=True)
class RecordedCase:
    """One case of a test.

    Attributes:
        call: as it is written.
        given: the case, packed (see `ee559.practicals.wire`).
        expected: what must come, packed.
        mistaken: what each known mistake gives, packed; None where it gives nothing.
    """

    call: str
    given: Any
    expected: Any
    mistaken: list[Any]


@dataclass(frozen=True)
class RecordedTest:
    """One test, as far as students have it: its fixed cases.

    Attributes:
        id: of its cell.
        title: what it looks at.
        part: id of its part's heading cell, without ``part-``.
        asks: name of the student's function or class.
        seconds: see ``HiddenTest.seconds``.
        form_only: whether what is recorded as expected has the form of the right answer only: the rest is told after
            grading.
        answer: source of the function that tries an answer.
        facts: source of the function that says what is compared, if it is not what came.
        mistakes: a sentence for each known mistake.
        cases: the fixed ones, in order.
    """

    id: str
    title: str
    part: str
    asks: str
    seconds: float | None
    form_only: bool
    answer: str
    facts: str | None
    mistakes: list[str]
    cases: list[RecordedCase]

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "RecordedTest":
        """Read what a practical's JSON file has of a test."""
        return cls(**{**fields, "cases": [RecordedCase(**case) for case in fields["cases"]]})

    def fault(self, function: Callable[..., object]) -> str | None:
        """Try a student's function on every case; return the first thing that is wrong, or None."""
        names = question_names()
        answer = define(self.answer, names)
        facts = define(self.facts, names) if self.facts else None
        wrong, found = None, []
        seconds: list[float] = []
        for case in self.cases:
            given: Any = unpack(case.given)
            most = seconds[0] + self.seconds if self.seconds is not None and len(seconds) == 1 else None
            start = time.process_time()
            try:
                with as_graded(), _at_most(most):
                    came: Any = unpack(pack(answer(function, **given)))
                seconds.append(time.process_time() - start)
            except NotImplementedError as error:
                return f"not answered yet: {error}"
            except _TakesTooLongError:
                return wrong or f"{self.asks}: {TOO_LONG}"
            except Exception as error:  # whatever a student's code raises is what the student must read
                raised = f"{case.call} raised {type(error).__name__}: {error}".rstrip(": ")
                missing = self.form_only and isinstance(error, KeyError)
                wrong = wrong or (f"{case.call}: the key {error} is missing" if missing else raised)
                break
            try:
                found.append(facts(came, **unpack(case.given)) if facts else came)  # type: ignore[arg-type]
            except AssertionError as error:  # what the test says in words of its own
                wrong = wrong or f"{case.call}: {error}"
                break
            except Exception:  # what came is of a kind that the test did not think of
                wrong = wrong or f"{case.call}: this cannot be judged: got {came!r:.100}"
                break
            came, expected = (form_of(found[-1]) if self.form_only else found[-1]), unpack(case.expected)
            differs = difference(came, expected, show=not self.form_only, dtype=False)
            wrong = wrong or (differs and f"{case.call}: {differs}")
        if wrong is None and self.seconds is not None and seconds[1] - seconds[0] > self.seconds:
            return f"{self.asks}: {TOO_LONG}"
        return wrong and wrong + self._likely(found)

    def _likely(self, found: list[object]) -> str:
        """Name a known mistake, if what came is what it gives in every case and no other one does."""
        if len(found) < len(self.cases):
            return ""
        same = [
            sentence
            for number, sentence in enumerate(self.mistakes)
            if all(
                case.mistaken[number] is not None
                and difference(came, unpack(case.mistaken[number]), dtype=False) is None
                for came, case in zip(found, self.cases, strict=True)
            )
        ]
        return f". It looks like this: {same[0]}" if len(same) == 1 else ""


@contextmanager
def _at_most(seconds: float | None) -> Iterator[None]:
    """Break off what takes more processor time, where that can be: in a main thread, and not on Windows."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if seconds is None or not in_main_thread or not hasattr(signal, "setitimer"):
        yield
        return

    def break_off(*_: object) -> None:
        raise _TakesTooLongError

    before = signal.signal(signal.SIGPROF, break_off)
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.1)  # and again: torch's callbacks ignore what is raised in them
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before or signal.SIG_DFL)


def form_of(value: object) -> object:
    """Return the form of an answer: the same names, with zero for numbers and nothing for words and in lists."""
    if isinstance(value, dict):
        return {key: form_of(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return []  # how many there are may be what is asked
    return type(value)() if isinstance(value, str | bool | int | float) else value


def written_call(name: str, case: Mapping[str, object]) -> str:
    """Write a case as a call, tensors of more than a few values by their sizes."""
    return f"{name}({', '.join(f'{key}{_written(value)}' for key, value in case.items())})"


def _written(value: object) -> str:
    if isinstance(value, Tensor) and value.numel() > MAX_SHOWN:
        return f": tensor of {tuple(value.shape)}"
    if isinstance(value, dict):
        return "={" + ", ".join(f"{key}{_written(each)}" for key, each in value.items()) + "}"
    return f"={shortened(value)}"
