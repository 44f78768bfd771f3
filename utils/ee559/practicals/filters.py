"""Practical 2, filters and losses: filters for given effects, losses, targets and counting errors."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ee559.checks import Fault
from ee559.practicals.practical import Part, Practical, by_hand, draw, with_gradients
from ee559.targets import one_hot_targets
from ee559.training import compute_nb_errors

SHIFT = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]])
CENTRE = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
LOWER = torch.tensor([[1.0, 1, 1], [0, 0, 0], [-1, -1, -1]])
MEAN = torch.full((3, 3), 1 / 9)
IMAGE = draw(1, 1, 5, 6).float()


def _filters(
    shift: Tensor = SHIFT, mean: Tensor = MEAN, lower: Tensor = LOWER, sharper: Tensor | None = None
) -> Tensor:
    return torch.stack([shift, mean, lower, 2 * CENTRE - MEAN if sharper is None else sharper])


def _answers(filters: Callable[[], Tensor]) -> Callable[[], object]:
    """Return the answers of the four filters to an image."""

    def use() -> object:
        made = filters()
        if not isinstance(made, Tensor) or made.shape != (4, 3, 3) or made.dtype != IMAGE.dtype:
            came = f"{made.dtype} {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
            raise Fault(f"expected a tensor of size (4, 3, 3) and type {IMAGE.dtype}, got {came}")
        return {f"filter {k}": F.conv2d(IMAGE, one[None, None]) for k, one in enumerate(made)}

    return use


def _loss(loss: Callable[[Tensor, Tensor], object]) -> Callable[..., object]:
    """Return the value and the gradient of a loss; unequal shapes it must refuse."""

    def use(x: Tensor, t: Tensor) -> object:
        if x.shape == t.shape:
            return with_gradients("x")(loss)(x, t)
        try:
            loss(x, t)
        except ValueError as error:
            if all(str(tuple(s)) in str(error) or str(list(s)) in str(error) for s in (x.shape, t.shape)):
                return None
            raise Fault(f"its error does not name both shapes, {tuple(x.shape)} and {tuple(t.shape)}") from error
        raise Fault("unequal shapes are broadcast, where it should raise a ValueError")

    return use


def _by_hand(loss: Callable[[Tensor, Tensor], object]) -> Callable[..., object]:
    return by_hand("loss")(_loss(loss))


def _careful(loss: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def careful(x: Tensor, t: Tensor) -> Tensor:
        if x.shape != t.shape:
            raise ValueError(f"expected equal shapes, got {tuple(x.shape)} and {tuple(t.shape)}")
        return loss(x, t)

    return careful


def _nb_errors(output: Tensor, target: Tensor) -> int:
    return compute_nb_errors(nn.Identity(), output, target)


LOSS_CASES = [
    (draw(3), draw(3, seed=1)),
    (draw(4, 5), draw(4, 5, seed=1)),
    (draw(5, 1), draw(5)),
    (draw(4, 3), draw(3)),
    (draw(4, 3), draw(7, 2)),
]
SIX = torch.tensor([[0.2, 0.9, 0.1], [0.8, 0.2, 0.9], [0.6, 0.5, 0.1], [0.1, 0.7, 0.6], [0.3, 0.2, 0.9]])
LABELS = torch.tensor([1, 0, 0, 2, 2])

filters = Practical(
    {
        "my_filters": Part(
            _answers(_filters),
            cases=[()],
            see=("05", "Five filters, written by hand"),
            use=_answers,
            mistakes={
                "filter 0 moves the image to the left": _answers(lambda: _filters(shift=SHIFT.flip(1))),
                "filter 0 moves the image down or up": _answers(lambda: _filters(shift=SHIFT.t())),
                "filter 1 sums, and does not take the mean": _answers(lambda: _filters(mean=9 * MEAN)),
                "filter 2 finds upper edges": _answers(lambda: _filters(lower=-LOWER)),
                "filter 2 finds left and right edges": _answers(lambda: _filters(lower=LOWER.t())),
                "filter 3 is the image minus the mean, once": _answers(lambda: _filters(sharper=CENTRE - MEAN)),
                "filter 3 takes away the sum of the window": _answers(lambda: _filters(sharper=2 * CENTRE - 9 * MEAN)),
            },
        ),
        "my_mse": Part(
            _loss(_careful(F.mse_loss)),
            cases=LOSS_CASES,
            see=("06", "The mean square error"),
            use=_by_hand,
            mistakes={
                "the sum, and not the mean": _loss(_careful(lambda x, t: (x - t).square().sum())),
                "divided by the samples only": _loss(_careful(lambda x, t: (x - t).square().sum() / len(x))),
                "the absolute error": _loss(_careful(F.l1_loss)),
                "the mean along one dimension only": _loss(_careful(lambda x, t: (x - t).square().mean(-1))),
            },
        ),
        "my_l1": Part(
            _loss(_careful(F.l1_loss)),
            cases=LOSS_CASES,
            see=("06", "The absolute error, and reading a number"),
            use=_by_hand,
            mistakes={
                "the sum, and not the mean": _loss(_careful(lambda x, t: (x - t).abs().sum())),
                "signed differences cancel": _loss(_careful(lambda x, t: (x - t).mean())),
                "the square": _loss(_careful(F.mse_loss)),
            },
        ),
        "my_targets": Part(
            one_hot_targets,
            cases=[(torch.tensor([1, 0, 0, 2, 1]), 3), (torch.tensor([4, 0]), 10)],
            see=("07", "A class is not a quantity"),
            mistakes={
                "0 in place of −1": lambda y, C: F.one_hot(y, C).float(),
                "integers, where a loss needs floats": lambda y, C: 2 * F.one_hot(y, C) - 1,
                "the signs the other way round": lambda y, C: -one_hot_targets(y, C),
                "as many columns as the largest label says": lambda y, C: one_hot_targets(y, int(y.max()) + 1),
                "samples as columns": lambda y, C: one_hot_targets(y, C).t(),
            },
        ),
        "my_nb_errors": Part(
            _nb_errors,
            cases=[(SIX, one_hot_targets(LABELS, 3)), (SIX, F.one_hot(LABELS, 3).float()), (SIX, LABELS)],
            see=("07", "Winner takes all"),
            mistakes={
                "the maximum along the samples": lambda x, z: int((x.argmax(0) != z.argmax(0)).sum()),
                "the samples that are right": lambda x, z: len(x) - _nb_errors(x, z),
                "it looks for a target below zero, and here targets are 0 and 1": lambda x, z: int(
                    (z.gather(1, x.argmax(1, keepdim=True)) < 0).sum()
                ),
                "signs, counted for each unit": lambda x, z: int((x * z < 0).sum()),
                "a share, and not a number": lambda x, z: _nb_errors(x, z) / len(x),
                "the largest target, where the target has labels already": lambda x, z: int(
                    (x.argmax(1) != z.argmax()).sum()
                ),
            },
        ),
    }
)
