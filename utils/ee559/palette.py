"""The course's colours, which colour-blind readers tell apart: orange is negative, purple positive, neutral zero.

They stand in palette.json, which the interactive figures and the page Draw a digit read as well. Light colours lie
under dark text, bright ones stand in for the others on dark pages, blue marks, and green is what neither sign has.
"""

import json
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

PALETTE: dict[str, str] = json.loads((files("ee559") / "palette.json").read_text(encoding="utf-8"))
"""Name of a colour, and #rrggbb."""

ORANGE, NEUTRAL, PURPLE = (PALETTE[name] for name in ("orange", "neutral", "purple"))
LIGHT_ORANGE, LIGHT_PURPLE = (PALETTE[name] for name in ("light_orange", "light_purple"))


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of #rrggbb, each from 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def signed_colours() -> "Colormap":
    """Return matplotlib's colours for signed values, to be used from −m to m."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", [ORANGE, NEUTRAL, PURPLE])
