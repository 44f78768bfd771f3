"""Grade one submission: read it, run it twice, judge it. All that a student wrote or showed is opaque here.

Run A keeps what the cells show. Run B comes after it, in a new process in which what the practical forbids was never
there and no program starts; nothing of what its cells show is kept, and when all are run, the tests ask.
"""

import math
import time
from dataclasses import replace
from typing import Any

from ee559_sandbox import Limits

from ee559_course.grading.run.channel import Channel, MessageLimitExceeded
from ee559_course.grading.run.launcher import Launcher, LaunchError
from ee559_course.grading.run.runner import run_task
from ee559_course.grading.run.task import ExitReason, Question, RunResult, Step, StepResult, Task

MAX_RUNS = 4  # that ask; each but the last leaves out what ended the one before
SECONDS_TO_READ, SECONDS_TO_JUDGE = 60.0, 900.0
TAKES_TOO_MUCH = {
    "reason": "to read it takes more time or memory than a notebook may.",
    "remedy": "Look what is in it: no practical asks for so much. Ask the student to hand it in again.",
}

ANSWERS_TOO_LARGE = {
    "reason": "to judge what its answers return takes more time or memory than there is.",
    "remedy": "Look what they return: no practical asks for so much. Grade it again if the machine was very busy.",
}


def grade_one(launcher: Launcher, given: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Grade a submission.

    Args:
        launcher: starts the processes.
        given: ``plan`` as JSON, the submission's ``content`` in base64, the ``seed`` of its cases, ``files`` that
            lie beside it, and ``cell_seconds``.
        limits: what the students' processes may use.

    Returns:
        ``reason`` and ``remedy`` of a quarantine, or what `judge` returns, with ``notes``, ``added`` and ``pending``
        of `parse`; how the cells ended in ``statuses``; and what the runs took: ``ended``, ``waited``, ``seconds``,
        ``cpu_seconds``, ``peak_memory``.

    Raises:
        LaunchError: a process could not be started.
    """
    common = {"plan": given["plan"], "seed": given["seed"]}
    read = _work(launcher, "read", {**common, "content": given["content"]}, SECONDS_TO_READ)
    if read is None:
        return dict(TAKES_TOO_MUCH)
    if "steps" not in read:
        return read
    end = time.monotonic() + limits.seconds
    steps = [Step(**step) for step in read["steps"]]
    questions = [Question(**question) for question in read["questions"]]
    shown_task = Task(steps, files=given["files"], step_seconds=given["cell_seconds"])
    shown = run_task(launcher, shown_task, limits, end)
    asked_task = replace(shown_task, questions=questions, forbidden=read["forbidden"])
    asked = _ask(launcher, asked_task, limits, end, {step.cell for step in shown.steps if step.status == "unfinished"})
    wanted = {"notebook": read["notebook"], "shown": shown.to_json(), "asked": asked.to_json()}
    judged = _work(launcher, "judge", {**common, **wanted}, SECONDS_TO_JUDGE)
    if judged is None:
        return dict(ANSWERS_TOO_LARGE)
    return {
        **judged,
        **{key: read.get(key, otherwise) for key, otherwise in (("notes", []), ("added", []), ("pending", ""))},
        "statuses": [[a.cell, _both(a, b)] for a, b in zip(shown.steps, asked.steps, strict=True)],
        "ended": shown.ended or asked.ended,
        "waited": shown.waited or asked.waited,
        "seconds": shown.seconds + asked.seconds,
        "cpu_seconds": shown.cpu_seconds + asked.cpu_seconds,
        "peak_memory": max(shown.peak_memory, asked.peak_memory),
    }


def _ask(launcher: Launcher, task: Task, limits: Limits, end: float, without: set[str]) -> RunResult:
    """Run the cells and ask, again without the cell or the question that ended the process, if one did."""
    whole = RunResult([StepResult(step.cell) for step in task.steps])
    for _ in range(MAX_RUNS):
        left = [question for question in task.questions if question.test not in whole.asked]
        steps = [step for step in task.steps if step.cell not in without]
        run = run_task(launcher, replace(task, steps=steps, questions=left), limits, end)
        results = {step.cell: step for step in run.steps}
        whole.steps = [results.get(step.cell, StepResult(step.cell, "skipped")) for step in task.steps]
        whole.asked |= {test: each for test, each in run.asked.items() if each.status != "not run"}
        whole.ended = whole.ended or run.ended
        whole.waited = whole.waited or run.waited
        whole.seconds += run.seconds
        whole.cpu_seconds += run.cpu_seconds
        whole.peak_memory = max(whole.peak_memory, run.peak_memory)
        culprits = {step.cell for step in run.steps if step.status == "unfinished"}
        without |= culprits
        asking = any(each.status == "unfinished" for each in run.asked.values())
        if not run.ended or run.ended == ExitReason.RUN_TIME or not (culprits or asking):
            break
    whole.asked = {**run.asked, **whole.asked}
    return whole


def _work(launcher: Launcher, job: str, given: dict[str, Any], seconds: float) -> dict[str, Any] | None:
    """Let a clean process do a job; None if that takes more than it may.

    Raises:
        LaunchError: the job failed, for which a submission is not to blame.
    """
    talk = Channel(launcher.start_clean(job), max_items=math.inf)  # a graded notebook may hold long outputs
    try:
        talk.send(given)
        result = talk.receive(seconds)
    except MessageLimitExceeded:
        return None
    finally:
        launcher.stop(0.0)
        talk.close()
    if result and (failed := result.get("failed")):
        raise LaunchError(f"a submission could not be worked on: {failed}.")
    return result or None


def _both(shown: StepResult, asked: StepResult) -> str:
    """Say how a cell ended, in both runs if that differs."""
    return shown.status if shown.status == asked.status else f"{shown.status}, then {asked.status}"
