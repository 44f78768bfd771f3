"""What a process imports before it forks, so that its children need not."""

import gc
import importlib

PRELOADED = (
    "IPython.core.application",
    "IPython.core.completer",
    "IPython.core.magics",
    "ee559.practicals.batches",
    "ee559.practicals.filters",
    "ee559.practicals.modules",
    "ee559.practicals.network",
    "ee559.practicals.sizes",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "torch._dynamo",  # the first optimiser imports it
    "torchvision.datasets",
)


def preload() -> None:
    """Import what notebooks import, and see that MNIST is unpacked, before there is anything to fork."""
    from ee559.mnist import unpacked_root

    gc.disable()  # imports leave no garbage, and to look for it takes an eighth of their time
    for name in PRELOADED:
        importlib.import_module(name)
    unpacked_root()
    gc.collect()
    gc.freeze()
    gc.enable()
