"""Run the cells of a submission in a student's process, ask it questions, and end whatever is left of it."""

import json
import time
from dataclasses import dataclass
from typing import Any

from ee559_sandbox import Limits

from ee559_course.grading.run.channel import Channel, MessageLimitExceeded, clean_output, clean_text
from ee559_course.grading.run.launcher import Launcher, LaunchError
from ee559_course.grading.run.task import Answer, Asked, ExitReason, Output, Question, RunResult, Step, StepResult, Task

SECONDS_TO_BEGIN = 60.0
SECONDS_TO_GIVE_WAY = 3.0
SECONDS_TO_END = 1.0  # from the end of its pipe to the end of the process
SECONDS_BETWEEN_LOOKS = 0.25
MAX_SHOWN = 32_000_000  # characters; the process has limits of its own, which its code could get round
MAX_OUTPUTS = 3_000  # of a step
EXCEEDED = {"file_bytes": ExitReason.DISK, "files": ExitReason.DISK, "memory_bytes": ExitReason.MEMORY}
LAST_LINE = 100_000
KILLED = "its process was ended"


@dataclass
class _Ended(Exception):
    """The process was ended, or ended itself."""

    why: ExitReason


def run_task(launcher: Launcher, task: Task, limits: Limits, end: float = float("inf")) -> RunResult:
    """Run all steps of a submission, one after the other, and ask all questions.

    Args:
        launcher: starts the process.
        task: the steps and questions.
        limits: what the process may use.
        end: moment of `time.monotonic` at which it is ended.

    Raises:
        LaunchError: the process could not be started.
    """
    return _Run(launcher, task, limits, end).go()


class _Run:
    def __init__(self, launcher: Launcher, task: Task, limits: Limits, end: float) -> None:
        self._launcher, self._task, self._limits, self._end = launcher, task, limits, end
        asked = {question.test: Asked() for question in task.questions}
        self._result = RunResult([StepResult(step.cell) for step in task.steps], asked)
        self._shown = 0

    def go(self) -> RunResult:
        """Start the process, do the steps, ask the questions, stop it."""
        started = time.monotonic()
        self._talk = Channel(self._launcher.start(programs=self._task.forbidden is None))
        try:
            self._begin()
            for step, result in zip(self._task.steps, self._result.steps, strict=True):
                self._do(step, result)
            for question in self._task.questions:
                self._ask(question, self._result.asked[question.test])
        except _Ended as error:
            self._result.ended = error.why
        except MessageLimitExceeded:
            self._result.ended = ExitReason.OUTPUT
        finally:
            patience = SECONDS_TO_END if self._result.ended == ExitReason.ITSELF else 0.0
            ended, out_of_memory = self._launcher.stop(patience)
            self._talk.close()
        status = None if ended.killed else ended.status
        if self._result.ended == ExitReason.ITSELF and status is not None and status < 0:
            self._result.ended = ExitReason.MEMORY if out_of_memory else f"{ExitReason.SIGNAL} {-status}"
        self._result.seconds = time.monotonic() - started
        self._result.cpu_seconds = max(ended.cpu_seconds, self._result.cpu_seconds)
        self._result.peak_memory = max(ended.peak_bytes, self._result.peak_memory)
        return self._result

    def _begin(self) -> None:
        self._talk.send({"begin": self._task.forbidden})
        said = self._talk.receive(SECONDS_TO_BEGIN) or {}
        if said.get("ready") is not True:
            raise LaunchError(f"a student's process did not start: {said.get('failed', 'it says nothing')}.")
        for name, text in self._task.files.items():
            self._talk.send({"file": name, "text": text})

    def _do(self, step: Step, result: StepResult) -> None:
        result.status = "unfinished"
        run = {"run": step.source, "stubs": list(step.stubs)}
        done, in_time = self._exchange(run, time.monotonic() + self._task.step_seconds, result.outputs)
        result.error = _read_error(done.get("error"))
        result.status = "interrupted" if not in_time else "ok" if done["done"] == "ok" else "error"

    def _ask(self, question: Question, result: Asked) -> None:
        """Ask a question; one whose answers are timed is asked case by case, each in a fork of its own."""
        result.status = "unfinished"
        deadline = time.monotonic() + self._task.step_seconds
        wanted = {"asks": question.asks, "answer": question.answer, "fresh": question.timed}
        for cases in [[case] for case in question.cases] if question.timed else [question.cases]:
            before = self._launcher.usage().cpu_seconds if question.timed else 0.0
            events: list[dict[str, Any]] = []
            done, in_time = self._exchange({"ask": {**wanted, "cases": cases}}, deadline, [], events)
            used = self._launcher.usage().cpu_seconds - before if question.timed else 0.0
            result.answers += [_read_answer(event, used) for event in events[: len(cases)]]
            result.at = next((place for event in events if (place := self._place(event.get("at")))), None)
            if done["done"] != "ok":
                result.answers.append(Answer(error=("", f"{KILLED}{_how(done.get('status'))}"), seconds=used))
            if not in_time:
                result.status = "interrupted"
                return
            if any(answer.error for answer in result.answers):
                result.status = "error"
                return
        result.status = "ok"

    def _exchange(
        self,
        command: dict[str, Any],
        deadline: float,
        outputs: list[Output],
        events: list[Any] | None = None,
    ) -> tuple[dict[str, Any], bool]:
        """Send a command and wait for its end; return that, and whether it came in time."""
        self._talk.send(command)
        in_time, looked, used = True, time.monotonic(), self._result.cpu_seconds
        while True:
            event = self._talk.receive(SECONDS_BETWEEN_LOOKS)
            now = time.monotonic()
            if event is not None and isinstance(event.get("done"), str):
                return event, in_time
            if event is not None and "show" in event:
                self._show(outputs, clean_output(event["show"]))
            elif event and events is not None:
                events.append(event)
            if self._talk.over:
                raise _Ended(ExitReason.ITSELF)
            if now - looked >= SECONDS_BETWEEN_LOOKS:
                looked = now
                self._look()
            if now > self._end:
                raise _Ended(ExitReason.RUN_TIME)
            if now > deadline:
                if not in_time:
                    raise _Ended(ExitReason.CELL_TIME)
                self._look()
                self._result.waited = self._result.cpu_seconds - used < self._task.step_seconds / 2
                self._launcher.interrupt()
                in_time, deadline = False, now + SECONDS_TO_GIVE_WAY

    def _place(self, claimed: Any) -> tuple[str, int] | None:
        """Read in which cell and line an error is said to have arisen."""
        match claimed:
            case [int(cell), int(line)] if 0 <= cell < len(self._task.steps) and 0 < line < LAST_LINE:
                return self._task.steps[cell].cell, line
        return None

    def _show(self, outputs: list[Output], output: Output | None) -> None:
        """Keep an output, while there is room for it."""
        if output is None or len(outputs) >= MAX_OUTPUTS:
            return
        self._shown += len(json.dumps(output))
        if self._shown <= MAX_SHOWN:
            _add(outputs, output)

    def _look(self) -> None:
        """End the process if it uses more than it may."""
        usage = self._launcher.usage()
        self._result.cpu_seconds = max(self._result.cpu_seconds, usage.cpu_seconds)
        self._result.peak_memory = max(self._result.peak_memory, usage.memory_bytes)
        if usage.cpu_seconds > self._limits.cpu_seconds:
            raise _Ended(ExitReason.CPU_TIME)
        if exceeded := usage.exceeded(self._limits):
            raise _Ended(EXCEEDED[exceeded])


def _read_answer(event: dict[str, Any], seconds: float) -> Answer:
    if "answer" in event:
        return Answer(event["answer"], seconds=seconds)
    return Answer(error=_read_error(event.get("error")) or ("", ""), seconds=seconds)


def _read_error(claimed: Any) -> tuple[str, str] | None:
    match claimed:
        case [str(name), str(text)]:
            return clean_text(name)[:200], clean_text(text)[:2000]
    return None


def _how(status: Any) -> str:
    return f" by signal {-status}" if type(status) is int and -65 < status < 0 else ""


def _add(outputs: list[Output], output: Output) -> None:
    """Add an output, to the one before it if both are of one stream."""
    last = outputs[-1] if outputs else {}
    if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
        last["text"] += output["text"]
    else:
        outputs.append(output)
