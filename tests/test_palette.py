"""One palette: Python, the interactive figures and the page Draw a digit read it, and no source types it again."""

import json
import re
from pathlib import Path

import pytest
from ee559.figures.interactive import FIGURES, InteractiveFigure, page_script
from ee559.palette import NEUTRAL, ORANGE, PALETTE, PURPLE, channels, signed_colours

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("utils/ee559", "site/_static", "tools/ee559_course/digit")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".css", ".js", ".py")
]


@pytest.mark.parametrize("source", SOURCES)
def test_no_source_types_a_colour_of_the_palette(source: str) -> None:
    ways = [way for colour in PALETTE.values() for way in (colour, ", *".join(map(str, channels(colour))))]
    assert re.findall("|".join(ways), (ROOT / source).read_text(encoding="utf-8"), re.IGNORECASE) == []


@pytest.mark.parametrize("kind", FIGURES)
def test_an_interactive_figures_script_holds_the_palette(kind: type[InteractiveFigure]) -> None:
    (palette,) = re.findall("^const PALETTE = (.*);$", page_script(kind.module), re.MULTILINE)
    assert json.loads(palette) == PALETTE


def test_matplotlibs_signed_colours_are_the_palettes() -> None:
    colours = signed_colours()
    assert [colours(share, bytes=True)[:3] for share in (0.0, 1.0)] == [channels(ORANGE), channels(PURPLE)]
    assert colours(0.5, bytes=True)[:3] == pytest.approx(channels(NEUTRAL), abs=1)
    assert colours(0.25, bytes=True)[0] > colours(0.75, bytes=True)[0]


@pytest.mark.parametrize(
    ("below", "above"),
    [
        (PALETTE["light_orange"], "#1b1b1b"),
        (PALETTE["light_purple"], "#000000"),
        (ORANGE, "#ffffff"),
        (PURPLE, "#ffffff"),
    ],
)
def test_text_is_read_on_the_colours_that_it_lies_on(below: str, above: str) -> None:
    dark, light = sorted(map(luminance, (below, above)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    shares = (channel / 255 for channel in channels(colour))
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
