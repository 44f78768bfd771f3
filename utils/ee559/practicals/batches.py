"""Practical 5, batch processing: loops into batches, gradients by hand, and fair times."""

import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ee559.checks import Fault
from ee559.practicals.practical import Part, Practical, by_hand, count_calls, draw


MANY = 60  # samples that show a loop
CALLS = 20  # enough without one


def _without_loops(function: Callable[..., object]) -> Callable[..., object]:
    """Run a function, and refuse one that calls an operation for each sample."""

    def use(*arguments: Tensor) -> object:
        result: list[object] = []
        calls = count_calls(lambda: result.append(function(*arguments)))
        if len(arguments[0]) == MANY and calls > CALLS:
            raise Fault(f"it calls {calls} operations for {MANY} samples: use no loop")
        return result[0]

    return use


def _distances(function: Callable[..., object]) -> Callable[..., object]:
    """Also try rows that are equal: the sum of their squared differences may be rounded to less than zero."""

    def use(x: Tensor, y: Tensor) -> object:
        result = _without_loops(function)(x, y)
        if len(x) == MANY and isinstance(same := function(x, x.clone()), Tensor) and same.isnan().any():
            raise Fault("nan for rows that are equal: rounding makes a sum of squares negative, and has no root")
        return result

    return by_hand("cdist")(use)


def _backward(function: Callable[..., object]) -> Callable[..., object]:
    return by_hand("backward", "requires_grad_")(torch.inference_mode()(lambda *arguments: function(*arguments)))


def _gradients(x: Tensor, w: Tensor, g: Tensor) -> tuple[Tensor, ...]:
    leaves = [x.clone().requires_grad_(), w.clone().requires_grad_(), w.new_zeros(len(w), requires_grad=True)]
    return torch.autograd.grad(F.linear(*leaves), leaves, g)


def _losses(x: Tensor, t: Tensor) -> Tensor:
    return torch.stack([F.mse_loss(one, other) for one, other in zip(x, t, strict=True)])


def _median(seconds: Sequence[float]) -> float:
    return float(torch.tensor(seconds[1:], dtype=torch.float64).median())


batches = Practical(
    {
        "batch_linear": Part(
            F.linear,
            cases=[
                (draw(4, 3), draw(2, 3), draw(2)),
                (draw(3, 3), draw(3, 3), draw(3)),
                (draw(MANY, 8), draw(2, 8), draw(2)),
            ],
            see=("10", "The whole batch at once"),
            use=_without_loops,
            mistakes={
                "the weight is not transposed": lambda x, w, b: x @ w + b,
                "the bias is not added": lambda x, w, b: x @ w.t(),
                "the result is transposed, samples as columns": lambda x, w, b: F.linear(x, w, b).t(),
            },
        ),
        "pairwise_distances": Part(
            torch.cdist,
            cases=[
                (draw(3, 2), draw(4, 2, seed=1)),
                (draw(4, 4), draw(4, 4, seed=1)),
                (draw(MANY, 20), draw(5, 20, seed=1)),
            ],
            see=("10", "The whole batch at once"),
            use=_distances,
            mistakes={
                "the root is not taken": lambda x, y: torch.cdist(x, y).square(),
                "rows of y against rows of x: transpose": lambda x, y: torch.cdist(y, x),
                "the sum of absolute differences": lambda x, y: torch.cdist(x, y, p=1),
                "row n of x against row n of y only": lambda x, y: (x - y).square().sum(1).sqrt(),
            },
        ),
        "losses_by_sample": Part(
            _losses,
            cases=[
                (draw(4, 3), draw(4, 3, seed=1)),
                (draw(3, 2, 4, 5), draw(3, 2, 4, 5, seed=1)),
                (draw(MANY, 8), draw(MANY, 8, seed=1)),
            ],
            see=("06", "The mean square error"),
            use=_without_loops,
            mistakes={
                "one loss for the whole batch": F.mse_loss,
                "the sum over the components, and not the mean": lambda x, t: (x - t).square().flatten(1).sum(1),
                "the mean over the samples, and not over the components": lambda x, t: (x - t).square().mean(0),
                "the mean over one dimension only": lambda x, t: (x - t).square().mean(1),
            },
        ),
        "linear_gradients": Part(
            _gradients,
            cases=[(draw(5, 3), draw(2, 3), draw(5, 2)), (draw(4, 4), draw(4, 4, seed=1), draw(4, 4, seed=2))],
            see=("10", "The backward pass"),
            use=_backward,
            mistakes={
                "the gradient for w is transposed": lambda x, w, g: (g @ w, x.t() @ g, g.sum(0)),
                "the gradient for x has w transposed": lambda x, w, g: (g @ w.t(), g.t() @ x, g.sum(0)),
                "means over the samples, and not sums": lambda x, w, g: (g @ w, g.t() @ x / len(x), g.mean(0)),
                "the gradient for b is g itself, not summed": lambda x, w, g: (g @ w, g.t() @ x, g),
                "the order is x, w, b": lambda x, w, g: (g.t() @ x, g @ w, g.sum(0)),
            },
        ),
        "fair": Part(
            _median,
            cases=[([2.0, 4.0, 10.0, 1.0, 3.0],), ([2.0, 9.0, 1.0, 3.0],), ([5.0, 4.0, 1.0],), ([7.0, 2.0],)],
            see=("10", "Batch against loop"),
            mistakes={
                "the warm-up is counted": lambda s: _median([0.0, *s]),
                "the mean, which one slow run moves": lambda s: sum(s[1:]) / len(s[1:]),
                "the upper of the two in the middle": lambda s: sorted(s[1:])[(len(s) - 1) // 2],
                "the mean of the two in the middle": lambda s: statistics.median(s[1:]),
                "the slowest is left out, and not the first": lambda s: _median([0.0, *sorted(s)[:-1]]),
                "the fastest run": lambda s: min(s[1:]),
                "the times are not sorted": lambda s: s[1:][(len(s) - 2) // 2],
            },
        ),
    }
)
