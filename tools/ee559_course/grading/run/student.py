"""The student's side: runs the cells that come through one pipe, and answers through another.

Nothing here is trusted once a student's code has run: whatever leaves by the pipe is a claim, which the grader judges
by its value. The messages are lines of JSON. In: a ``file`` to write, ``run`` a cell, ``ask`` one case of a question.
Out: ``show`` an output, ``done`` with a cell or a case.
"""

import json
import os
import random
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from ee559.practicals.wire import pack, unpack

from ee559_course.grading.run.shell import LARGEST_STREAM, NotebookShell, Screen, make_shell, run_cell

PRINTED = "printed.txt"  # what is printed below Python, by programs that the student's code starts


def serve(commands: BinaryIO, events: BinaryIO, scratch: Path) -> None:
    """Do what the commands say until they end.

    Args:
        commands: lines of JSON.
        events: takes lines of JSON.
        scratch: the folder that is the process's own.
    """

    def tell(**event: Any) -> None:
        events.write(json.dumps(event).encode() + b"\n")
        events.flush()

    interrupt = _Interrupt()
    printed = _use_streams_of_its_own(scratch / PRINTED)
    random.seed()
    np.random.seed()
    shell = make_shell()
    shell.screen = Screen(lambda output: tell(show=output))
    asked: dict[str, Callable[..., object]] = {}
    tell(ready=True)
    for line in commands:
        command = json.loads(line)
        if "file" in command:
            (scratch / Path(command["file"]).name).write_text(command["text"], encoding="utf-8")
            continue
        shell.screen.begin()
        done: dict[str, Any] = {"done": "error"}
        try:
            with interrupt.allowed():
                match command:
                    case {"run": str(source)}:
                        done = {"done": "ok" if run_cell(shell, source) else "error"}
                    case {"ask": str(source), "case": case}:
                        done = _answer(shell, source, case, asked)
        except BaseException:  # Ctrl+C when the code had just ended, or an error that cannot be shown
            pass
        shell.screen.write("stdout", os.read(printed, LARGEST_STREAM).decode(errors="replace"))
        shell.screen.flush()
        tell(**done)


class _Interrupt:
    """Lets Ctrl+C through while a student's code runs, and at no other time."""

    def __init__(self) -> None:
        self._allowed = False
        signal.signal(signal.SIGINT, self._handle)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        self._allowed = True
        try:
            yield
        finally:
            self._allowed = False

    def _handle(self, number: int, frame: object) -> None:
        if self._allowed:
            raise KeyboardInterrupt


def _use_streams_of_its_own(path: Path) -> int:
    """Let what is printed below Python go to a file, and return where that can be read; there is no input."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    printed = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(printed)
    return os.open(path, os.O_RDONLY)


def _answer(shell: NotebookShell, source: str, case: Any, asked: dict[str, Callable[..., object]]) -> dict[str, Any]:
    """Call a question with a case, in the student's namespace; what it prints is shown."""
    before = sys.stdout, sys.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            sys.stdout = sys.stderr = shell.screen.stream("stdout")
            if source not in asked:
                asked[source] = _function(source, shell.user_ns)
            given: Any = unpack(case)
            return {"done": "ok", "value": pack(asked[source](**given))}
        except BaseException as error:  # whatever a student's code raises is what came
            return {"done": "error", "error": [type(error).__name__[:200], _text_of(error)]}
        finally:
            sys.stdout, sys.stderr = before


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except BaseException:  # an error of the student's own may do anything
        return ""


def _function(source: str, namespace: dict[str, Any]) -> Callable[..., object]:
    """Define a function whose global names are those of a namespace, without adding its own name to it."""
    defined: dict[str, Any] = {}
    exec(compile(source, "<question>", "exec"), defined)
    made = next(value for value in defined.values() if isinstance(value, types.FunctionType))
    return types.FunctionType(made.__code__, namespace, made.__name__, made.__defaults__)


def main() -> None:
    """Serve through stdin and stdout: for systems that cannot fork. The argument is the scratch folder."""
    with os.fdopen(os.dup(0), "rb") as commands, os.fdopen(os.dup(1), "wb") as events:
        serve(commands, events, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
