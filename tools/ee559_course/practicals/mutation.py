"""Mutate the solutions of a practical: small changes, one at a time, that the hidden tests must notice."""

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from ee559_course.practicals.answer_bank import Answer
from ee559_course.practicals.practical import REGION, Practical, is_answer
from ee559_course.practicals.trial import try_answer

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
}
SYMMETRIC = {"allclose", "l1_loss", "max", "min", "mse_loss"}  # in their first two arguments, up to rounding


@dataclass(frozen=True)
class Mutant:
    """A solution cell with one small change.

    Attributes:
        cell: id of the solution cell.
        change: the statement before and after, such as ``y = x + b → y = x - b``.
        source: the whole cell after the change.
    """

    cell: str
    change: str
    source: str


def mutants_of(notebook: NotebookNode) -> list[Mutant]:
    """Make all mutants of all code solutions of a practical, none twice."""
    found: dict[tuple[str, str], Mutant] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_answer(cell):
            for mutant in _mutants_of_cell(cell.id, cell.source):
                found.setdefault((mutant.cell, mutant.source), mutant)
    return list(found.values())


def survivors(practical: Practical, mutants: Sequence[Mutant]) -> list[Mutant]:
    """Return the mutants that lose no points in their part."""
    alive = []
    for mutant in mutants:
        trial = try_answer(practical, Answer("wrong", mutant.change, mutant.cell, mutant.source), check=False)
        if not trial.fixed and not any(trial.drawn):
            alive.append(mutant)
    return alive


def _mutants_of_cell(cell: str, source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    original = ast.unparse(tree)
    inside = [_lines(source, match) for match in REGION.finditer(source)]
    for number, statement in enumerate(ast.walk(tree)):
        if not isinstance(statement, ast.stmt) or not any(statement.lineno in lines for lines in inside):
            continue
        for depth, node in enumerate(_own_nodes(statement)):
            for variant in range(len(list(_changes(node)))):
                changed = copy.deepcopy(tree)
                place = list(ast.walk(changed))[number]
                assert isinstance(place, ast.stmt)
                list(_changes(list(_own_nodes(place))[depth]))[variant]()
                after = ast.unparse(ast.fix_missing_locations(changed))
                if after != original:
                    yield Mutant(cell, f"{_line(statement)} → {_line(place)}", after)
        if isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign):
            changed = copy.deepcopy(tree)
            _Delete(statement.lineno).visit(changed)
            yield Mutant(cell, f"{_line(statement)} → pass", ast.unparse(changed))


def _lines(source: str, match: re.Match[str]) -> range:
    return range(source.count("\n", 0, match.start()) + 1, source.count("\n", 0, match.end()) + 2)


def _line(statement: ast.stmt) -> str:
    return ast.unparse(statement).splitlines()[0]


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Walk a statement without the statements in it, which have their own turn, and without ``strict`` of zip."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        yield node
        children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
        waiting += [child for child in children if not (isinstance(child, ast.keyword) and child.arg == "strict")]


def _changes(node: ast.AST) -> Iterator["_Change"]:
    """Yield what can be changed at one node."""
    match node:
        case ast.Compare(ops=[kind]) if type(kind) in COMPARISONS:
            yield _Change(node, "ops", [COMPARISONS[type(kind)]()])
        case ast.BinOp(op=kind) | ast.AugAssign(op=kind) if type(kind) in OPERATORS:
            yield _Change(node, "op", OPERATORS[type(kind)]())
        case ast.BoolOp(op=kind):
            yield _Change(node, "op", ast.And() if isinstance(kind, ast.Or) else ast.Or())
        case ast.UnaryOp(op=ast.USub()):
            yield _Change(node, "op", ast.UAdd())
        case ast.UnaryOp(op=ast.Not()):
            yield _Change(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        case ast.Constant(value=bool(value)):
            yield _Change(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield _Change(node, "value", value + 1)
            yield _Change(node, "value", value - 1)
        case ast.IfExp() | ast.If():
            yield _Change(node, "test", ast.Constant(True))
            yield _Change(node, "test", ast.Constant(False))
        case ast.Return(value=ast.expr()):
            yield _Change(node, "value", None)
        case ast.Call(args=[one, other, *rest]) if ast.unparse(node.func).split(".")[-1] not in SYMMETRIC:
            yield _Change(node, "args", [other, one, *rest])
    if isinstance(node, ast.Call) and node.keywords:
        for index, keyword in enumerate(node.keywords):
            if keyword.arg != "strict":
                yield _Change(node, "keywords", node.keywords[:index] + node.keywords[index + 1 :])


@dataclass(frozen=True)
class _Change:
    node: ast.AST
    field: str
    value: object

    def __call__(self) -> None:
        setattr(self.node, self.field, self.value)


class _Delete(ast.NodeTransformer):
    """Put ``pass`` in the place of the simple statement that starts at a line."""

    def __init__(self, line: int) -> None:
        self.line = line

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign) and node.lineno == self.line:
            return ast.Pass()
        return super().generic_visit(node)
