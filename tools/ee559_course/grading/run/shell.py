"""An IPython shell without terminal and kernel: it runs cells and hands on what they show, as a notebook keeps it."""

import ast
import contextlib
import io
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput
from IPython.utils.text import SList
from matplotlib_inline.backend_inline import configure_inline_support
from traitlets import Type
from traitlets.config import Config

from ee559_course.grading.run.task import Output

MAX_STREAM = 1_000_000  # characters that one cell may print
MAX_DATA = 8_000_000  # characters of all that one cell may show in other ways
MAX_OUTPUTS = 2_000
WAITING_TEXT = 4_000
CUT = "\n… the rest of the output is cut.\n"

Show = Callable[[Output], None]


class OutputCapture:
    """Where a cell's outputs go, up to a limit for each cell.

    Args:
        show: takes each output.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self.begin()

    def begin(self) -> None:
        """Begin a new cell, with the whole limit before it."""
        self._stream, self._data, self._outputs = MAX_STREAM, MAX_DATA, MAX_OUTPUTS
        self._waiting: tuple[str, str] = ("", "")

    def write(self, name: str, text: str) -> None:
        """Show text on a stream, ``stdout`` or ``stderr``; short texts wait for more."""
        if not text or self._stream <= 0:
            return
        kept = text[: self._stream]
        self._stream -= len(kept)
        if self._waiting[0] != name:
            self.flush()
        self._waiting = (name, self._waiting[1] + kept + ("" if self._stream > 0 else CUT))
        if len(self._waiting[1]) > WAITING_TEXT:
            self.flush()

    def flush(self) -> None:
        """Show the text that waits."""
        (name, text), self._waiting = self._waiting, ("", "")
        if text:
            self._show({"output_type": "stream", "name": name, "text": text})

    def stream(self, name: str) -> "_Stream":
        """Return an object to print to."""
        return _Stream(name, self)

    def put(self, output: Output) -> None:
        """Show anything else."""
        self.flush()
        size = sum(len(str(value)) for value in output.get("data", output).values())
        if size <= self._data and self._outputs > 0:
            self._data, self._outputs = self._data - size, self._outputs - 1
            self._show(output)
        elif self._outputs > 0:
            self._outputs = 0
            self._show({"output_type": "stream", "name": "stdout", "text": CUT})


class _Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of a cell."""

    encoding = "utf-8"

    def __init__(self, name: str, screen: OutputCapture) -> None:
        self._name, self._screen = name, screen

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, text: str) -> int:
        """Show text."""
        self._screen.write(self._name, str(text))
        return len(text)


class _Publisher(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, *arguments: Any, **options: Any) -> None:
        """Show data of any kind."""
        assert isinstance(self.shell, NotebookShell)
        if self.shell.catching is not None:
            self.shell.catching.append(RichOutput(data=data, metadata=metadata))
        else:
            self.shell.screen.put({"output_type": "display_data", "data": dict(data), "metadata": dict(metadata or {})})

    def clear_output(self, wait: bool = False) -> None:
        """Keep what was shown."""

    @property
    def is_publishing(self) -> bool:
        """Say that nothing is under way."""
        return False


class _Hook(DisplayHook):
    def write_output_prompt(self) -> None:
        """Write no prompt."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Show the value of the last line of a cell."""
        assert isinstance(self.shell, NotebookShell)
        self.shell.screen.put(
            {
                "output_type": "execute_result",
                "data": dict(format_dict),
                "metadata": dict(md_dict or {}),
                "execution_count": self.prompt_count,
            }
        )

    def finish_displayhook(self) -> None:
        """Write no line end."""


class NotebookShell(InteractiveShell):
    """Runs the cells of one notebook; `screen` takes what they show. In a `quiet` one, nothing is to be shown."""

    screen: OutputCapture
    quiet = False
    catching: list[RichOutput] | None = None
    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)

    def system(self, command: str) -> None:
        """Run ``!command`` without a terminal, and show what it prints; in a quiet shell, where none can, do not."""
        if self.quiet:
            self.user_ns["_exit_code"] = 1
            return
        done = subprocess.run(
            self.var_expand(command, depth=1),  # type: ignore[no-untyped-call]
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        print(done.stdout.decode(errors="replace"), end="")
        self.user_ns["_exit_code"] = done.returncode

    def getoutput(self, command: str, split: bool = True, depth: int = 0) -> Any:
        """Run ``x = !command``, with no output in a quiet shell."""
        return SList() if self.quiet else super().getoutput(command, split, depth + 1)  # type: ignore[no-untyped-call]

    def enable_gui(self, gui: object = None) -> None:
        """Accept what ``%matplotlib`` asks for; there is no window."""

    def ask_exit(self) -> None:
        """Go on: ``exit()`` in a notebook must not cost what comes after it."""

    def showtraceback(self, *arguments: Any, **options: Any) -> None:
        """Show an error, which takes long, where somebody is to see it."""
        if not self.quiet:
            super().showtraceback(*arguments, **options)

    def showsyntaxerror(self, *arguments: Any, **options: Any) -> None:
        """Show an error of syntax."""
        if not self.quiet:
            super().showsyntaxerror(*arguments, **options)  # type: ignore[no-untyped-call]

    def _showtraceback(self, etype: type[BaseException], evalue: object, stb: list[str]) -> None:
        self.screen.put(
            {"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
        )


def make_shell(quiet: bool = False) -> NotebookShell:
    """Make the shell of this process; it keeps no history on the disk, and plots go into the notebook, or nowhere."""
    matplotlib.use("agg" if quiet else "module://matplotlib_inline.backend_inline")
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    settings.InteractiveShell.autoawait = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shell: NotebookShell = NotebookShell.instance(config=settings)
        shell.quiet = quiet
        if not quiet:
            configure_inline_support(shell, "inline")
    return shell


def run_rest(shell: NotebookShell, source: str, error: BaseException) -> None:
    """Run what comes after the statement that a cell failed in, each statement by itself.

    What an answer needs may stand below a line that works at the student's and not where it is graded.

    Args:
        shell: that the cell was run in.
        source: of the cell.
        error: that it ended in; what failed before a statement was run has no rest.
    """
    with contextlib.suppress(Exception):
        statements = ast.parse(shell.transform_cell(source)).body  # type: ignore[no-untyped-call]
        frames = traceback.walk_tb(error.__traceback__)
        failed = next(line for frame, line in frames if frame.f_globals is shell.user_ns)
        for statement in statements:
            if statement.lineno > failed:
                with contextlib.suppress(Exception):
                    exec(compile(ast.Module([statement], []), "<rest of a cell>", "exec"), shell.user_ns)


def run_cell(shell: NotebookShell, source: str) -> BaseException | None:
    """Run a cell; return the error that it ends in, if it does."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = shell.screen.stream("stdout"), shell.screen.stream("stderr")
    try:
        result = shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        if shell.quiet and "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error
    finally:
        sys.stdout, sys.stderr = before
