"""Practical 1, sizes: windows, ReLU, max-pooling and convolution by hand."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from ee559.practicals.practical import Part, Practical, by_hand, draw, with_gradients


def _output_size(
    length: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
) -> int:
    pool = nn.MaxPool1d(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    return int(pool(torch.zeros(1, 1, length)).size(2))


def _wrong_size(sides: int = 2, first: int = 1, dilated: bool = True, rounds: str = "both") -> Callable[..., int]:
    """Make an output_size with one of the common mistakes in its formula."""

    def output_size(
        length: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil_mode: bool = False
    ) -> int:
        reach = dilation * (kernel_size - 1) + 1 if dilated else kernel_size
        room = length + sides * padding - reach
        up = rounds == "up" or (rounds == "both" and ceil_mode)
        return (-(-room // stride) if up else room // stride) + first

    return output_size


def _first_and_last(index: int, length: int, kernel_size: int, stride: int, padding: int) -> tuple[int, int]:
    places = torch.zeros(1, 1, length, dtype=torch.float64, requires_grad=True)
    ones = torch.ones(1, 1, kernel_size, dtype=torch.float64)
    F.conv1d(places, ones, stride=stride, padding=padding)[0, 0, index].backward()
    assert places.grad is not None
    seen = places.grad[0, 0].nonzero()[:, 0]
    return int(seen[0]), int(seen[-1])


_of_x = with_gradients("x")
_trained = with_gradients("x", "weight", "bias")
_by_hand = by_hand("relu", "max_pool", "conv")


sizes = Practical(
    {
        "output_size": Part(
            _output_size,
            cases=[
                (5, 3),
                (10, 3, 3),
                (7, 2, 2, 1),
                (28, 5, 1, 2),
                (12, 3, 2, 0, 2),
                (7, 3, 3, 0, 1, True),
                (5, 2, 3, 1, 1, True),
            ],
            see=("03", "Sides that do not divide"),
            use=_by_hand,
            mistakes={
                "a last window that begins beyond the input and its left frame must be dropped": _wrong_size(),
                "the frame is counted on one side only": _wrong_size(sides=1),
                "the dilation is left out": _wrong_size(dilated=False),
                "it rounds down with ceil_mode too": _wrong_size(rounds="down"),
                "it rounds up without ceil_mode": _wrong_size(rounds="up"),
                "the first window is not counted": _wrong_size(first=0),
            },
        ),
        "my_relu": Part(
            _of_x(F.relu),
            cases=[(draw(2, 5),), (draw(7).float(),), (draw(3, 4, 2).transpose(0, 2),), (draw(0, 3),)],
            see=("01", "ReLU"),
            use=lambda answer: _by_hand(_of_x(answer)),
            mistakes={
                "the absolute value": _of_x(torch.abs),
                "where x is positive, and not its values": _of_x(lambda x: (x > 0).to(x.dtype)),
            },
        ),
        "my_max_pool2d": Part(
            _of_x(F.max_pool2d),
            cases=[
                (draw(1, 1, 4, 4), 2),
                (draw(2, 3, 6, 9), 3),
                (-draw(1, 2, 5, 7).abs() - 1, 2),
                (draw(2, 1, 7, 7), 3, 2),
                (draw(2, 1, 7, 6), 2, 1),
                (draw(1, 2, 6, 4).float().transpose(2, 3), 2),
            ],
            see=("03", "The largest value of each window"),
            use=lambda answer: _by_hand(_of_x(answer)),
            mistakes={
                "the stride is 1 where it should be the kernel size": _of_x(
                    lambda x, k, s=None: F.max_pool2d(x, k, s or 1)
                ),
                "the stride that is given is not used": _of_x(lambda x, k, s=None: F.max_pool2d(x, k)),
                "the mean of each window": _of_x(lambda x, k, s=None: F.avg_pool2d(x, k, s)),
                "zeros take part in the maximum": _of_x(lambda x, k, s=None: F.max_pool2d(x, k, s).clamp(min=0)),
                "values that fill no window are kept": _of_x(
                    lambda x, k, s=None: F.max_pool2d(x, k, s, ceil_mode=True)
                ),
                "the maximum over channels too": _of_x(
                    lambda x, k, s=None: F.max_pool2d(x, k, s).amax(1, keepdim=True)
                ),
            },
        ),
        "my_conv2d": Part(
            _trained(F.conv2d),
            cases=[
                (draw(1, 1, 4, 5), draw(1, 1, 2, 3), torch.zeros(1, dtype=torch.float64)),
                (draw(2, 3, 6, 5), draw(4, 3, 3, 2), draw(4)),
                (draw(2, 2, 7, 7), draw(3, 2, 3, 3), draw(3), 2),
                (draw(2, 2, 6, 7), draw(3, 2, 3, 3), draw(3), 2, 1),
            ],
            see=("04", "The convolutional layer"),
            mistakes={
                "the kernel is turned round": _trained(lambda x, w, b, *s: F.conv2d(x, w.flip(2, 3), b, *s)),
                "the bias is not added": _trained(lambda x, w, b, *s: F.conv2d(x, w, 0 * b, *s)),
                "the stride is not used": _trained(lambda x, w, b, s=1, p=0: F.conv2d(x, w, b, 1, p)),
                "the padding is not used": _trained(lambda x, w, b, s=1, p=0: F.conv2d(x, w, b, s)),
                "the channels are averaged, and not summed": _trained(
                    lambda x, w, b, *s: F.conv2d(x, w / w.size(1), b, *s)
                ),
            },
            use=lambda answer: _by_hand(_trained(answer)),
        ),
        "first_and_last": Part(
            _first_and_last,
            cases=[(0, 9, 3, 1, 0), (2, 9, 3, 2, 0), (0, 9, 5, 2, 2), (4, 9, 5, 2, 2), (2, 8, 4, 3, 1)],
            see=("02", "Nine windows"),
            use=_by_hand,
            mistakes={
                "the stride is left out": lambda i, n, k, s, p: (max(i - p, 0), min(i - p + k - 1, n - 1)),
                "the frame is left out": lambda i, n, k, s, p: (i * s, min(i * s + k - 1, n - 1)),
                "places in the frame are no cells of the input": lambda i, n, k, s, p: (i * s - p, i * s - p + k - 1),
                "the last cell is one too far": lambda i, n, k, s, p: (max(i * s - p, 0), min(i * s - p + k, n)),
            },
        ),
    }
)
