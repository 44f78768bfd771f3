"""Run one submission in a student's process, within its limits, and end whatever is left of it."""

import json
import time
from dataclasses import dataclass
from typing import Any

from ee559_course.grading.confinement import Limits
from ee559_course.grading.run.conversation import Conversation, TalkedTooMuch, clean_output, clean_text
from ee559_course.grading.run.host import Host, HostError
from ee559_course.grading.run.task import Answer, Output, RunResult, Status, Step, StepResult, Task

SECONDS_TO_BEGIN = 60.0
SECONDS_TO_GIVE_WAY = 3.0
SECONDS_TO_END = 1.0  # from the end of its pipe to the end of the process
SECONDS_BETWEEN_LOOKS = 0.25
MOST_SHOWN = 32_000_000  # characters; the process has limits of its own, which its code could get round
MOST_OUTPUTS = 3_000  # of a step
ENDED = {"file_bytes": "disk", "files": "disk", "memory_bytes": "memory"}


@dataclass
class _Ended(Exception):
    """The process was ended, or ended itself."""

    why: str


def run_task(host: Host, task: Task, limits: Limits) -> RunResult:
    """Run all steps of a submission, one after the other.

    Args:
        host: starts the process.
        task: the steps.
        limits: what the process may use.

    Raises:
        HostError: the process could not be started.
    """
    return _Run(host, task, limits).go()


class _Run:
    def __init__(self, host: Host, task: Task, limits: Limits) -> None:
        self._host, self._task, self._limits = host, task, limits
        self._result = RunResult(task.key, [StepResult(step.cell) for step in task.steps])
        self._shown = 0

    def go(self) -> RunResult:
        """Start the process, do the steps, stop it."""
        started = time.monotonic()
        self._talk = Conversation(self._host.start())
        try:
            self._begin()
            for step, result in zip(self._task.steps, self._result.steps, strict=True):
                self._do(step, result)
        except _Ended as error:
            self._result.ended = error.why
        except TalkedTooMuch:
            self._result.ended = "output"
        finally:
            ended, out_of_memory = self._host.stop(SECONDS_TO_END if self._result.ended == "itself" else 0.0)
            self._talk.close()
        if self._result.ended == "itself" and not ended.killed and ended.status is not None and ended.status < 0:
            self._result.ended = "memory" if out_of_memory else f"signal {-ended.status}"
        self._result.seconds = time.monotonic() - started
        self._result.cpu_seconds = max(ended.cpu_seconds, self._result.cpu_seconds)
        self._result.peak_memory = max(ended.peak_bytes, self._result.peak_memory)
        return self._result

    def _begin(self) -> None:
        said = self._talk.hear(SECONDS_TO_BEGIN) or {}
        if said.get("ready") is not True:
            raise HostError(f"a student's process did not start: {said.get('failed', 'it says nothing')}.")
        for name, text in self._task.files.items():
            self._talk.say({"file": name, "text": text})

    def _do(self, step: Step, result: StepResult) -> None:
        result.status = "unfinished"
        status: Status = "ok"
        commands: list[dict[str, Any]] = [{"run": step.source}]
        if step.cases is not None:
            commands = [{"ask": step.source, "case": case} for case in step.cases]
        deadline = time.monotonic() + self._task.step_seconds
        for command in commands:
            before = self._host.usage().cpu_seconds if step.timed else 0.0
            done, in_time = self._exchange(command, deadline, result.outputs)
            if step.cases is not None:
                used = self._host.usage().cpu_seconds - before if step.timed else 0.0
                result.answers.append(_read_answer(done, used))
            if not in_time:
                status = "interrupted"
                break
            if done["done"] != "ok":
                status = "error"
                break
        result.status = status

    def _exchange(self, command: dict[str, Any], deadline: float, outputs: list[Output]) -> tuple[dict[str, Any], bool]:
        """Send a command and wait for its end; return that, and whether it came in time."""
        self._talk.say(command)
        in_time, looked, used = True, time.monotonic(), self._result.cpu_seconds
        while True:
            event = self._talk.hear(SECONDS_BETWEEN_LOOKS)
            now = time.monotonic()
            if event is not None and isinstance(event.get("done"), str):
                return event, in_time
            if event is not None:
                self._show(outputs, clean_output(event.get("show")))
            if self._talk.over:
                raise _Ended("itself")
            if now - looked >= SECONDS_BETWEEN_LOOKS:
                looked = now
                self._look()
            if now > deadline:
                if not in_time:
                    raise _Ended("time")
                self._look()
                self._result.waited = self._result.cpu_seconds - used < self._task.step_seconds / 2
                self._host.interrupt()
                in_time, deadline = False, now + SECONDS_TO_GIVE_WAY

    def _show(self, outputs: list[Output], output: Output | None) -> None:
        """Keep an output, while there is room for it."""
        if output is None or len(outputs) >= MOST_OUTPUTS:
            return
        self._shown += len(json.dumps(output))
        if self._shown <= MOST_SHOWN:
            _add(outputs, output)

    def _look(self) -> None:
        """End the process if it uses more than it may."""
        usage = self._host.usage()
        self._result.cpu_seconds = max(self._result.cpu_seconds, usage.cpu_seconds)
        self._result.peak_memory = max(self._result.peak_memory, usage.memory_bytes)
        if usage.cpu_seconds > self._limits.cpu_seconds:
            raise _Ended("processor time")
        if exceeded := usage.exceeded(self._limits):
            raise _Ended(ENDED[exceeded])


def _read_answer(done: dict[str, Any], seconds: float) -> Answer:
    match done:
        case {"done": "ok", "value": value}:
            return Answer(value=value, seconds=seconds)
        case {"error": [str(name), str(text)]}:
            return Answer(error=(clean_text(name), clean_text(text)), seconds=seconds)
    return Answer(error=("", ""), seconds=seconds)


def _add(outputs: list[Output], output: Output) -> None:
    """Add an output, to the one before it if both are of one stream."""
    last = outputs[-1] if outputs else {}
    if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
        last["text"] += output["text"]
    else:
        outputs.append(output)
