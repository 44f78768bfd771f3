"""How a student's process answers questions, when all cells have been run: in a fork, as if it had just begun.

The fork has no thread but its own, and what the notebook changed of torch and Python is as it was: so nothing that goes
on beside a question, or was put into what it is asked with, can take its work over. If the fork ends, the next question
gets another.
"""

import builtins
import json
import math
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
import torch
from ee559.practicals import asking, wire
from ee559.practicals.asking import as_graded, define, question_names
from ee559.practicals.wire import pack, unpack
from torch import nn
from torch.nn import functional

MAX_NAME, MAX_TEXT = 200, 2000
Tell = Callable[..., None]
Place = Callable[[BaseException], list[int] | None]


class TorchSnapshot:
    """What questions rely on, as it is now."""

    def __init__(self) -> None:
        classes = (each for each in vars(nn).values() if isinstance(each, type))
        holders = (
            sys.modules[__name__],
            asking,
            builtins,
            functional,
            json,
            math,
            nn,
            torch,
            torch.autograd,
            torch.random,
            wire,
            torch.Tensor,
        )
        self._kept = [(holder, dict(vars(holder))) for holder in (*holders, *dict.fromkeys(classes))]
        self.names = question_names()

    def restore(self) -> None:
        """Make it so again; what was added stays."""
        for holder, kept in self._kept:
            now = vars(holder)
            for name, value in kept.items():
                if now.get(name) is not value:
                    _put_back(holder, name, value)
        _end_modes()


def _put_back(holder: object, name: str, value: object) -> None:
    try:
        setattr(holder, name, value)
    except (AttributeError, TypeError):  # such as a class's __dict__
        return


def _end_modes() -> None:
    """Leave what `torch.set_default_device` and its like have entered."""
    while torch._C._len_torch_function_stack():
        torch._C._pop_torch_function_stack()
    while torch._C._len_torch_dispatch_stack():
        torch._C._pop_torch_dispatch_stack(None)


class Answerer:
    """Hands questions on to a fork of this process.

    Args:
        before: as it was before the first cell.
        namespace: the notebook's.
        tell: sends an event; it is called in the fork.
        place: finds the cell, and the line in it, in which an error arose.
        quiet: takes what is printed.
    """

    def __init__(
        self, before: TorchSnapshot, namespace: Mapping[str, Any], tell: Tell, place: Place, quiet: Any
    ) -> None:
        self._before, self._namespace, self._tell, self._place, self._quiet = before, namespace, tell, place, quiet
        self._child = 0

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Let a fork tell an ``answer`` for each case; return how it ended.

        Args:
            question: ``asks``, ``answer`` and ``cases``, and ``fresh`` if the fork is to be new and of no more use.
        """
        self._before.restore()
        if question["fresh"]:
            self.end()
        if not self._child:
            self._fork()
        self._questions.write(json.dumps(question).encode() + b"\n")
        self._questions.flush()
        done = self._ends.read(1)
        if done and not question["fresh"]:
            return {"done": "ok"}
        status = self.end()
        return {"done": "ok"} if done else {"done": "died", "status": status}

    def interrupt(self) -> None:
        """Send the fork Ctrl+C."""
        if self._child:
            os.kill(self._child, signal.SIGINT)

    def end(self) -> int:
        """End the fork; return its exit status."""
        if not self._child:
            return 0
        self._questions.close()
        self._ends.close()
        child, self._child = self._child, 0
        try:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except ChildProcessError:  # the notebook has seen to it that nobody waits for children
            return 0

    def _fork(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else nobody adds up the time of the fork's children
        theirs, questions = os.pipe()
        ends, done = os.pipe()
        self._child = os.fork()
        if self._child:
            os.close(theirs)
            os.close(done)
            self._questions, self._ends = os.fdopen(questions, "wb"), os.fdopen(ends, "rb", buffering=0)
            return
        try:
            os.close(questions)
            os.close(ends)
            with os.fdopen(theirs, "rb") as given:
                self._serve(given, done)
        finally:
            os._exit(0)

    def _serve(self, questions: BinaryIO, done: int) -> None:
        own = os.getpid()
        sys.stdout = sys.stderr = self._quiet
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for line in questions:
            question = json.loads(line)
            if question["fresh"]:  # it is timed, and no other process is to do its work
                import resource  # where there is fork, there is this

                resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
            for case in question["cases"]:
                answer = self._answer(question, case)
                if os.getpid() != own:  # a copy that the answer forked, and that came out of it
                    os._exit(0)
                self._tell(**answer)
                if "error" in answer:
                    break
            os.write(done, b".")

    def _answer(self, question: dict[str, Any], case: Any) -> dict[str, Any]:
        """Try the notebook's answer on one case."""
        self._before.restore()
        random.seed(0)
        np.random.seed(0)
        torch.set_num_threads(1)
        try:
            name = question["asks"]
            if name not in self._namespace:
                raise NameError(f"name '{name}' is not defined")
            given: Any = unpack(case)
            answer = define(question["answer"], self._before.names)
            with torch.inference_mode(False), as_graded():
                signal.signal(signal.SIGINT, signal.default_int_handler)
                actual = answer(self._namespace[name], **given)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            return {"answer": pack(actual)}
        except BaseException as error:  # whatever a student's code raises is what came
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return {"error": described(error), "at": self._place(error)}


def described(error: BaseException | None) -> list[str]:
    """Return name and text of an error."""
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:  # an error of the student's own may do anything
        text = ""
    return [type(error).__name__[:MAX_NAME], text]
