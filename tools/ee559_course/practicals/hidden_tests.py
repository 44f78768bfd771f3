"""Read the hidden tests out of a practical's source: collected without being run, and what is asked as source."""

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator
from types import CodeType, FunctionType

from ee559.practicals.hidden import HiddenTest, collected
from nbformat import NotebookNode

PIECES = ("cases", "answer", "verdict")


class HiddenTestError(ValueError):
    """A cell has no hidden test of the form that a grader can take apart; the message says why."""


def hidden_test_of(cell: NotebookNode) -> HiddenTest:
    """Collect the hidden test of a cell: its function judge() runs, and no piece of the test does.

    Raises:
        HiddenTestError: the cell declares no test, several, or one in other pieces than `hidden_test` asks for.
    """
    namespace: dict[str, object] = {}
    exec(compile(ast.Module([_judge(cell)], []), str(cell.id), "exec"), namespace)
    judge = namespace["judge"]
    assert isinstance(judge, FunctionType)
    with collected() as tests:
        try:
            judge()
        except Exception as error:  # whatever an author's mistake raises
            raise HiddenTestError(f"judge() raised {type(error).__name__}: {error}") from error
    if len(tests) != 1:
        raise HiddenTestError(f"expected exactly one hidden_test(…) in judge(), got {len(tests)}.")
    for problem in _form_problems(tests[0]):
        raise HiddenTestError(problem)
    return tests[0]


def answer_source(cell: NotebookNode) -> str:
    """Return the source of what a cell's hidden test asks a student's process: its function answer.

    Raises:
        HiddenTestError: there is none.
    """
    return textwrap.dedent(_piece_source(cell, "answer"))


def private_lines(cell: NotebookNode) -> set[str]:
    """Return the lines of a cell's hidden test that never leave the grader's process: its cases and its verdict.

    Raises:
        HiddenTestError: there are none.
    """
    return {line.strip() for name in ("cases", "verdict") for line in _piece_source(cell, name).splitlines()}


def hidden_test_problems(cell: NotebookNode, written: Collection[str]) -> list[str]:
    """List why a grader cannot take a cell's hidden test apart.

    Args:
        cell: of a practical's source.
        written: names of what the students write.
    """
    try:
        test = hidden_test_of(cell)
    except HiddenTestError as error:
        return [str(error)]
    found = []
    for name, piece, allowed in (
        ("cases", test.cases, ()),
        ("answer", test.answer, written),
        ("verdict", test.judge, ()),
    ):
        strange = sorted(_global_names(piece) - set(dir(builtins)) - set(allowed))
        if students := sorted(set(strange) & set(written)):
            found.append(f"{name} uses {', '.join(students)}: only answer may use what students write.")
        elif strange:
            found.append(f"{name} uses {', '.join(strange)}, which it does not define: import it inside.")
    return found


def _judge(cell: NotebookNode) -> ast.FunctionDef:
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        raise HiddenTestError(f"its hidden test is not Python: {error.msg}, line {error.lineno}.") from error
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "judge":
            return node
    raise HiddenTestError("expected a function judge().")


def _piece_source(cell: NotebookNode, name: str) -> str:
    for node in _judge(cell).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return "\n".join(cell.source.split("\n")[node.lineno - 1 : node.end_lineno]) + "\n"
    raise HiddenTestError(f"expected a function {name} in judge().")


def _form_problems(test: HiddenTest) -> Iterator[str]:
    for name, piece in zip(PIECES, (test.cases, test.answer, test.judge), strict=True):
        if not isinstance(piece, FunctionType) or piece.__name__ != name:
            yield f"expected hidden_test(name, {', '.join(PIECES)}), each a function of that name."
            return
        if piece.__defaults__ or piece.__kwdefaults__:
            yield f"{name} has default values: what it gets is in the case."
    if not inspect.isgeneratorfunction(test.cases) or len(inspect.signature(test.cases).parameters) != 1:
        yield "expected cases(draw) to yield each case."
    asked, judged = (list(inspect.signature(piece).parameters) for piece in (test.answer, test.judge))
    if judged[1:] != asked:
        yield f"expected verdict(came, {', '.join(asked)}): what came, and the case as answer gets it."
    if free := inspect.unwrap(test.answer).__code__.co_freevars:
        yield f"answer uses {', '.join(free)} of judge(): it is sent as it stands, so import or define that inside."
    if not isinstance(test.name, str) or not test.name:
        yield "expected a name, the student's function."
    if test.seconds is not None and test.seconds <= 0:
        yield f"expected a positive number of seconds, got {test.seconds}."


def _global_names(function: Callable[..., object]) -> set[str]:
    return set(_loaded(inspect.unwrap(function).__code__))


def _loaded(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if "GLOBAL" in instruction.opname:
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)
