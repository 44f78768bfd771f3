"""Try answers of our own as the grader and the student's check do, in forked processes, and without confinement."""

import contextlib
import functools
import importlib
import io
import os
import pickle
import resource
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ee559.practicals
import torch
from ee559 import load_mnist
from ee559.practicals.asking import as_graded, define, question_names
from ee559.practicals.forbidding import Forbidden, forbid
from ee559.practicals import practical as student_side
from ee559.practicals.wire import pack, unpack

from ee559_course.practicals.answer_bank import Answer
from ee559_course.practicals.hidden import Case, Draw, HiddenTest
from ee559_course.practicals.recording import record
from ee559_course.practicals.practical import Practical

Result = TypeVar("Result")
Batch = list[tuple[type[HiddenTest], list[Case]]]
Answered = tuple[Any, str | None, float]  # what came, packed, or an error, and the processor time
SECONDS = 15  # of processor time for the fixed cases, and as much again for each repeat
MEMORY = 4 * 2**30  # bytes
LEFT_OUT = ("check-", "measure", "see-", "progress")  # cells that check, measure or draw


@dataclass
class Trial:
    """What became of an answer.

    Attributes:
        printed: what the check of each of the part's answers printed, by name.
        fixed: what is wrong in the fixed cases, by test.
        drawn: for each repeat, what is wrong in the drawn cases, by test.
        ended: how the process ended, if not by itself.
    """

    printed: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    drawn: list[dict[str, str]] = field(default_factory=list)
    ended: str = ""


def try_answer(
    practical: Practical, answer: Answer, tests: Sequence[type[HiddenTest]] = (), repeats: int = 1, check: bool = True
) -> Trial:
    """Put an answer into a practical's solution, run that, and ask the tests.

    Args:
        practical: the practical.
        answer: to try.
        tests: to ask; those of the answer's part if there are none.
        repeats: how many times to draw cases.
        check: whether to run the students' checks as well.
    """
    torch.set_num_threads(1)  # as when it is graded; and a fork has no other threads that could help it
    _import_what_notebooks_import()
    part = practical.part_of(answer.cell)
    assert part is not None
    asked = tests or part.tests
    recorded = tuple(record(test) for test in asked) if check else ()
    checks = student_side.Practical(practical.name, practical.version, practical.forbidden, {}, recorded)
    made = Trial()
    if check:
        made.printed, made.ended = _in_a_fork(lambda: _check(practical, answer, checks), made.printed, SECONDS)
    batches = [[(test, list(test.fixed())) for test in asked]]
    batches += [[(test, list(test.drawn(Draw(f"{k} {test.__name__}")))) for test in asked] for k in range(repeats)]
    answered, ended = _in_a_fork(lambda: _answer(practical, answer, checks, batches), None, SECONDS * len(batches))
    made.ended = made.ended or ended
    if answered is None:
        made.fixed = {test.id(): ended for test in asked}
        return made
    made.fixed, *made.drawn = (_faults(batch, actual) for batch, actual in zip(batches, answered, strict=True))
    return made


def bank_problems(practical: Practical, answer: Answer, repeats: int = 1) -> list[str]:
    """Try an answer of the bank; say what is not as the bank says."""
    found = try_answer(practical, answer, repeats=repeats)
    where = f"{practical.name}, {answer.kind} '{answer.name}'"
    problems = [f"{where}: {found.ended}"] if found.ended and not answer.fails else []
    for number, drawn in enumerate(found.drawn or [{}]):
        wrong = {**drawn, **found.fixed}
        for test in sorted(set(wrong) - answer.fails):
            problems.append(f"{where}: draw {number} loses {test}: {wrong[test]}")
        for test in sorted(answer.fails - set(wrong)):
            problems.append(f"{where}: draw {number} does not lose {test}")
    text = "\n".join(found.printed.values())
    seen = "✗" in text
    if answer.kind == "right" and seen:
        problems.append(f"{where}: its check says {text.strip()}")
    if answer.kind == "wrong" and seen == bool(answer.unseen):
        problems.append(f"{where}: its check says {text.strip()}")
    if answer.kind == "unearned" and not seen and not answer.unseen:
        problems.append(f"{where}: its check says {text.strip()}")
    if answer.says and answer.says not in text:
        problems.append(f"{where}: expected '{answer.says}' in {text.strip()}")
    return list(dict.fromkeys(problems))


@functools.cache
def _import_what_notebooks_import() -> None:
    """Import and load once, before the fork, what would take each child seconds of its own."""
    importlib.import_module("matplotlib.pyplot")
    load_mnist("tiny")


def _check(practical: Practical, answer: Answer, checks: student_side.Practical) -> dict[str, str]:
    namespace = _run_cells(practical, answer, checks)
    with contextlib.redirect_stdout(io.StringIO()):
        return {
            name: checks.judged(name, namespace[name]) if name in namespace else f"✗ {name} is not defined"
            for name in checks.answers
        }


def _answer(
    practical: Practical, answer: Answer, checks: student_side.Practical, batches: Sequence[Batch]
) -> list[list[list[Answered]]]:
    """Ask every case, where what is forbidden was never there; a test's cases end with the first that fails."""
    if practical.forbidden != Forbidden():
        forbid(practical.forbidden).keep()
    names = question_names()
    namespace = _run_cells(practical, answer, checks)
    return [[list(_answers(test, cases, namespace, names)) for test, cases in batch] for batch in batches]


def _answers(
    test: type[HiddenTest], cases: Sequence[Case], namespace: Mapping[str, Any], names: Mapping[str, Any]
) -> Iterator[Answered]:
    ask = define(test.question()["answer"], names)
    for case in cases:
        given: Any = unpack(pack(case))
        start = time.process_time()
        try:
            with contextlib.redirect_stdout(io.StringIO()), as_graded():
                actual = pack(ask(namespace[test.asks], **given))
        except Exception as error:  # whatever an answer raises
            yield None, f"{type(error).__name__}: {error}", 0.0
            return
        yield actual, None, time.process_time() - start


def _faults(batch: Batch, answered: Sequence[Sequence[Answered]]) -> dict[str, str]:
    """Judge what came: say for each test that loses points what is wrong first."""
    found = {}
    for (test, cases), answers in zip(batch, answered, strict=True):
        for case, (actual, error, _) in zip(cases, answers, strict=False):
            if wrong := error or test.verdict(unpack(actual), case):
                found[test.id()] = wrong
                break
        else:
            if wrong := test.too_slow([seconds for _, _, seconds in answers]):
                found[test.id()] = wrong
    return found


def _run_cells(practical: Practical, answer: Answer, checks: student_side.Practical) -> dict[str, Any]:
    setattr(ee559.practicals, practical.name, checks)  # what its notebook imports need not be released yet
    namespace: dict[str, Any] = {"__name__": "__main__"}
    torch.manual_seed(0)
    for cell in practical.notebook.cells:
        if cell.cell_type != "code" or cell.id.startswith(LEFT_OUT):
            continue
        pieces = [answer.extra, answer.source] if cell.id == answer.cell else [cell.source]
        for piece in pieces:
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(compile(piece, f"<{cell.id}>", "exec"), namespace)
    return namespace


def _in_a_fork(work: Callable[[], Result], otherwise: Result, seconds: int) -> tuple[Result, str]:
    """Do work in a child of this process, which ends with it; return its result, and how it ended if it had none."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        with _never_returning():
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            content = pickle.dumps(work())
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(content)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if content:
        return pickle.loads(content), ""
    return otherwise, f"its process ended with status {status}"


@contextlib.contextmanager
def _never_returning() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    finally:
        os._exit(0)
