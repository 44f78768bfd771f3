"""Counts of the layer table, each with the formula that gives it: 832 = 32 × (5² + 1)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Formula:
    """A whole number and how it is worked out, which are made together.

    Attributes:
        value: such as 832.
        text: such as "32 × (5² + 1)", empty where nothing is counted.
    """

    value: int = 0
    text: str = ""

    def __add__(self, other: "Formula") -> "Formula":
        """Add both values, and write a sum."""
        return Formula(self.value + other.value, " + ".join(filter(None, (self.text, other.text))))

    def __rmul__(self, times: int) -> "Formula":
        """Multiply the value, and write this formula in parentheses."""
        return Formula(times * self.value, f"{times} × ({self.text})")

    def __str__(self) -> str:
        """Write the formula without its value."""
        return self.text

    def equation(self) -> str:
        """Write the formula with its value, or the value alone when the formula says no more."""
        return f"{self.value:,}" if not self.text or self.text.isdecimal() else f"{self.text} = {self.value:,}"


def product(*blocks: Sequence[int]) -> Formula:
    """Multiply all sizes; equal neighbours of a block are written as a power: 32 × 24² × 5²."""
    powers = [(size, len(list(run))) for block in blocks for size, run in groupby(block)]
    factors = [f"{size}{str(power).translate(SUPERSCRIPTS) if power > 1 else ''}" for size, power in powers]
    return Formula(math.prod(size**power for size, power in powers), " × ".join(factors) or "1")


def sum_of_sizes(tensors: Iterable[Tensor]) -> Formula:
    """Count the values of all tensors: 2 + 3 × 4."""
    return sum((product(tensor.shape[:1], tensor.shape[1:]) for tensor in tensors), Formula())


def layer_parameters(weight: Sequence[int], has_bias: bool) -> Formula:
    """Count D × (C × k² + 1): a bias for each output.

    Args:
        weight: (D, C, k, …), the shape of the weights of a convolution or, without k, of a linear layer.
        has_bias: whether each output has a bias.
    """
    outputs, channels, *kernel = weight
    inside = ([channels] if channels > 1 or not kernel else [], kernel)
    return outputs * (product(*inside) + product([1])) if has_bias else product([outputs], *inside)


def layer_products(weight: Sequence[int], output: Sequence[int]) -> Formula:
    """Count D × C, or C × D × positions × kernel: each output sums over the channels and over its window.

    Args:
        weight: (D, C, k, …) as above; C counts the channels of one group.
        output: (…, D, positions, …); what stands before D is written when its product is not 1.
    """
    outputs, channels, *kernel = weight
    samples = math.prod(output[: -len(kernel) - 1])
    if not kernel:
        return product(_not_one(samples), [outputs], [channels])
    return product(_not_one(samples), [*_not_one(channels), outputs], output[-len(kernel) :], kernel)


def _not_one(size: int) -> list[int]:
    return [size] if size != 1 else []
