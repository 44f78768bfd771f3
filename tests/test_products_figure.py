"""The figure of a product refuses sizes that do not fit and frames the entries that meet."""

import pytest
import torch
from ee559.figures.products import draw_product


def test_three_matrices_are_drawn_with_their_sizes_and_numbers() -> None:
    figure = draw_product(torch.ones(4, 3), torch.ones(3, 2), entry=(1, 0))
    assert [axis.get_title() for axis in figure.axes] == ["x: 4×3", "wᵀ: 3×2", "s: 4×2"]
    assert {text.get_text() for text in figure.axes[2].texts} == {"3"}


@pytest.mark.parametrize(
    ("left", "right", "entry", "message"),
    [((4, 3), (2, 3), (0, 0), "transpose"), ((4,), (4, 3), (0, 0), "expected sizes"), ((4, 3), (3, 2), (4, 0), "4×2")],
)
def test_what_does_not_fit_is_refused(
    left: tuple[int, ...], right: tuple[int, ...], entry: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        draw_product(torch.ones(left), torch.ones(right), entry)
