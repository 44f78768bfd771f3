"""The still figures of windows show where each window lies, and refuse windows that lie nowhere."""

import numpy as np
import pytest
import torch
from ee559.figures.windows import draw_steps, draw_windows
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch.nn import functional as F


def frame(axis: Axes) -> tuple[float, float, float, float]:
    """Return left, top, width and height of the window, the last patch drawn."""
    patch = axis.patches[-1]
    assert isinstance(patch, Rectangle)
    return (patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height())


def test_the_slides_nine_windows_lie_where_the_convolution_reads() -> None:
    x = torch.arange(1.0, 16).view(3, 5)
    y = F.conv2d(x[None, None], torch.ones(1, 1, 3, 3), padding=(2, 1), stride=2)[0, 0]
    axes = draw_windows(x, y, (3, 3), (2, 2), (2, 1)).axes
    assert len(axes) == 9
    assert [frame(axis) for axis in axes] == [(left, top, 3, 3) for top in (0, 2, 4) for left in (0, 2, 4)]
    assert axes[4].get_title() == "output[1, 1] = 72"


def test_padding_is_hatched_and_says_what_it_holds() -> None:
    axis = draw_windows(torch.tensor([[-7.0]]), torch.tensor([[-7.0]]), (3, 3), (1, 1), (1, 1), pad_text="−∞").axes[0]
    written = [text.get_text() for text in axis.texts]
    assert written.count("−∞") == 8
    assert written[4] == "−7"
    assert sum(bool(patch.get_hatch()) for patch in axis.patches) == 8


def test_windows_that_miss_the_input_and_tensors_that_are_not_2d_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected an output that fits the input \(3, 3\), got \(4, 1\): check stride"
    ):
        draw_windows(torch.zeros(3, 3), torch.zeros(4, 1), (1, 1), (1, 1))
    with pytest.raises(ValueError, match=r"expected 2d tensors, got \(1, 3, 3\) and \(3, 3\)"):
        draw_windows(torch.zeros(1, 3, 3), torch.zeros(3, 3), (1, 1), (1, 1))


def test_steps_have_a_bar_for_each_window_under_cells_and_hatched_padding() -> None:
    pooling, padded = draw_steps(4, {"pooling": (2, 0, [0, 2]), "padded": (3, 1, [-1, 1])}).axes
    assert pooling.get_title() == "pooling: 2 windows"
    assert [np.asarray(line.get_xdata())[0] for line in padded.lines] == pytest.approx([-0.9, 1.1])
    assert [sum(bool(patch.get_hatch()) for patch in axis.patches) for axis in (pooling, padded)] == [0, 2]
    assert [text.get_text() for text in padded.texts] == ["0", "1", "2", "3"]
