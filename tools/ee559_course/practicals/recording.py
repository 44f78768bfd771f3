"""Record what the students' checks compare with: inputs, expected values, and what each known mistake gives."""

import copy
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ee559.practicals
import torch
from ee559.practicals.question import RecordedTest, form_of
from ee559.practicals.wire import pack

from ee559_course.practicals.hidden import Case, HiddenTest, source_of
from ee559_course.practicals.practical import ReleaseError, Practical

RECORDED = Path(ee559.practicals.__file__).parent
LARGEST = 100_000  # bytes of one practical's file


def recorded(practical: Practical) -> str:
    """Write a practical's recorded values as JSON.

    Raises:
        ReleaseError: a test's own functions fail on its cases, or it is all too large.
    """
    fields = {
        "name": practical.name,
        "version": practical.version,
        "forbidden": asdict(practical.forbidden),
        "see": {part.id: part.see for part in practical.parts if part.see}
        | {test.id(): test.see for test in practical.tests if test.see},
        "tests": [_recorded_test(practical, test) for test in practical.tests],
    }
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"
    if len(text.encode()) > LARGEST:
        sizes = {test["id"]: len(json.dumps(test)) for test in fields["tests"]}  # type: ignore[index]
        largest = max(sizes, key=lambda test: sizes[test])
        raise ReleaseError(
            f"{practical.name}: its checks record {len(text.encode()):,} bytes, more than {LARGEST:,}: make the fixed "
            f"cases of {largest} smaller, or make large tensors in answer."
        )
    return text


def record(test: type[HiddenTest]) -> RecordedTest:
    """Return what students have of a test.

    Raises:
        Exception: whatever the test's own functions raise.
    """
    return RecordedTest.from_dict(_fields(test))


def _recorded_test(practical: Practical, test: type[HiddenTest]) -> dict[str, Any]:
    try:
        return _fields(test)
    except Exception as error:  # whatever an author's mistake raises
        raise ReleaseError(f"{practical.name}, {test.__name__}: {type(error).__name__}: {error}") from error


def _fields(test: type[HiddenTest]) -> dict[str, Any]:
    return {
        "id": test.id(),
        "title": test.title(),
        "part": test.part,
        "asks": test.asks,
        "seconds": test.seconds,
        "form_only": test.understanding,
        "answer": source_of(test.answer),
        "facts": source_of(test.facts) if test.facts else None,
        "mistakes": [] if test.understanding else list(test.mistakes),
        "cases": [_recorded_case(test, case) for case in test.fixed()],
    }


def _recorded_case(test: type[HiddenTest], case: Case) -> dict[str, Any]:
    with torch.random.fork_rng(devices=[]):
        expected = test.expected(**copy.deepcopy(case))
        return {
            "call": test.call(case),
            "given": pack(case),
            "expected": pack(form_of(expected) if test.understanding else expected),
            "mistaken": [] if test.understanding else [_mistaken(mistake, case) for mistake in test.mistakes.values()],
        }


def _mistaken(mistake: Callable[..., object], case: Case) -> Any:
    try:
        return pack(mistake(**copy.deepcopy(case)))
    except Exception:  # a mistake may well be one that fails on this case
        return None
