"""The report's plots: each drawn twice, for light and for dark pages, as addresses that hold the picture."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INKS = {"light": ("#1b1b1f", "#7fb2e5"), "dark": ("#ececf0", "#3f6f9f")}  # of the words, and of the bars


@dataclass(frozen=True)
class Plot:
    """A picture for light pages, one for dark pages, and what is to be seen on both."""

    light: str
    dark: str
    alt: str


def histogram(edges: Sequence[float], counts: Sequence[int], alt: str) -> Plot:
    """Draw how many students have how many points."""

    def draw(axes: Axes, ink: str, fill: str) -> None:
        bars = axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=fill, edgecolor=ink)
        axes.bar_label(bars, [str(count) if count else "" for count in counts], color=ink)
        axes.set(xlabel="points", ylabel="students", xlim=(edges[0], edges[-1]))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.margins(y=0.15)

    return _draw_twice(draw, 3.2, alt)


def shares(names: Sequence[str], values: Sequence[float], alt: str) -> Plot:
    """Draw the share of the points that was earned in each part, the first on top."""

    def draw(axes: Axes, ink: str, fill: str) -> None:
        bars = axes.barh(range(len(names)), values, color=fill, edgecolor=ink)
        axes.bar_label(bars, [f"{value:.0f} %" for value in values], color=ink, padding=3)
        axes.set(xlabel="points earned, in % of what can be earned", xlim=(0, 112), yticks=range(len(names)))
        axes.set_yticklabels(names)
        axes.invert_yaxis()

    return _draw_twice(draw, 0.9 + 0.42 * len(names), alt)


def _draw_twice(draw: Callable[[Axes, str, str], None], height: float, alt: str) -> Plot:
    return Plot(_svg(draw, height, *INKS["light"]), _svg(draw, height, *INKS["dark"]), alt)


def _svg(draw: Callable[[Axes, str, str], None], height: float, ink: str, fill: str) -> str:
    """Draw without a background; no global state of Matplotlib's is used but its settings, for the time of drawing."""
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    settings: dict[Any, Any] = dict.fromkeys(names, ink) | {"svg.hashsalt": "ee559", "font.size": 11.0}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(7.2, height), layout="constrained", facecolor="none")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, ink, fill)
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None}, transparent=True)
    return f"data:image/svg+xml;base64,{base64.b64encode(content.getvalue()).decode()}"
