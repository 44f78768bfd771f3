"""The still figures of layers and of small tensors show the numbers that they are given."""

import numpy as np
import pytest
import torch
from ee559.figures.layers import PIECES, draw_first_weights, draw_function, draw_pieces
from ee559.figures.values import draw_values
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import nn
from torch.nn import functional as F


def texts(axis: Axes) -> list[str]:
    """List what is written inside the axes."""
    return [text.get_text() for text in axis.texts]


def test_pieces_with_parameters_are_hatched_and_no_others() -> None:
    (axis,) = draw_pieces().axes
    hatched = [bool(patch.get_hatch()) for patch in axis.patches if isinstance(patch, Rectangle)]
    assert hatched == [name in ("nn.Conv2d", "nn.Linear") for name in PIECES]
    assert [text for text in texts(axis) if text in PIECES] == list(PIECES)


def test_values_are_written_in_their_cells_with_a_true_minus() -> None:
    x = torch.tensor([[1.5, -2.0], [0.0, 0.004]], requires_grad=True)
    left, right = draw_values({"x": x, "relu": F.relu(x)}).axes
    assert texts(left) == ["1.5", "−2", "0", "0.004"]
    assert texts(right) == ["1.5", "0", "0", "0.004"]
    assert (left.get_title(), right.get_title()) == ("x", "relu")


def test_values_share_one_scale_with_zero_in_the_middle() -> None:
    for axis in draw_values({"a": torch.tensor([[1.0, -3.0]]), "b": torch.zeros(1, 1)}).axes:
        assert axis.images[0].get_clim() == (-3, 3)


def test_values_of_more_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 2d tensors, got \(1, 2, 3\) for x: choose a 2d slice"):
        draw_values({"x": torch.zeros(1, 2, 3)})


def test_derivative_is_autograds() -> None:
    (axis,) = draw_function(torch.square, "x²").axes
    function, derivative = axis.lines
    x = torch.as_tensor(derivative.get_xdata())
    torch.testing.assert_close(torch.as_tensor(function.get_ydata()), x.square())
    torch.testing.assert_close(torch.as_tensor(derivative.get_ydata()), 2 * x)
    legend = axis.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["x²", "its derivative"]


def test_histogram_counts_every_weight_and_marks_both_bounds() -> None:
    torch.manual_seed(0)
    weight = nn.Linear(100, 30).weight
    (axis,) = draw_first_weights({"Linear": (weight, 0.1)}).axes
    counted = sum(patch.get_height() for patch in axis.patches if isinstance(patch, Rectangle))
    assert counted == weight.numel()
    assert [np.asarray(line.get_xdata())[0] for line in axis.lines] == [-0.1, 0.1]
    assert "±0.100" in axis.get_title()
