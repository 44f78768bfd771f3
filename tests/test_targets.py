"""Targets are +1 at the label and −1 elsewhere, for any labels."""

import pytest
import torch
from ee559 import one_hot_targets
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close


def test_the_slides_example() -> None:
    expected = torch.tensor([[-1, 1, -1], [1, -1, -1], [1, -1, -1], [-1, -1, 1], [-1, 1, -1]]).float()
    assert_close(one_hot_targets(torch.tensor([2, 1, 1, 3, 2]) - 1, 3), expected)


@seed(559)
@settings(deadline=None)
@given(data=st.data(), num_classes=st.integers(1, 20), dtype=st.sampled_from([torch.uint8, torch.int32, torch.int64]))
def test_each_row_has_one_plus_and_the_label_comes_back(
    data: st.DataObject, num_classes: int, dtype: torch.dtype
) -> None:
    labels = torch.tensor(data.draw(st.lists(st.integers(0, num_classes - 1), max_size=50)), dtype=dtype)
    targets = one_hot_targets(labels, num_classes)
    assert targets.shape == (len(labels), num_classes)
    assert targets.dtype == torch.float32
    assert_close(targets.sum(1), torch.full((len(labels),), 2.0 - num_classes))
    assert set(targets.unique().tolist()) <= {-1.0, 1.0}
    if len(labels):
        assert_close(targets.argmax(1), labels.long())


@pytest.mark.parametrize(
    ("labels", "num_classes", "error", "words"),
    [
        (torch.tensor([0, 3]), 3, ValueError, r"0\.\.2, got values from 0 to 3"),
        (torch.tensor([-1, 2]), 3, ValueError, "from -1 to 2"),
        (torch.tensor([[0], [1]]), 3, ValueError, r"shape \(N,\), got \(2, 1\)"),
        (torch.tensor([0.0, 1.0]), 3, TypeError, "integer labels, got torch.float32"),
        (torch.tensor([0]), 0, ValueError, "num_classes of at least 1, got 0"),
    ],
)
def test_bad_labels_are_named(labels: Tensor, num_classes: int, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        one_hot_targets(labels, num_classes)
