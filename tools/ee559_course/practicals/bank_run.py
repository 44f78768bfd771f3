"""Run whole banks of answers: each answer by check and mark, with as many draws as one likes."""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from ee559_course.files import write_text
from ee559_course.paths import SOLUTIONS
from ee559_course.practicals.answer_bank import KINDS, Answer, load_answers
from ee559_course.practicals.practical import read_practical
from ee559_course.practicals.trial import bank_problems


def run_bank(
    name: str, repeats: int, answers: Sequence[str] = (), solutions: Path = SOLUTIONS
) -> Iterator[tuple[Answer, list[str]]]:
    """Try the answers of a practical's bank side by side, and yield each with what is not as the bank says.

    Args:
        name: of the practical.
        repeats: how many times cases are drawn for each answer.
        answers: names of those to try; all of them if there are none.
        solutions: the folder of the practicals' sources.

    Raises:
        ReleaseError: there is no such practical, or its bank is broken.
    """
    practical = read_practical(name, solutions)
    chosen = [answer for answer in load_answers(practical) if not answers or answer.name in answers]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        tasks = [(name, answer, repeats, solutions) for answer in chosen]
        yield from zip(chosen, pool.map(_problems, *zip(*tasks, strict=True)), strict=True)


def _problems(name: str, answer: Answer, repeats: int, solutions: Path) -> list[str]:
    return bank_problems(read_practical(name, solutions), answer, repeats)


def write_result(
    path: Path, name: str, results: Sequence[tuple[Answer, list[str]]], repeats: int, stock: list[str] | None
) -> None:
    """Write how many answers of each kind a bank holds, and what was not as the bank says, beside other practicals'.

    Args:
        path: the JSON file; what it says of other practicals stays.
        name: of the practical.
        results: the answers with what was not as the bank says.
        repeats: how many times cases were drawn for each answer.
        stock: what stock nbgrader marked otherwise; None if it was not asked.
    """
    recorded: dict[str, object] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    result: dict[str, object] = {"version": read_practical(name).version, "repeats": repeats}
    result |= {kind: sum(answer.kind == kind for answer, _ in results) for kind in KINDS}
    result |= {
        "problems": [problem for _, problems in results for problem in problems],
        "marked otherwise by stock nbgrader": stock,
    }
    recorded[name] = result
    write_text(path, json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")
