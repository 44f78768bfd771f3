"""The still figures of the network, of losses and of registration show what they are given, and refuse the rest."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from ee559.figures.losses import draw_differences, draw_training
from ee559.figures.registration import draw_members
from ee559.figures.shapes import draw_counts, draw_shapes
from matplotlib.patches import Rectangle
from torch import nn


def test_box_of_an_image_is_as_high_as_the_image_and_wider_with_more_channels() -> None:
    (axis,) = draw_shapes({"digit": (1, 28, 28), "conv1": (32, 24, 24), "fc2": (10,)}).axes
    boxes = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    assert [box.get_height() for box in boxes[:2]] == [28, 24]
    assert boxes[0].get_width() < boxes[1].get_width()
    written = [text.get_text() for text in axis.texts]
    assert {"1×28×28", "32×24×24", "10", "digit", "conv1", "fc2"} == set(written)


def test_boxes_do_not_overlap() -> None:
    (axis,) = draw_shapes({"a": (64, 4, 4), "b": (1, 28, 28), "c": (200,)}).axes
    boxes = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    for left, right in pairwise(boxes):
        assert left.get_x() + left.get_width() < right.get_x()


def test_shape_with_a_batch_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without the batch dimension, got \(1, 1, 28, 28\) for digit"):
        draw_shapes({"digit": (1, 1, 28, 28)})


def test_each_bar_carries_its_number() -> None:
    parameters, products = draw_counts({"conv": (832, 460_800), "fc": (2_010, 2_000)}).axes
    assert [text.get_text() for text in parameters.texts] == ["832", "2,010"]
    assert [text.get_text() for text in products.texts] == ["460,800", "2,000"]
    assert [patch.get_width() for patch in products.patches if isinstance(patch, Rectangle)] == [460_800, 2_000]


def test_squared_differences_are_areas_and_the_title_has_their_mean() -> None:
    (axis,) = draw_differences(torch.tensor([3.0, -1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, 0.0])).axes
    areas = [patch.get_width() * patch.get_height() for patch in axis.patches if isinstance(patch, Rectangle)]
    assert areas == [9, 4, 0, 0]
    assert axis.get_title().endswith("mean of 4: 3.25")


def test_differences_of_unequal_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected two vectors of one length, got \(4,\) and \(1, 4\)"):
        draw_differences(torch.zeros(4), torch.zeros(1, 4))


def test_runs_are_told_apart_by_marker_and_line_and_not_by_colour_alone() -> None:
    (axis,) = draw_training({"one": [3.0, 2.0, 1.0], "two": [1.0, 0.5]}).axes
    one, two = axis.lines
    assert (one.get_marker(), one.get_linestyle()) != (two.get_marker(), two.get_linestyle())
    assert np.asarray(one.get_xdata()).tolist() == [1, 2, 3]


class Mixed(nn.Module):
    """Registers a parameter and a layer, and hides layers in a dict and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(3))
        self.fc = nn.Linear(2, 2)
        self.hidden = {"fc": nn.Linear(4, 1)}
        self.parameters_in_a_list = [nn.Parameter(torch.zeros(7)), "a name"]
        self.note = ["nothing that counts"]


def test_members_say_how_many_parameters_they_hold_and_whether_the_module_sees_them() -> None:
    (axis,) = draw_members(Mixed()).axes
    assert [text.get_text() for text in axis.texts] == [
        "Mixed",
        "scale: 3 parameters, seen",
        "fc (Linear): 6 parameters, seen",
        "hidden (a dict): 5 parameters, not seen",
        "parameters_in_a_list (a list): 7 parameters, not seen",
    ]
    assert [line.get_linestyle() for line in axis.lines] == ["-", "-", "--", "--"]
