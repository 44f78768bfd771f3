"""See whether a notebook reaches into the machinery that watches how its functions work.

Values cannot be forged: they are judged elsewhere. But some tests also rest on what the student's process reports, such
as that no torch function was called in a part that is to be done by hand. Code that stays within what lectures and
practicals use cannot change such a report. Code that goes beyond is named here, and a person looks at it before those
points count. It says nothing about intent: most of it is curiosity.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

MODULES = {
    "IPython",
    "PIL",
    "asyncio",
    "collections",
    "contextlib",
    "copy",
    "ee559",
    "functools",
    "itertools",
    "json",
    "math",
    "matplotlib",
    "numpy",
    "os",
    "pathlib",
    "random",
    "re",
    "statistics",
    "string",
    "sys",
    "time",
    "torch",
    "torchvision",
    "tqdm",
    "typing",
    "warnings",
}
OWN_MODULES = {"ee559", *(f"ee559.practicals.{name}" for name in ("sizes", "filters", "modules", "network", "batches"))}
DYNAMIC_NAMES = {
    "__builtins__",
    "__import__",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "get_ipython",
    "globals",
    "locals",
    "vars",
}
TORCH_MACHINERY = {"classes", "compile", "export", "fx", "hub", "jit", "library", "ops", "overrides", "package"}
MODULES_INSIDE = {
    "builtins",
    "concurrent",
    "contrib",
    "core",
    "ctypes",
    "ctypeslib",
    "f2py",
    "gc",
    "importlib",
    "inspect",
    "lib",
    "multiprocessing",
    "os",
    "pickle",
    "posix",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "types",
}
THREADS = {"run_in_executor", "set_default_executor", "to_thread"}
OWN_MACHINERY = {"hidden", "practical", "practicals", "wire"}
METHODS = {
    f"__{name}__"
    for name in [
        "abs",
        "add",
        "bool",
        "call",
        "contains",
        "doc",
        "enter",
        "eq",
        "exit",
        "float",
        "getitem",
        "init",
        "int",
        "iter",
        "len",
        "lt",
        "matmul",
        "mul",
        "name",
        "neg",
        "next",
        "pow",
        "radd",
        "repr",
        "rmul",
        "setitem",
        "str",
        "sub",
        "truediv",
        "version",
    ]
}
OS = {
    "cpu_count",
    "environ",
    "getcwd",
    "getenv",
    "linesep",
    "listdir",
    "makedirs",
    "mkdir",
    "name",
    "path",
    "remove",
    "rename",
    "replace",
    "rmdir",
    "sep",
    "unlink",
    "walk",
}
SYS = {"argv", "executable", "float_info", "maxsize", "platform", "stderr", "stdout", "version", "version_info"}
INSIDE = {"_buffers", "_modules", "_parameters"}  # lecture 09 shows them
UNPICKLING = {"allow_pickle", "weights_only"}
OF_A_TENSOR = {"bias", "data", "grad", "requires_grad", "training", "weight"}  # what a function may set of an argument
TIMES = {"time", "timeit"}
OPTIONS = re.compile(r"^\s*(?:-[nr]\s*\d+\s+|-[copqt]\s+)*")
MAGIC_LINE = re.compile(r"^\s*[!%?,;/]|\?\s*$|=\s*[!%]", re.MULTILINE)
MOST_MAGIC_LINES = 20  # IPython reads the whole cell again for each
MAGICS = {"conda", "matplotlib", "pinfo", "pinfo2", "pip", "precision", "time", "timeit", "who", "whos"}


def what_reaches_beyond(notebook: NotebookNode, released: NotebookNode) -> list[str]:
    """Name what a notebook does beyond what lectures and practicals use, each with its cell; mostly, nothing.

    Args:
        notebook: a submission as `ee559_course.grading.intake` reads it.
        released: the practical; cells that stand in it unchanged are the course's own.
    """
    own = {cell.source.strip() for cell in released.cells}
    theirs = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip() not in own
        if not cell.metadata.get("nbgrader", {}).get("locked")
    ]
    try:
        trees = [(cell.id, tree) for cell in theirs for tree in _parse(cell.source)]
        imported = {name for _, tree in trees for name in _imported_names(tree)} | {"torch", "nn", "F", "ee559"}
        imported |= {name for _, tree in trees for name in _aliases(tree, imported)}
        found = [f"{cell}: {what}" for cell, tree in trees for what in _reaches(tree, imported)]
    except RecursionError:
        return ["code that is nested too deeply to be read"]
    found += [
        f"{cell.id}: more than {MOST_MAGIC_LINES} magic lines" for cell in theirs if _has_many_magics(cell.source)
    ]
    return list(dict.fromkeys(found))


def _has_many_magics(source: str) -> bool:
    return len(MAGIC_LINE.findall(source)) > MOST_MAGIC_LINES


def _parse(source: str) -> Iterator[ast.Module]:
    """Parse a cell as IPython would, and the code in its ``%time`` as well; nothing for what it would not run."""
    if _has_many_magics(source):
        return
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, RuntimeError, MemoryError):
        return
    yield tree
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (found := _magic(call)) is not None and found.kind in TIMES:
            for text in found.texts:
                yield from _parse(OPTIONS.sub("", text))


def _imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).split(".")[0]


def _aliases(tree: ast.Module, imported: set[str]) -> Iterator[str]:
    """Yield names for what was imported, such as ``M = nn.Module`` or ``[nn.Module]``, and not for what it makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        elif isinstance(node, ast.For | ast.comprehension):
            targets = [node.target]
        else:
            continue
        value = node.iter if isinstance(node, ast.For | ast.comprehension) else node.value
        if value is not None and _is_machinery(value, imported):
            yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))


def _is_machinery(node: ast.expr, imported: set[str]) -> bool:
    """Say whether an expression is, or holds, something imported itself or a class, and not what these make."""
    match node:
        case ast.Name(id=name):
            return name in imported
        case ast.Attribute(value=value):
            return _is_machinery(value, imported)
        case ast.Call(func=ast.Name(id="type"), args=[_]):
            return True
        case ast.Call():
            return False
    return any(_is_machinery(child, imported) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _reaches(tree: ast.Module, imported: set[str]) -> Iterator[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    magics = {id(found.name) for call in calls if (found := _magic(call)) is not None and found.is_harmless}
    given = set(_given_names(tree))
    called = {id(call.func) for call in calls}
    named = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "__name__"}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {each.name}" for each in names if not _is_known(each.name, []))
                renamed = [each.name for each in names if each.name in ("os", "sys") and each.asname]
                yield from (f"gives {name} another name" for name in renamed)
            case ast.ImportFrom(module=module, names=names):
                if not _is_known(module or "", [each.name for each in names]):
                    yield f"imports from {module}"
            case ast.Name(id=name) if name in DYNAMIC_NAMES and id(node) not in magics:
                yield f"uses {name}"
            case ast.Name(id="getattr" | "setattr" | "delattr" as name) if id(node) not in called:
                yield f"hands on {name}"
            case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]) if not _is_plain_name(name):
                yield "uses getattr with a private name, or one that is not to be seen"
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[value, *_]) if _is_foreign(value, imported):
                yield "changes something that it did not make"
            case ast.keyword(arg=name) if name in UNPICKLING:
                yield f"loads with {name}"
            case ast.Call(func=ast.Attribute(attr="load" | "wraps" as name)) if _has_hidden_arguments(node):
                yield f"uses {name} with more than it needs"
            case ast.Call(func=ast.Name(id="open"), args=[path, *_]) if not _is_path(path):
                yield "opens what is not to be seen"
            case ast.Constant(value=str(text)) if text.startswith(("/proc", "/dev/fd")):
                yield f"names {text[:40]}"
            case ast.Attribute(attr=name) if name in THREADS or name == "update_wrapper":
                yield f"uses .{name}"
            case ast.Attribute(value=value, attr=name) if name in OWN_MACHINERY and _is_machinery(value, imported):
                yield f"uses .{name}"
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name not in OS:
                yield f"uses os.{name}"
            case ast.Attribute(attr="__class__") if id(node) in named:
                continue
            case ast.Attribute(attr=name) if _is_private(node) or name == "mro":
                yield f"uses .{name}"
            case ast.Attribute(value=value, attr=name) if name in MODULES_INSIDE and _is_machinery(value, imported):
                yield f"uses .{name}"
            case ast.Attribute(value=ast.Name(id="sys"), attr=name) if name not in SYS:
                yield f"uses sys.{name}"
            case ast.Attribute(value=ast.Name(id="torch"), attr=name) if name in TORCH_MACHINERY:
                yield f"uses torch.{name}"
            case ast.Attribute(value=value, attr=name, ctx=ast.Store() | ast.Del()) if _is_foreign(value, imported):
                yield f"changes .{name} of something that it did not make"
            case ast.Attribute(value=ast.Name(id=owner), attr=name, ctx=ast.Store() | ast.Del()) if owner in given:
                if name not in OF_A_TENSOR:
                    yield f"changes .{name} of what it is given"
            case ast.FunctionDef(name=name) if name.startswith("__") and name not in METHODS:
                yield f"defines {name}"
            case ast.ClassDef(keywords=[_, *_]):
                yield "makes a class with options"


def _is_foreign(node: ast.expr, imported: set[str]) -> bool:
    return isinstance(node, ast.Call) or _is_machinery(node, imported)


def _given_names(tree: ast.Module) -> Iterator[str]:
    """Yield names for what a function is given, or a block is begun with: nobody sees here what that is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg != "self":
            yield node.arg
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            yield node.optional_vars.id


def _is_path(node: ast.expr) -> bool:
    """Say whether a text is to be seen, and no number of an open file."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _has_hidden_arguments(call: ast.Call) -> bool:
    """Say whether a call has more than two arguments by place, or some that are not to be seen."""
    unseen = any(isinstance(each, ast.Starred) for each in call.args) or any(each.arg is None for each in call.keywords)
    return unseen or len(call.args) > 2 or any(each.arg in ("assigned", "updated") for each in call.keywords)


def _is_known(module: str, names: list[str]) -> bool:
    """Say whether an import is of what the course uses."""
    parts = module.split(".")
    if parts[0] == "ee559":
        return (module in OWN_MODULES and "practicals" not in names) or parts[:2] == ["ee559", "figures"]
    if parts[0] == "IPython":
        return parts == ["IPython", "display"] or names == ["display"]
    if parts[0] == "sys":
        return set(names) <= SYS
    if module == "os":
        return set(names) <= OS
    blocked = TORCH_MACHINERY | MODULES_INSIDE | DYNAMIC_NAMES | THREADS | {"update_wrapper"}
    return parts[0] in MODULES and not any(part in blocked or part.startswith("_") for part in [*parts[1:], *names])


def _is_plain_name(node: ast.expr) -> bool:
    """Say whether a name for getattr is to be seen, and not private: a text, or one that begins with a text."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:1] != "_"


def _is_private(node: ast.Attribute) -> bool:
    name = node.attr
    if not name.startswith("_") or name in INSIDE:
        return False
    if name == "__init__":
        return not (
            (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super")
            or ast.unparse(node.value) in ("nn.Module", "torch.nn.Module")
        )
    if name.startswith("__"):
        return name not in METHODS
    return not (isinstance(node.value, ast.Name) and node.value.id == "self")


@dataclass(frozen=True)
class _Magic:
    """What IPython makes of ``%time``, ``!ls`` and their like.

    Attributes:
        name: the node of the name get_ipython.
        kind: such as ``time``; ``!`` for a command of the system.
        texts: what is handed on to it.
    """

    name: ast.Name
    kind: str
    texts: list[str]

    @property
    def is_harmless(self) -> bool:
        """Whether it runs no code but what is parsed too: in most, IPython evaluates what stands in braces."""
        if self.kind in TIMES:
            return True
        return self.kind in {"!", *MAGICS} and not any("{" in text or "$" in text for text in self.texts)


def _magic(call: ast.Call) -> _Magic | None:
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython") as name), attr=method)):
            texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if method in ("system", "getoutput"):
                return _Magic(name, "!", texts)
            if method in ("run_line_magic", "run_cell_magic") and texts:
                return _Magic(name, texts[0], texts[1:])
    return None
