"""Formulas of the layer table: 32 × (5² + 1) as text, and the number that such a text stands for."""

import math
from collections.abc import Sequence
from itertools import groupby

DIGITS = "0123456789"
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def layer_parameters(weight: Sequence[int], has_bias: bool) -> str:
    """Write D × (C × k² + 1): a bias for each output.

    Args:
        weight: (D, C, k, …), the shape of the weights of a convolution or, without k, of a linear layer.
        has_bias: whether each output has a bias.
    """
    outputs, channels, *kernel = weight
    inside = product([channels] if channels > 1 or not kernel else [], kernel)
    return f"{outputs} × ({inside} + 1)" if has_bias else f"{outputs} × {inside}"


def convolution_products(weight: Sequence[int], output: Sequence[int]) -> str:
    """Write C × D × positions × kernel: each output sums over the channels of its group and over its window.

    Args:
        weight: (D, C, k, …), where C counts the channels of one group.
        output: (N, D, …) or (D, …); N is written when it is not 1.
    """
    outputs, channels, *kernel = weight
    samples = math.prod(output[: -len(kernel) - 1])
    return product(_not_one(samples), [*_not_one(channels), outputs], output[-len(kernel) :], kernel)


def linear_products(weight: Sequence[int], output: Sequence[int]) -> str:
    """Write D × C, times the number of rows when there are several.

    Args:
        weight: (D, C).
        output: (…, D).
    """
    return product(_not_one(math.prod(output[:-1])), weight[:1], weight[1:])


def recurrent_products(weights: Sequence[Sequence[int]], output: Sequence[int]) -> str:
    """Write steps × (sum of the weights): each step uses every weight once.

    Args:
        weights: the shapes of all matrices of weights.
        output: (…, H), where … multiply to the number of steps.
    """
    return f"{math.prod(output[:-1])} × ({' + '.join(product(weight[:1], weight[1:]) for weight in weights)})"


def product(*blocks: Sequence[int]) -> str:
    """Write the product of all sizes, equal neighbours of a block as a power: 32 × 24² × 5²."""
    factors = []
    for block in blocks:
        for size, run in groupby(block):
            power = len(list(run))
            factors.append(f"{size}{_superscript(power) if power > 1 else ''}")
    return " × ".join(factors) or "1"


def evaluate(formula: str) -> int:
    """Work out a formula of ours: sums, products and powers of whole numbers; an empty one is 0.

    Args:
        formula: such as "64 × (32 × 5² + 1)".
    """
    return sum(math.prod(map(_factor, _split(term, "×"))) for term in _split(formula, "+") if term)


def with_value(formula: str, number: int) -> str:
    """Write a formula with its value, or the value alone when the formula says no more."""
    return f"{number:,}" if not formula or formula.isdecimal() else f"{formula} = {number:,}"


def _factor(text: str) -> int:
    if text.startswith("("):
        return evaluate(text[1:-1])
    base = text.rstrip(SUPERSCRIPTS)
    power = int(text[len(base) :].translate(str.maketrans(SUPERSCRIPTS, DIGITS)) or 1)
    return math.prod([int(base)] * power)


def _split(text: str, sign: str) -> list[str]:
    """Split at a sign that stands outside of parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _not_one(size: int) -> list[int]:
    return [size] if size != 1 else []


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans(DIGITS, SUPERSCRIPTS))
