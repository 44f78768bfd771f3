"""What a process imports before it forks, so that its children need not."""

import gc
import importlib

PRELOADED = (
    "IPython.core.application",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.logger",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "bdb",
    "ee559.practicals.batches",
    "ee559.practicals.filters",
    "ee559.practicals.modules",
    "ee559.practicals.network",
    "ee559.practicals.sizes",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "torch._dynamo",  # the first optimiser imports it
    "torch._subclasses.schema_check_mode",  # and the first gradient this
    "torchvision.datasets",
)


def preload() -> None:
    """Import what notebooks import, and see that MNIST is unpacked, before there is anything to fork."""
    from ee559.mnist import unpacked_root
    from matplotlib.backends.registry import backend_registry

    gc.disable()  # imports leave no garbage, and to look for it takes an eighth of their time
    for name in PRELOADED:
        importlib.import_module(name)
    unpacked_root()
    backend_registry.list_all()  # type: ignore[no-untyped-call]  # which it reads from every installed package
    gc.collect()
    gc.freeze()
    gc.enable()
