"""What a process imports before it forks, so that its children need not."""

import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

PRELOADED = (
    "IPython.core.application",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "bdb",
    "ee559.practicals.practical",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "torch._subclasses.schema_check_mode",  # the first gradient imports it
)
FOR_SOME = ("torchvision.datasets", "torch._dynamo")
"""What only some notebooks need: those that load MNIST, and those with an optimiser. It takes two seconds."""
OWN = "ee559_course.grading.run.child_main"


def leave_out_compiler() -> None:
    """Let torch, which is still to be imported, not import its compiler where it only says that it needs none.

    That takes two seconds, and where notebooks are graded nothing is compiled.
    """

    def as_it_is(function: Any = None, recursive: bool = True) -> Any:
        return function if function is not None else as_it_is

    module = ModuleType("torch._compile")
    module._disable_dynamo = as_it_is  # type: ignore[attr-defined]
    sys.modules["torch._compile"] = module


def preload(*more: str) -> None:
    """Import what notebooks import, and see that MNIST is unpacked, before there is anything to fork.

    Args:
        more: names of modules to import as well.
    """
    with _without_collection():
        import nbformat
        from ee559.mnist import unpacked_root
        from matplotlib.backends.registry import backend_registry

        for name in (*PRELOADED, *more):
            importlib.import_module(name)
        load_operators()
        unpacked_root()
        nbformat.v4.new_raw_cell()  # compiles the schema of notebooks
        backend_registry.list_all()  # type: ignore[no-untyped-call]  # which it reads from every installed package


def preload_more() -> None:
    """Import what some notebooks need as well, when there will be many."""
    with _without_collection():
        for name in FOR_SOME:
            importlib.import_module(name)


def load_operators() -> None:
    """Let torch know torchvision's operators, so that they can be forbidden before a notebook imports it."""
    import torch

    found = importlib.util.find_spec("torchvision")
    for place in (found and found.submodule_search_locations) or ():
        for library in sorted(Path(place).glob("_C*.so")):
            torch.ops.load_library(str(library))


@contextmanager
def _without_collection() -> Iterator[None]:
    """Look for no garbage, of which imports leave none, for it takes an eighth of their time; now or in a child."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
