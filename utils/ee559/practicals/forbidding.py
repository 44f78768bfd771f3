"""What a practical forbids, refused below Python: torch's operators lose their kernels, autograd records nothing."""

import importlib
import inspect
import re
from dataclasses import dataclass
from types import CodeType, FunctionType, TracebackType
from typing import Any

import torch

# A kernel of one of these keys comes before what an operator is composed of, on every kind of tensor that a CPU has.
BACKENDS = ("CPU", "Meta", "MkldnnCPU", "QuantizedCPU", "SparseCPU", "NestedTensorCPU")
RECORDERS = ("AutogradCPU", "AutogradOther", "AutogradMeta", "AutogradNestedTensor")
COMPOSITE = "CompositeImplicitAutograd"
# Kernels that serve every backend; who asks for one of these keys by name has them whatever the backends have.
SHARED = ("CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")
IN_FORCE: "list[Forbidden]" = []  # to refuse it once more would change nothing
REFUSE = "def refuse(*arguments, **options):\n    raise RuntimeError({!r})"


@dataclass(frozen=True)
class Forbidden:
    """What no answer of a practical may use.

    Attributes:
        operators: regular expressions; refused is each operator of torch with a match in its name, such as
            ``aten::max_pool2d_with_indices``.
        autograd: whether autograd is refused: nothing that is computed then asks for a gradient.
        functions: functions of Python, such as ``ee559.count_parameters``.
    """

    operators: tuple[str, ...] = ()
    autograd: bool = False
    functions: tuple[str, ...] = ()


class forbid:
    """Refuse what is forbidden, in a with block, or from now on with `keep`.

    Args:
        forbidden: what to refuse.
    """

    def __init__(self, forbidden: Forbidden) -> None:
        self._forbidden = forbidden
        self._libraries: dict[tuple[str, str], Any] = {}
        self._codes: list[tuple[FunctionType, CodeType]] = []
        self._is_first = False

    def __enter__(self) -> "forbid":
        """Refuse, unless the same is refused already."""
        self._is_first = self._forbidden not in IN_FORCE
        if not self._is_first:
            return self
        IN_FORCE.append(self._forbidden)
        words = re.compile("|".join(self._forbidden.operators) or "(?!)")
        for operator in torch._C._dispatch_get_all_op_names():
            if words.search(operator):
                self._refuse_operator(operator)
            if self._forbidden.autograd and not torch._C._dispatch_has_kernel_for_dispatch_key(operator, COMPOSITE):
                for key in RECORDERS:
                    self._library(operator, key).impl(operator, key, torch.library.fallthrough_kernel)
        for name in self._forbidden.functions:
            self._refuse_function(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Allow it again, where this refused it."""
        if not self._is_first:
            return
        IN_FORCE.remove(self._forbidden)
        self._libraries.clear()  # torch has its own kernels back
        for function, code in self._codes:
            function.__code__ = code
        self._codes.clear()

    def keep(self) -> None:
        """Refuse from now on, for as long as the process lives; nothing in Python leads to what could undo it."""
        import ctypes

        self.__enter__()
        for library in self._libraries.values():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))
        self._libraries.clear()
        self._codes.clear()

    def _library(self, operator: str, key: str) -> Any:
        space = operator.partition("::")[0]
        if (space, key) not in self._libraries:
            self._libraries[space, key] = torch._C._dispatch_library("IMPL", space, key, "ee559", 0)
        return self._libraries[space, key]

    def _refuse_operator(self, operator: str) -> None:
        def refuse(*arguments: object, **options: object) -> None:
            raise RuntimeError(
                f"do this by hand: torch's {operator.partition('::')[2].partition('.')[0]} is not allowed"
            )

        shared = (key for key in SHARED if torch._C._dispatch_has_kernel_for_dispatch_key(operator, key))
        for key in (*BACKENDS, *shared):
            self._library(operator, key).impl(operator, key, refuse)

    def _refuse_function(self, name: str) -> None:
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        function = inspect.unwrap(vars(found)["__init__"] if isinstance(found, type) else found)
        self._codes.append((function, function.__code__))
        words = f"do this by hand: {name} is not allowed"
        namespace: dict[str, Any] = {}
        exec(REFUSE.format(words), namespace)
        function.__code__ = namespace["refuse"].__code__.replace(co_freevars=function.__code__.co_freevars)
