"""The student's side: runs the cells that come through one pipe, and answers through another.

Nothing here is trusted once a student's code has run: whatever leaves by the pipe is a claim, which the grader judges
by its value. The messages are lines of JSON. In: ``begin``, a ``file`` to write, ``run`` a cell, ``ask`` a question.
Out: ``ready``, ``show`` an output, an ``answer`` or ``error`` for each case, ``done`` with a cell or a question.
"""

import contextlib
import functools
import inspect
import json
import os
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from ee559.practicals.forbidding import Forbidden, forbid
from torch.utils.data import DataLoader

from ee559_course.grading.run.answering import Answerer, TorchSnapshot, described
from ee559_course.grading.run.error_location import ErrorLocator
from ee559_course.grading.run.shell import MAX_STREAM, NotebookShell, OutputCapture, make_shell, run_cell, run_rest

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

    forbidden = json.loads(commands.readline())["begin"]
    quiet = forbidden is not None
    printed = _use_streams_of_its_own(scratch / PRINTED, quiet)
    _do_as_when_graded()
    before = TorchSnapshot()
    if quiet:
        forbid(Forbidden(tuple(forbidden["operators"]), forbidden["autograd"], tuple(forbidden["functions"]))).keep()
    random.seed()
    np.random.seed()
    sys.path.insert(0, "")  # as in Jupyter: a module that lies beside the notebook, or that a cell writes
    shell = make_shell(quiet)
    shell.screen = OutputCapture((lambda output: None) if quiet else (lambda output: tell(show=output)))
    places = ErrorLocator(shell)
    answerer = Answerer(before, shell.user_ns, tell, places.of, shell.screen.stream("stdout"))
    interrupt = _Interrupt(answerer)
    tell(ready=True)
    own, number = os.getpid(), 0
    for line in commands:
        command = json.loads(line)
        if "file" in command:
            (scratch / Path(command["file"]).name).write_text(command["text"], encoding="utf-8")
            continue
        interrupt.listen()
        if "ask" in command:
            tell(**answerer.ask(command["ask"]))
            continue
        shell.screen.begin()
        done: dict[str, Any] = {"done": "error"}
        with contextlib.suppress(BaseException), interrupt.allowed():  # Ctrl+C when the code had just ended, perhaps
            done = _run(shell, command["run"], command.get("stubs", ()))
        if os.getpid() != own:  # a copy that the notebook forked, and that came out of its cell
            os._exit(0)
        places.ran(number)
        number += 1
        if printed is not None:
            shell.screen.write("stdout", os.read(printed, MAX_STREAM).decode(errors="replace"))
        shell.screen.flush()
        tell(**done)
    answerer.end()


def _run(shell: NotebookShell, source: str, stubs: Sequence[str]) -> dict[str, Any]:
    answers = {name: shell.user_ns[name] for name in stubs if name in shell.user_ns}  # in cells of the student's own
    error = run_cell(shell, source)
    if shell.quiet and isinstance(error, Exception):
        run_rest(shell, source, error)
    shell.user_ns.update(answers)
    return {"done": "ok"} if error is None else {"done": "error", "error": described(error)}


class _Interrupt:
    """Lets Ctrl+C through while a student's code runs, here or in the fork that answers, and at no other time."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer, self._allowed = answerer, False

    def listen(self) -> None:
        """Listen to Ctrl+C, whatever the code before has done about it."""
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
        self._answerer.interrupt()


def _do_as_when_graded() -> None:
    """Let ``torch.compile`` do nothing, for it needs a compiler, and data loaders work in this process alone."""

    def compile(model: Any = None, **options: Any) -> Any:
        return model if model is not None else lambda function: function

    torch.compile = compile
    torch.nn.Module.compile = lambda self, *arguments, **options: None  # type: ignore[method-assign]
    whole = DataLoader.__init__
    alone = {"num_workers": 0, "prefetch_factor": None, "persistent_workers": False, "multiprocessing_context": None}
    signature = inspect.signature(whole)

    @functools.wraps(whole)
    def init(self: Any, *arguments: Any, **options: Any) -> None:
        bound = signature.bind(self, *arguments, **options)
        if bound.arguments.get("num_workers"):
            bound.arguments |= {**alone, "timeout": 0}
        whole(*bound.args, **bound.kwargs)

    DataLoader.__init__ = init  # type: ignore[method-assign]


def _use_streams_of_its_own(path: Path, quiet: bool) -> int | None:
    """Let what is printed below Python go to a file, and return where that can be read; there is no input."""
    nothing = os.open(os.devnull, os.O_RDWR)
    printed = nothing if quiet else os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(source, target)
    for each in {nothing, printed} - {0, 1, 2}:
        os.close(each)
    return None if quiet else os.open(path, os.O_RDONLY)


def main() -> None:
    """Serve through stdin and stdout: for systems that cannot fork. The argument is the scratch folder."""
    with os.fdopen(os.dup(0), "rb") as commands, os.fdopen(os.dup(1), "wb") as events:
        serve(commands, events, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
