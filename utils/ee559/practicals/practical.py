"""A practical as a student's notebook uses it: checks of single answers, and which of them pass."""

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ee559.checks import sentence
from ee559.practicals.forbidding import Forbidden, forbid
from ee559.practicals.question import RecordedTest


@dataclass(frozen=True)
class Practical:
    """The recorded tests of a practical.

    Attributes:
        name: such as ``sizes``.
        version: of the practical that they were recorded from.
        forbidden: what no answer may use.
        see: under the ids of parts and of some tests, the lecture and the heading that explain them.
        tests: in the order of the parts.
    """

    name: str
    version: str
    forbidden: Forbidden
    see: Mapping[str, tuple[str, str]]
    tests: tuple[RecordedTest, ...]

    @classmethod
    def read(cls, path: Path) -> "Practical":
        """Read what ``ee559 release`` has recorded.

        Args:
            path: of the JSON file.
        """
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        forbidden = Forbidden(**{key: _hashable(value) for key, value in fields["forbidden"].items()})
        see = {place: (lecture, heading) for place, (lecture, heading) in fields["see"].items()}
        tests = tuple(RecordedTest.from_dict(test) for test in fields["tests"])
        return cls(fields["name"], fields["version"], forbidden, see, tests)

    @property
    def answers(self) -> tuple[str, ...]:
        """Names of what the student writes, in order."""
        return tuple(dict.fromkeys(test.asks for test in self.tests))

    def check(self, *answers: Any) -> None:
        """Print for each answer a tick, or the first thing that is wrong and where it is explained."""
        namespace = sys._getframe(1).f_globals
        for answer in answers:
            name = _name_of(answer, namespace, self.answers)
            if name is None:
                called = getattr(answer, "__name__", repr(answer))
                print(f"✗ {called}: keep the name that the task gives: one of {', '.join(self.answers)}.")
                continue
            with forbid(self.forbidden):
                print(self.judged(name, answer))

    def judged(self, name: str, answer: Any) -> str:
        """Say whether an answer is right, or the first thing that is wrong with it and where that is explained."""
        test, fault = next(self._faults(name, answer), (None, ""))
        if test is not None:
            return f"✗ {name}: {sentence(fault.removeprefix(f'{name}: '))}{self._see(test)}"
        tests = [each for each in self.tests if each.asks == name]
        if all(each.form_only for each in tests):
            return f"✓ {name}: complete. You will learn after grading which values are right."
        nb_cases = sum(len(each.cases) for each in tests)
        return f"✓ {name}: right, on {nb_cases} case{'s' if nb_cases > 1 else ''}."

    def progress(self, namespace: Mapping[str, object]) -> None:
        """Print which answers pass, given the notebook's ``globals()``."""
        print("All checks run again: this may take a minute.", flush=True)
        passed = 0
        with forbid(self.forbidden):
            for name in self.answers:
                if name not in namespace:
                    print(f"– {name}: not defined yet")
                    continue
                with redirect_stdout(io.StringIO()):  # what the answers print would hide the list
                    right = next(self._faults(name, namespace[name]), None) is None
                passed += right
                print(f"{'✓' if right else '✗'} {name}")
        print(f"{passed} of {len(self.answers)} answers pass their checks.")

    def _faults(self, name: str, answer: Any) -> Iterator[tuple[RecordedTest, str]]:
        """Yield the first fault in each test of an answer."""
        for test in self.tests:
            if test.asks == name:
                with forbid(self.forbidden):
                    fault = test.fault(answer)
                if fault is not None:
                    yield test, fault

    def _see(self, test: RecordedTest) -> str:
        see = self.see.get(test.id, self.see.get(test.part))
        if see is None or test.form_only:
            return ""
        lecture, heading = see
        return f" Lecture {lecture} explains it, in the section “{heading}”."


def _name_of(answer: object, namespace: Mapping[str, object], known: tuple[str, ...]) -> str | None:
    """Find the name of an answer: its own, or the one that the notebook gives it."""
    if getattr(answer, "__name__", None) in known:
        return str(answer.__name__)  # type: ignore[attr-defined]
    return next((name for name in known if namespace.get(name) is answer), None)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
