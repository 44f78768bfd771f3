"""Class labels as targets for a mean square error."""

import torch
from torch import Tensor


def one_hot_targets(labels: Tensor, num_classes: int) -> Tensor:
    """Encode class labels as −1/+1 targets for a mean square error.

    Args:
        labels: (N,) integers in 0..num_classes − 1; N may be 0.
        num_classes: C, the number of output units.

    Returns:
        (N, C) tensor of the default float type on the labels' device, +1 at each sample's label and −1 elsewhere.

    Raises:
        TypeError: the labels are not integers.
        ValueError: a label lies outside 0..C − 1, labels is not one-dimensional, or C is not positive.

    Source: slides E7 and E8.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"expected integer labels, got {labels.dtype}: convert them with labels.long().")
    if labels.dim() != 1:
        raise ValueError(
            f"expected labels of shape (N,), got {tuple(labels.shape)}: flatten them, or drop a dimension."
        )
    if num_classes < 1:
        raise ValueError(f"expected num_classes of at least 1, got {num_classes}.")
    indices = labels.long()
    if indices.numel() and not (int(indices.min()) >= 0 and int(indices.max()) < num_classes):
        raise ValueError(
            f"expected labels in 0..{num_classes - 1}, got values from {int(indices.min())} to {int(indices.max())}: "
            "classes are counted from 0 in code, and num_classes is their number."
        )
    targets = torch.full((len(indices), num_classes), -1.0, device=labels.device)
    return targets.scatter_(1, indices.unsqueeze(1), 1.0)
