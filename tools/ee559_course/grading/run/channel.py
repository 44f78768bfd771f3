"""Talk to a student's process, which may say anything, be silent or not listen: nothing of that holds the grader up."""

import contextlib
import json
import os
import queue
import threading
from typing import Any

from ee559_course.grading.run.launcher import Pipes
from ee559_course.grading.run.task import Output

MAX_EVENT = 64_000_000  # bytes
MAX_BYTES = 256_000_000  # of all events of a submission
MAX_EVENTS = 100_000
MAX_ITEMS = 8_000_000  # in an event of a student's process: each takes many times its bytes once it is read
SHOWN = {"text/plain", "text/markdown", "text/latex", "text/html", "image/png", "image/jpeg", "image/svg+xml"}
MAX_NAME = 200


class MessageLimitExceeded(Exception):
    """More came than a submission may say."""


class Channel:
    """The two pipes of a student's process, each with a thread that waits for it.

    Args:
        pipes: the grader's ends.
        max_items: how many brackets and commas one event may have.
    """

    def __init__(self, pipes: Pipes, max_items: float = MAX_ITEMS) -> None:
        self._max_items = max_items
        self._commands: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._write, args=(pipes,), daemon=True),
            threading.Thread(target=self._read, args=(pipes,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.over = False

    def send(self, command: dict[str, Any]) -> None:
        """Send a command, whenever the process reads it."""
        self._commands.put(json.dumps(command).encode() + b"\n")

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """Wait for an event; None if none came in time, or if the process will say nothing more (`over`).

        Raises:
            MessageLimitExceeded: an event or all together are too long.
        """
        try:
            actual = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(actual, Exception):
            raise actual
        self.over = actual is None
        return _read_event(actual) if actual is not None else None

    def close(self) -> None:
        """Let the pipes go, once the process and its children are dead."""
        self._commands.put(None)
        for thread in self._threads:
            thread.join(timeout=10)

    def _write(self, pipes: Pipes) -> None:
        with contextlib.suppress(OSError), pipes.commands as pipe:  # it may read no more
            while (command := self._commands.get()) is not None:
                pipe.write(command)
                pipe.flush()

    def _read(self, pipes: Pipes) -> None:
        """Take apart what comes into lines, until it ends or is too much."""
        line, total, number = bytearray(), 0, 0
        with pipes.events as pipe:
            while actual := os.read(pipe.fileno(), 1_000_000):
                total += len(actual)
                *whole, rest = actual.split(b"\n")
                number += len(whole)
                if number > MAX_EVENTS:
                    self._events.put(MessageLimitExceeded())
                    return
                for part in whole:
                    event = bytes(line) + part
                    if sum(map(event.count, (b"{", b"[", b","))) > self._max_items:
                        self._events.put(MessageLimitExceeded())
                        return
                    self._events.put(event)
                    line.clear()
                line += rest
                if total > MAX_BYTES or len(line) > MAX_EVENT:
                    self._events.put(MessageLimitExceeded())
                    return
        self._events.put(None)


def _read_event(line: bytes) -> dict[str, Any]:
    """Read one line; what is no event becomes an empty one."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def clean_text(text: str) -> str:
    """Return a text that can be written: half characters are replaced."""
    return text.encode(errors="replace").decode()


def clean_output(output: Any) -> Output | None:
    """Return an output with nothing but what a notebook may keep; None for what is none."""
    match output:
        case {"output_type": "stream", "name": "stdout" | "stderr" as name, "text": str(text)}:
            return {"output_type": "stream", "name": name, "text": clean_text(text)}
        case {"output_type": "error", "ename": str(ename), "evalue": str(evalue), "traceback": list(lines)}:
            return {
                "output_type": "error",
                "ename": clean_text(ename)[:MAX_NAME],
                "evalue": clean_text(evalue),
                "traceback": [clean_text(line) for line in lines if isinstance(line, str)],
            }
        case {"output_type": "display_data" | "execute_result" as kind, "data": dict(data)}:
            shown = {mime: clean_text(text) for mime, text in data.items() if mime in SHOWN and isinstance(text, str)}
            cleaned: Output = {"output_type": kind, "data": shown, "metadata": {}}
            if kind == "execute_result":
                cleaned["execution_count"] = None
            return cleaned if shown else None
    return None
