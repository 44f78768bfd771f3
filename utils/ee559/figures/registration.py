"""Still figure of what a module registers and what it does not see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ee559.palette import LIGHT_PURPLE, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_members(*modules: nn.Module) -> Figure:
    """Draw each module with its members that hold parameters: solid lines to those that it registers, dashed to others.

    Source: slides G1, G2 and G4.
    """
    from matplotlib.figure import Figure

    lines = [max(2, len(_members(module))) for module in modules]
    figure = Figure(figsize=(7.5, 0.2 + 0.55 * sum(lines)), layout="constrained")
    axes = figure.subplots(len(modules), 1, squeeze=False, height_ratios=lines)[:, 0]
    for axis, module in zip(axes, modules, strict=True):
        _draw_module(axis, module)
    return figure


def _draw_module(axis: Axes, module: nn.Module) -> None:
    members = _members(module)
    middle = (len(members) - 1) / 2
    box = {"boxstyle": "round,pad=0.4", "facecolor": LIGHT_PURPLE, "edgecolor": PURPLE}
    axis.text(0, middle, type(module).__name__, ha="center", va="center", fontsize=11, bbox=box, zorder=2)
    for line, (name, count, kind, seen) in enumerate(members):
        style, colour = ("-", PURPLE) if seen else ("--", ORANGE)
        axis.plot([0, 1.15], [middle, line], zorder=1, ls=style, lw=2, color=colour)
        text = f"{name}{kind}: {count:,} parameters, {'seen' if seen else 'not seen'}"
        edge = {"edgecolor": colour, "linestyle": style}
        axis.text(
            1.15, line, text, va="center", fontsize=10, bbox={"boxstyle": "round,pad=0.35", "fc": "white", **edge}
        )
    axis.set(xlim=(-0.6, 3.6), ylim=(middle + max(len(members), 2) / 2, middle - max(len(members), 2) / 2))
    axis.axis("off")


def _members(module: nn.Module) -> list[tuple[str, int, str, bool]]:
    """List name, number of parameters, kind and whether it is registered, of each member that holds parameters."""
    registered = [(name, parameter.numel(), "", True) for name, parameter in module.named_parameters(recurse=False)]
    for name, child in module.named_children():
        registered.append((name, _count([child]), f" ({type(child).__name__})", True))
    for name, value in vars(module).items():
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        if not name.startswith("_") and (count := _count(held)):
            registered.append((name, count, f" (a {type(value).__name__})", False))
    return registered


def _count(values: Iterable[object]) -> int:
    """Count the parameters of modules and parameters."""
    total = 0
    for value in values:
        tensors: Iterable[Tensor] = value.parameters() if isinstance(value, nn.Module) else ()
        if isinstance(value, nn.Parameter):
            tensors = (value,)
        total += sum(tensor.numel() for tensor in tensors)
    return total
