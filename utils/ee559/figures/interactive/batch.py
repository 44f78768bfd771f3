"""A batch against a loop: times for each batch size, and which rows meet in x wᵀ."""

from collections.abc import Sequence
from typing import Any

from traitlets import Dict, Int, List, Unicode

from ee559.figures.interactive.figure import InteractiveFigure, module_source
from ee559.pictures import Picture
from ee559.timing import BatchVsLoop


class BatchAgainstLoop(InteractiveFigure):
    """Compare measured times of a batch and of a loop over its samples.

    Source: slides H1 to H6.
    """

    module = "batch"
    state = ("place", "entry")
    data = ("times", "machine")
    _esm = module_source("batch")

    place = Int(0).tag(sync=True)
    entry = Int(0).tag(sync=True)
    times = List(Dict()).tag(sync=True)
    machine = Unicode().tag(sync=True)

    def __init__(self, results: Sequence[BatchVsLoop], machine: str, still: Picture, **traits: Any) -> None:
        """Show measurements.

        Args:
            results: one for each batch size, as ``plot_batch_vs_loop`` gives them.
            machine: where and when they were measured, a sentence.
            still: a picture of the figure as it begins.
            traits: the figure's first state.
        """
        times = [
            {"batch_size": one.batch_size, "batch": one.batch_seconds, "loop": one.loop_seconds} for one in results
        ]
        super().__init__(still, times=times, machine=machine, **traits)
