"""What a process imports before it forks, so that its children need not."""

import gc
import importlib
from collections.abc import Sequence

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
    "torch._dynamo",  # the first optimiser imports it
    "torch._subclasses.schema_check_mode",  # and the first gradient this
    "torchvision.datasets",
)
OWN = ("ee559_course.grading.run.clean", "ee559_course.grading.run.student")


def preload(more: Sequence[str] = ()) -> None:
    """Import what notebooks import, and see that MNIST is unpacked, before there is anything to fork.

    Args:
        more: names of modules to import as well.
    """
    import nbformat
    from ee559.mnist import unpacked_root
    from matplotlib.backends.registry import backend_registry

    gc.disable()  # imports leave no garbage, and to look for it takes an eighth of their time
    for name in (*PRELOADED, *more):
        importlib.import_module(name)
    unpacked_root()
    nbformat.v4.new_raw_cell()  # compiles the schema of notebooks
    backend_registry.list_all()  # type: ignore[no-untyped-call]  # which it reads from every installed package
    gc.freeze()
    gc.enable()
