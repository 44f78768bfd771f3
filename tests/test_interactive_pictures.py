"""Screenshots of the interactive figures' key states show what torch computes."""

from io import BytesIO
from pathlib import Path

import pytest
import torch
from ee559.figures.interactive import FilterOnDigits, Losses, Windows
from ee559.palette import PALETTE, channels
from interactive_pages import STILL, figure, write_page
from PIL import Image
from playwright.sync_api import Locator, Page
from torch.nn import functional as F

ORANGE, NEUTRAL, PURPLE, LIGHT_ORANGE = (
    torch.tensor(channels(PALETTE[name])).double() for name in ("orange", "neutral", "purple", "light_orange")
)


def cells_of(picture: Locator, side: int, at: float) -> torch.Tensor:
    """Take a screenshot of a square picture of side × side cells; return a colour of each, ``at`` 0.5 its centre's."""
    image = Image.open(BytesIO(picture.screenshot())).convert("RGB")
    width, height = image.size
    places = [(i + at) / side for i in range(side)]
    colours = [[image.getpixel((int(x * width), int(y * height))) for x in places] for y in places]
    return torch.tensor(colours, dtype=torch.double)


def signed_colours(values: torch.Tensor) -> torch.Tensor:
    """Return the course's signed colours, from neutral to orange below zero and to purple above it: (H, W, 3)."""
    share = (values / values.abs().max()).unsqueeze(-1).double()
    return NEUTRAL + (torch.where(share < 0, ORANGE, PURPLE) - NEUTRAL) * share.abs()


@pytest.mark.parametrize("weight", [[0.0, -1, 0, -1, 4, -1, 0, -1, 0], [-1.0, 0, 1] * 3, [1.0] * 9])
def test_screenshot_of_a_filters_answer_has_the_colours_of_torchs_answer(
    weight: list[float], page: Page, tmp_path: Path
) -> None:
    shown = figure(FilterOnDigits)
    shown.weight = weight
    page.goto(write_page(tmp_path, shown))
    torch.manual_seed(0)
    digit = torch.randint(256, (3, 1, 28, 28)).double()[:1]
    wanted = signed_colours(F.conv2d(digit, torch.tensor(weight).double().view(1, 1, 3, 3))[0, 0])
    actual = cells_of(page.locator("canvas").nth(1), 26, at=0.5)[
        1:-1, 1:-1
    ]  # the border covers part of the outer cells
    assert (actual - wanted[1:-1, 1:-1]).abs().max() <= 3


@pytest.mark.parametrize(("place", "row", "column"), [(0, 0, 0), (5, 2, 4), (8, 4, 4)])
def test_screenshot_of_the_input_shows_the_window_where_torch_puts_it(
    place: int, row: int, column: int, page: Page, tmp_path: Path
) -> None:
    page.goto(write_page(tmp_path, Windows(STILL, input_size=7, stride=2, place=place)))
    orange = (cells_of(page.locator("svg").first, 7, at=0.22) - LIGHT_ORANGE).abs().amax(-1) <= 8
    wanted = torch.zeros(7, 7, dtype=torch.bool)
    wanted[row : row + 3, column : column + 3] = True
    assert torch.equal(orange, wanted)


def test_screenshot_of_the_bars_is_as_high_as_the_outputs(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, Losses(STILL, output=[2.0, -2.0, 1.0, -1.0, 0.0])))
    image = Image.open(BytesIO(page.locator("svg.bars").screenshot())).convert("RGB")
    colours = torch.tensor(list(image.get_flattened_data()), dtype=torch.double).view(image.height, image.width, 3)
    purple = ((colours - PURPLE).abs().amax(-1) <= 8).sum(0)
    orange = ((colours - ORANGE).abs().amax(-1) <= 8).sum(0)
    heights = [
        int(purple[60:90].max()),
        int(orange[155:190].max()),
        int(purple[250:280].max()),
        int(orange[345:380].max()),
    ]
    unit = heights[2]
    assert unit > 20
    assert heights == [pytest.approx(unit * factor, abs=6) for factor in (2, 2, 1, 1)]
