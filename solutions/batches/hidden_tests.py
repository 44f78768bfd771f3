"""Hidden tests of practical 5, batches."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from ee559_course.practicals.hidden import Case, Draw, HiddenTest
from torch import Tensor

SEE = {
    "others": ("10", "The whole batch at once"),
    "telling": ("10", "The whole batch at once"),
    "repair": ("06", "The silent bug: broadcasting"),
    "clip": ("10", "The backward pass"),
    "tiles": ("10", "Batch against loop"),
    "words": ("10", "Batch against loop"),
}


def others(x: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of the other samples of each sample's class, zeros where there is none."""
    rows = []
    for n in range(len(x)):
        same = labels == labels[n]
        same[n] = False
        rows.append(x[same].sum(0) / max(1, int(same.sum())))
    return torch.stack(rows)


def with_itself(x: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of each sample's class, the sample included."""
    return torch.stack([x[labels == label].mean(0) for label in labels])


class _Others(HiddenTest):
    part = "others"
    asks = "mean_of_others"

    @staticmethod
    def answer(mean_of_others: Any, x: Tensor, labels: Tensor, num_classes: int) -> object:
        """Return the means."""
        return mean_of_others(x, labels, num_classes)

    expected = staticmethod(others)


class OthersOfTheClass(_Others):
    """The mean of the other samples of a class"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield classes of two samples and of more, all of them used."""
        yield {"x": torch.tensor([[1.0], [3.0], [5.0], [8.0]]), "labels": torch.tensor([0, 0, 1, 1]), "num_classes": 2}
        draw = Draw("others")
        yield {"x": draw.normal(5, 3), "labels": torch.tensor([1, 0, 1, 0, 1]), "num_classes": 2}
        yield {"x": draw.normal(3, 3), "labels": torch.tensor([0, 0, 0]), "num_classes": 1}
        yield {"x": draw.normal(50, 2, dtype=torch.float64), "labels": torch.arange(50) % 7, "num_classes": 7}
        yield {"x": -torch.ones(4, 2) * 200, "labels": torch.tensor([0, 1, 0, 1]), "num_classes": 2}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield batches in which each class has two samples at least."""
        for _ in range(4):
            num_classes, dim = draw.randint(2, 6), draw.randint(1, 6)
            labels = torch.cat([torch.arange(num_classes).repeat(2), draw.labels(draw.randint(0, 20), num_classes)])
            order = draw.sample(range(len(labels)), len(labels))
            yield {"x": draw.normal(len(labels), dim) + 1, "labels": labels[order], "num_classes": num_classes}

    mistakes: ClassVar = {
        "the sample itself is in its mean": with_itself,
        "the mean of all other samples, whatever their class": lambda x, labels, num_classes: (
            (x.sum(0) - x) / (len(x) - 1)
        ),
        "the sum over the others, and not their mean": lambda x, labels, num_classes: (
            torch.stack([x[labels == label].sum(0) for label in labels]) - x
        ),
    }


class OthersAlone(_Others):
    """Classes of one sample or none"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield batches with samples that are alone, and classes without any."""
        yield {"x": torch.tensor([[2.0, -3.0]]), "labels": torch.tensor([0]), "num_classes": 1}
        yield {"x": torch.tensor([[4.0], [4.0], [6.0]]), "labels": torch.tensor([0, 0, 1]), "num_classes": 2}
        yield {"x": torch.tensor([[1.0, 7], [2, 5], [1, 7]]), "labels": torch.tensor([3, 0, 3]), "num_classes": 5}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield two equal samples of one class among samples that are alone."""
        for _ in range(3):
            x = draw.normal(6, 3) + 2
            x[4] = x[1]
            labels = draw.sample(range(9), 6)
            labels[4] = labels[1]
            yield {"x": x, "labels": torch.tensor(labels), "num_classes": 9}

    mistakes: ClassVar = {
        "a sample that is alone gives itself, and not zeros": with_itself,
        "a sample that is alone gives nan: 0 divided by 0": lambda x, labels, num_classes: torch.where(
            (labels[:, None] == labels).sum(1, keepdim=True) > 1, others(x, labels, num_classes), math.nan
        ),
    }


class OthersOnALargeBatch(HiddenTest):
    """No loop over the samples of a large batch"""

    part = "others"
    asks = "mean_of_others"
    points = 1
    seconds = 0.2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield n and 10 n samples."""
        yield {"nb_samples": 10_000, "num_classes": 2}
        yield {"nb_samples": 100_000, "num_classes": 2}

    @staticmethod
    def answer(mean_of_others: Any, nb_samples: int, num_classes: int) -> object:
        """Return the size and a few rows of the means for samples that lie near ten times their label."""
        labels = torch.arange(nb_samples) % num_classes
        x = torch.rand(nb_samples, 4, generator=torch.Generator().manual_seed(5)) + 10 * labels[:, None]
        means = mean_of_others(x, labels, num_classes)
        return {"size": list(means.shape), "rows": means[-num_classes:]}

    @staticmethod
    def facts(came: Any, nb_samples: int, num_classes: int) -> object:
        """Say which row is not near the mean of its class: the other tests look closer."""
        labels = torch.arange(nb_samples)[-num_classes:] % num_classes
        assert came["size"] == [nb_samples, 4], f"size: expected {[nb_samples, 4]}, got {came['size']}"
        far = (came["rows"] - 10 * labels[:, None] - 0.5).abs().max()
        assert bool(far < 0.1), "a row is far from the mean of its class"
        return True

    @staticmethod
    def expected(nb_samples: int, num_classes: int) -> object:
        """Return what holds for the means."""
        return True


class _Telling(HiddenTest):
    part = "telling"
    asks = "is_right"

    @staticmethod
    def answer(is_right: Any, number: int) -> object:
        """Return what is said of a candidate."""
        candidates = [
            lambda x, w, b: x @ w.t() + b,
            lambda x, w, b: x @ w.t(),
            lambda x, w, b: 1.01 * (x @ w.t() + b),
            lambda x, w, b: torch.stack([w.mv(row) + b for row in x]),
            lambda x, w, b: (x @ w.t() + b).clamp(min=0),
            lambda x, w, b: (x @ w.t() + b) * (1 + torch.finfo(x.dtype).eps),
            lambda x, w, b: w @ x.t() + b[:, None],
            lambda x, w, b: torch.cat([half @ w.t() + b for half in x.reshape(2, -1, x.size(1))]),
            lambda x, w, b: torch.matmul(x, w.t()) + b,
            lambda x, w, b: (x[:1] @ w.t() + b).expand(len(x), -1),
            lambda x, w, b: x.t().reshape(x.shape) @ w.t() + b,
            lambda x, w, b: (x @ w.t()).squeeze(0) + b,
            lambda x, w, b: (x @ w.t()).squeeze(1) + b,
            lambda x, w, b: x @ w.t() + (b[:, None] if len(b) == len(x) else b),
            lambda x, w, b: x @ w.t() + b.expand(len(x), len(b)),
            lambda x, w, b: x @ (w if w.size(0) == w.size(1) else w.t()) + b,
        ]
        said = is_right(candidates[number - 1])
        return said.item() if hasattr(said, "item") else said

    @staticmethod
    def expected(number: int) -> object:
        """Return whether the candidate is right."""
        return number in (1, 4, 6, 9, 15)

    @classmethod
    def call(cls, case: Case) -> str:
        """Write which candidate it is."""
        return f"is_right(candidate {case['number']})"


class TellingFaults(_Telling):
    """Candidates that are wrong for most batches"""

    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield each candidate."""
        yield from ({"number": number} for number in range(1, 9))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield the candidates in another order, some of them twice."""
        yield from ({"number": number} for number in [draw.randint(1, 8) for _ in range(15)])


class TellingSizes(_Telling):
    """Candidates that are wrong for some sizes only"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield each candidate."""
        yield from ({"number": number} for number in range(9, 17))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield the candidates in another order, some of them twice."""
        yield from ({"number": number} for number in [draw.randint(9, 16) for _ in range(15)])


def loss_of_rows(
    x: Tensor, w: Tensor, b: Tensor, t: Tensor, weights: Tensor, deviation: Tensor | None = None
) -> Tensor:
    """Return the weighted mean of the losses of rows of mean 0, each divided by its deviation or by what is given."""
    deviation = x.std(1, correction=0, keepdim=True) if deviation is None else deviation
    losses = (x / deviation @ w.t() + b - t).square().mean(1)
    return (weights * losses).sum() / weights.sum()


def centred(x: Tensor) -> Tensor:
    """Return rows, each less its mean."""
    return x - x.mean(1, keepdim=True)


def mixed(images: Tensor) -> Tensor:
    """Return the rows that the given code makes: each has numbers of several images."""
    return images.reshape(-1, len(images)).t()


def weighted_mean_loss(images: Tensor, w: Tensor, b: Tensor, t: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of the images' losses, image by image."""
    losses = []
    for n in range(len(images)):
        x = images[n].flatten()
        x = (x - x.mean()) / x.std(correction=0)
        losses.append((w.mv(x) + b - t[n]).square().mean())
    return (weights * torch.stack(losses)).sum() / weights.sum()


def without_loop(loss: Tensor) -> dict[str, object]:
    """Return what a loss is judged with where images add no operations."""
    return {"loss": loss, "operations that more images add": 0}


def problem(draw: Draw, rows: Tensor, size: tuple[int, int, int], weights: Tensor | None = None) -> Case:
    """Make a case of images from their rows of numbers, for three outputs, with equal weights if none are given."""
    return {
        "images": rows.reshape(-1, *size),
        "w": draw.normal(3, rows.size(1)),
        "b": draw.normal(3),
        "t": draw.normal(len(rows), 3),
        "weights": torch.ones(len(rows)) if weights is None else weights,
    }


def turned(draw: Draw, dim: int, turns: int) -> Tensor:
    """Make images of the same numbers, each turned one further: they have one mean, and so has each pixel."""
    values = draw.distinct(dim) + draw.randint(1, 4)
    return torch.stack([values.roll(n) for n in range(dim * turns)])


def symmetric(draw: Draw, dim: int) -> Tensor:
    """Make as many images as pixels, with one value for pixel i of image j and for pixel j of image i."""
    half = draw.normal(dim, dim) * torch.arange(1, dim + 1)
    return half + half.t()


class RepairApart(HiddenTest):
    """Images that differ in the places of their values, and no loop over them"""

    part = "repair"
    asks = "weighted_loss"
    points = 2
    see = ("08", "The trap in view(-1, 256)")
    mistakes: ClassVar = {
        "a row has numbers of several images": lambda images, w, b, t, weights: without_loop(
            loss_of_rows(centred(mixed(images)), w, b, t, weights)
        ),
        "a row has numbers of several images, and all images together have mean 0 and deviation 1": (
            lambda images, w, b, t, weights: without_loop(
                loss_of_rows(mixed(images) - images.mean(), w, b, t, weights, images.std(correction=0))
            )
        ),
        "std divides by the number of pixels less 1: correction=0 is missing": (
            lambda images, w, b, t, weights: without_loop(
                loss_of_rows(centred(images.flatten(1)), w, b, t, weights, images.flatten(1).std(1, keepdim=True))
            )
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield images of the same numbers in other places, all of weight 1."""
        draw = Draw("apart")
        for size in [(1, 2, 3), (1, 2, 2), (3, 2, 2)]:
            yield problem(draw, turned(draw, math.prod(size), 2), size)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for size in [(1, 2, 4), (2, 3, 2), (5, 1, 1)]:
            yield problem(draw, turned(draw, math.prod(size), draw.randint(2, 3)), size)

    @staticmethod
    def answer(weighted_loss: Any, images: Tensor, w: Tensor, b: Tensor, t: Tensor, weights: Tensor) -> object:
        """Return the loss, and how many operations more a batch with each sample five times takes."""
        from torch.utils._python_dispatch import TorchDispatchMode

        class Counting(TorchDispatchMode):
            calls = 0

            def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                self.calls += 1
                return func(*args, **(kwargs or {}))

        counting: Any = Counting
        with counting() as few:
            loss = weighted_loss(images, w, b, t, weights)
        more = images.repeat(5, 1, 1, 1), w, b, t.repeat(5, 1), weights.repeat(5)
        with counting() as many:
            weighted_loss(*more)
        return {"loss": loss, "operations that more images add": max(0, many.calls - few.calls)}

    @staticmethod
    def expected(images: Tensor, w: Tensor, b: Tensor, t: Tensor, weights: Tensor) -> object:
        """Return the loss, and no operation more."""
        return without_loop(weighted_mean_loss(images, w, b, t, weights))


class _Repair(HiddenTest):
    part = "repair"
    asks = "weighted_loss"

    @staticmethod
    def answer(weighted_loss: Any, images: Tensor, w: Tensor, b: Tensor, t: Tensor, weights: Tensor) -> object:
        """Return the loss."""
        return weighted_loss(images, w, b, t, weights)

    expected = staticmethod(weighted_mean_loss)


class RepairContrast(_Repair):
    """Bright and dark images, strong and weak ones"""

    points = 1
    see = ("10", "The whole batch at once")
    mistakes: ClassVar = {
        "all images together have mean 0 and deviation 1, and not each": lambda images, w, b, t, weights: loss_of_rows(
            images.flatten(1) - images.mean(), w, b, t, weights, images.std(correction=0)
        ),
        "the deviation is that of all images together": lambda images, w, b, t, weights: loss_of_rows(
            centred(images.flatten(1)), w, b, t, weights, images.std(correction=0)
        ),
        "the mean is that of all images together": lambda images, w, b, t, weights: loss_of_rows(
            images.flatten(1) - images.mean(),
            w,
            b,
            t,
            weights,
            images.flatten(1).std(1, correction=0, keepdim=True),
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield a batch of one, and batches of images of different means and deviations, all of weight 1."""
        draw = Draw("contrast")
        yield problem(draw, draw.normal(1, 6), (1, 2, 3))
        yield problem(draw, symmetric(draw, 4), (1, 2, 2))
        yield problem(draw, symmetric(draw, 6), (2, 3, 1))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for size in [(1, 2, 4), (2, 2, 3), (1, 1, 5)]:
            yield problem(draw, symmetric(draw, math.prod(size)), size)


class RepairWeights(_Repair):
    """Samples of different weights"""

    points = 2
    see = ("06", "The silent bug: broadcasting")
    mistakes: ClassVar = {
        "the weights have no effect: each weight meets the losses of all images": (
            lambda images, w, b, t, weights: weighted_mean_loss(images, w, b, t, torch.ones(len(images)))
        ),
        "the weighted losses are not divided by the weights' mean": lambda images, w, b, t, weights: (
            weighted_mean_loss(images, w, b, t, weights) * weights.mean()
        ),
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield images that share mean and deviation, and weights of all kinds."""
        draw = Draw("weights")
        for weights, size in [
            ([1.0, 2, 3, 10], (1, 2, 2)),
            ([0.0, 0, 1, 0, 0, 0], (1, 3, 2)),
            ([9.0, 0, 1], (3, 1, 1)),
        ]:
            values = draw.distinct(len(weights)) + 2
            rows = torch.stack([values.roll(-n) for n in range(len(weights))])
            yield problem(draw, rows, size, torch.tensor(weights))

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for size in [(1, 2, 4), (2, 2, 3), (1, 1, 5)]:
            values = draw.distinct(math.prod(size)) + 1
            rows = torch.stack([values.roll(-n) for n in range(math.prod(size))])
            yield problem(draw, rows, size, draw.pixels(len(rows)).square() * 5 + 0.01)


def clipped(x: Tensor, g: Tensor, most: float, bias: bool = True, limit: bool = True) -> tuple[Tensor, Tensor]:
    """Return the sums of the samples' gradients, each clipped, sample by sample.

    Args:
        x: (N, D).
        g: (N, K).
        most: the length of a gradient.
        bias: whether the gradient for b counts in the length.
        limit: whether a gradient that is shorter stays as it is.
    """
    for_w, for_b = x.new_zeros(g.size(1), x.size(1)), x.new_zeros(g.size(1))
    for n in range(len(x)):
        one = torch.outer(g[n], x[n])
        length = math.sqrt(one.square().sum().item() + (g[n].square().sum().item() if bias else 0))
        factor = most / length if length > most or (not limit and length) else 1.0
        for_w, for_b = for_w + factor * one, for_b + factor * g[n]
    return for_w, for_b


def clipped_whole(x: Tensor, g: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Return the gradient of the batch, clipped when it is summed."""
    for_w, for_b = g.t() @ x, g.sum(0)
    factor = min(1.0, most / math.sqrt((for_w.square().sum() + for_b.square().sum()).item()))
    return factor * for_w, factor * for_b


class ClipWeight(HiddenTest):
    """The gradient for w"""

    part = "clip"
    asks = "clipped_gradients"
    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield gradients below the limit, above it, and both in one batch."""
        draw = Draw("clip")
        yield {"x": torch.tensor([[2.0, 2.0]]), "g": torch.tensor([[3.0]]), "most": 3.0}
        yield {"x": draw.normal(5, 3), "g": draw.normal(5, 2), "most": 1.5}
        yield {"x": draw.normal(4, 3), "g": draw.normal(4, 3), "most": 2.5}
        yield {"x": draw.normal(3, 2), "g": draw.normal(3, 4), "most": 100.0}
        yield {"x": draw.normal(50, 4, dtype=torch.float64), "g": draw.normal(50, 2, dtype=torch.float64), "most": 0.75}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for _ in range(4):
            n, d, k = draw.randint(2, 9), draw.randint(2, 6), draw.randint(2, 6)
            yield {"x": draw.normal(n, d), "g": draw.normal(n, k), "most": draw.uniform(0.5, 2.5)}

    @staticmethod
    def answer(clipped_gradients: Any, x: Tensor, g: Tensor, most: float) -> object:
        """Return the gradient for w."""
        return clipped_gradients(x, g, most)[0]

    @staticmethod
    def expected(x: Tensor, g: Tensor, most: float) -> object:
        """Return the gradient for w."""
        return clipped(x, g, most)[0]

    mistakes: ClassVar = {
        "nothing is clipped": lambda x, g, most: g.t() @ x,
        "the gradient is summed first, and then clipped": lambda x, g, most: clipped_whole(x, g, most)[0],
        "the gradient for b does not count in the length": lambda x, g, most: clipped(x, g, most, bias=False)[0],
        "short gradients are made longer": lambda x, g, most: clipped(x, g, most, limit=False)[0],
        "the mean over the samples, and not the sum": lambda x, g, most: clipped(x, g, most)[0] / len(x),
    }


class ClipBias(HiddenTest):
    """The gradient for b, for large batches too"""

    part = "clip"
    asks = "clipped_gradients"
    points = 1
    seconds = 0.2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield batches with gradients on both sides of the limit, first large ones."""
        draw = Draw("bias")
        case = {"x": draw.normal(5, 3, dtype=torch.float64), "g": draw.normal(5, 2, dtype=torch.float64), "most": 1.25}
        for copies in (1_000, 10_000, 1):
            yield {**case, "copies": copies}
        yield {"x": draw.normal(1, 2), "g": draw.normal(1, 3), "most": 0.5, "copies": 1}
        yield {"x": draw.normal(50, 1), "g": draw.normal(50, 4), "most": 2.0, "copies": 1}
        yield {"x": draw.normal(3, 2), "g": draw.normal(3, 3), "most": 80.0, "copies": 1}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        for _ in range(4):
            n, d, k = draw.randint(2, 9), draw.randint(2, 6), draw.randint(2, 6)
            yield {"x": draw.normal(n, d), "g": draw.normal(n, k), "most": draw.uniform(0.5, 2.5), "copies": 1}

    @staticmethod
    def answer(clipped_gradients: Any, x: Tensor, g: Tensor, most: float, copies: int) -> object:
        """Return the gradient for b of a batch that has each sample many times."""
        return clipped_gradients(x.repeat(copies, 1), g.repeat(copies, 1), most)[1]

    @staticmethod
    def expected(x: Tensor, g: Tensor, most: float, copies: int) -> object:
        """Return the gradient for b."""
        return clipped(x, g, most)[1] * copies

    mistakes: ClassVar = {
        "nothing is clipped": lambda x, g, most, copies: g.sum(0) * copies,
        "the gradient for b does not count in the length": lambda x, g, most, copies: (
            clipped(x, g, most, bias=False)[1] * copies
        ),
        "short gradients are made longer": lambda x, g, most, copies: clipped(x, g, most, limit=False)[1] * copies,
        "the mean over the samples, and not the sum": lambda x, g, most, copies: clipped(x, g, most)[1] / len(x),
    }

    @classmethod
    def call(cls, case: Case) -> str:
        """Write the sizes of the batch."""
        n, d = case["x"].shape
        sizes = f"x: {n * case['copies']}×{d}, g: {n * case['copies']}×{case['g'].size(1)}"
        return f"clipped_gradients({sizes}, most={case['most']:.4g})"


class ClipNothing(HiddenTest):
    """Samples whose gradient is zero"""

    part = "clip"
    asks = "clipped_gradients"
    points = 1

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield batches of long gradients and of some that are zero."""
        draw = Draw("zero")
        yield {"x": torch.tensor([[1.0], [2.0]]), "g": torch.tensor([[0.0], [4.0]]), "most": 1.0}
        for most in (0.25, 0.5):
            g = draw.normal(6, 3).abs() + 1
            g[[1, 4]] = 0
            yield {"x": draw.normal(6, 2), "g": g, "most": most}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them."""
        g = draw.normal(5, 2).abs() + 1
        g[draw.randint(0, 4)] = 0
        yield {"x": draw.normal(5, 4), "g": g, "most": 0.4}

    @staticmethod
    def answer(clipped_gradients: Any, x: Tensor, g: Tensor, most: float) -> object:
        """Return the gradients for b with the samples whose gradient is zero, without them, and for −g."""
        kept = g.abs().sum(1) > 0
        return {
            "with": clipped_gradients(x.clone(), g.clone(), most)[1],
            "without": clipped_gradients(x[kept], g[kept], most)[1],
            "opposite": clipped_gradients(x.clone(), -g, most)[1],
        }

    @staticmethod
    def facts(came: Any, x: Tensor, g: Tensor, most: float) -> object:
        """Compare the directions alone, and say whether anything is clipped: the other tests look closer."""
        one, other = (came[name].double() / came[name].double().norm() for name in ("with", "without"))
        assert not bool(came["with"].isnan().any()), "a sample whose gradient is zero makes the sums nan"
        assert bool((one - other).abs().max() < 1e-4), "a sample whose gradient is zero changes the sums"
        assert bool(came["with"].norm() < 0.99 * g.sum(0).norm()), "gradients longer than most are not clipped"
        assert bool((came["with"] + came["opposite"]).abs().max() < 1e-4), "−g does not give the opposite"
        return True

    @staticmethod
    def expected(x: Tensor, g: Tensor, most: float) -> object:
        """Return what holds for the gradients."""
        return True


def fewest_reads(n: int, k: int, d: int, room: int) -> int:
    """Return how many numbers the best grid of equal tiles reads, by trying all heights."""
    found = []
    for rows in range(1, n + 1):
        columns = min(k, (room - rows * d) // (d + rows))
        if columns >= 1:
            found.append(d * (n * math.ceil(k / columns) + k * math.ceil(n / rows)))
    return min(found)


def design(n: int, k: int, d: int, room: int, times: float) -> Case:
    """Make a case with the most numbers that may be read."""
    return {"n": n, "k": k, "d": d, "room": room, "most": int(times * fewest_reads(n, k, d, room))}


class _Tiles(HiddenTest):
    part = "tiles"
    asks = "tiles"

    @staticmethod
    def answer(tiles: Any, n: int, k: int, d: int, room: int, most: int) -> object:
        """Return the tiles as rows of four numbers."""
        return torch.tensor([[int(number) for number in tile] for tile in tiles(n, k, d, room)])

    @classmethod
    def call(cls, case: Case) -> str:
        """Write the call without what may be read."""
        return "tiles(" + ", ".join(f"{name}={case[name]}" for name in ("n", "k", "d", "room")) + ")"


class TilesThatFit(_Tiles):
    """Tiles that cover, fit, and read at most three times the fewest"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield small and awkward sizes."""
        for sizes in [
            (1, 1, 4, 9),
            (2, 3, 5, 1000),
            (7, 5, 1, 3),
            (1, 40, 3, 40),
            (40, 1, 3, 40),
            (50, 61, 8, 500),
            (97, 64, 20, 1200),
            (6, 90, 30, 1500),
        ]:
            yield design(*sizes, times=3)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield sizes that a tile's side rarely divides."""
        for _ in range(4):
            d, side = draw.randint(2, 20), draw.randint(9, 14)
            room = side * side + 2 * d * side + draw.randint(0, d)
            yield design(draw.randint(60, 120), draw.randint(60, 120), d, room, times=3)

    @staticmethod
    def facts(came: Any, n: int, k: int, d: int, room: int, most: int) -> object:
        """Measure the tiles."""
        a, b, c, e = came.reshape(-1, 4).unbind(1) if came.numel() == 0 else came.unbind(1)
        inside = (a >= 0) & (a < b) & (b <= n) & (c >= 0) & (c < e) & (e <= k)
        corners = torch.zeros(n + 1, k + 1, dtype=torch.int64)
        for rows, columns, sign in ((a, c, 1), (b, e, 1), (a, e, -1), (b, c, -1)):
            place = rows.clamp(0, n).long(), columns.clamp(0, k).long()
            corners.index_put_(place, torch.full_like(place[0], sign), accumulate=True)
        times = corners.cumsum(0).cumsum(1)[:n, :k]
        reads = d * (b - a + e - c)
        holds = [0, *(reads + (b - a) * (e - c)).tolist()]
        strange = [
            tuple(tile) for tile, is_inside in zip(came.tolist(), inside.tolist(), strict=False) if not is_inside
        ]
        assert not strange, f"the tile {strange[0]} does not keep to 0 ≤ a < b ≤ {n} and 0 ≤ c < e ≤ {k}"
        free, twice = int((times == 0).sum()), int((times > 1).sum())
        assert free == 0, f"{free} entries of s are in no tile"
        assert twice == 0, f"{twice} entries of s are in two tiles or more"
        assert max(holds) <= room, f"the largest tile holds {max(holds):,} numbers: there is room for {room:,}"
        total = int(reads.sum())
        assert total <= most, f"{total:,} numbers read: at most {most:,} are allowed, three times the best grid's"
        return True

    @staticmethod
    def expected(n: int, k: int, d: int, room: int, most: int) -> object:
        """Return what holds for the tiles."""
        return True


class TilesThatReadLittle(_Tiles):
    """Tiles that read at most 1.2 times the fewest numbers"""

    points = 2

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield many samples and outputs, each many times what fits."""
        for sizes in [(250, 150, 100, 4096), (168, 168, 60, 2025), (130, 300, 50, 1500)]:
            yield design(*sizes, times=1.2)

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more of them, for which square tiles are among the best."""
        for _ in range(4):
            side = draw.randint(14, 20)
            d = draw.randint(3 * side, 6 * side)
            n, k = side * draw.randint(8, 12), side * draw.randint(8, 12)
            yield design(n, k, d, side * side + 2 * d * side + draw.randint(0, d), times=1.2)

    @staticmethod
    def facts(came: Any, n: int, k: int, d: int, room: int, most: int) -> object:
        """Measure what is read; edges left out and a tile that is a little too large are the other test's business."""
        a, b, c, e = came.reshape(-1, 4).unbind(1) if came.numel() == 0 else came.unbind(1)
        entries = (b.clamp(0, n) - a.clamp(0, n)).clamp(min=0) * (e.clamp(0, k) - c.clamp(0, k)).clamp(min=0)
        reads = d * (b - a + e - c)
        fits = max([0, *(reads + (b - a) * (e - c)).tolist()]) <= 1.25 * room
        assert int(entries.sum()) >= 0.75 * n * k, "the tiles cover less than three quarters of s"
        assert fits, f"the largest tile is far larger than the room for {room:,} numbers"
        total = int(reads.sum())
        assert total <= most, f"{total:,} numbers read: at most {most:,} are allowed, 1.2 times the best grid's"
        return True

    @staticmethod
    def expected(n: int, k: int, d: int, room: int, most: int) -> object:
        """Return what holds for the tiles."""
        return True


class _Readings(HiddenTest):
    part = "words"
    asks = "my_readings"
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        """Yield a batch of one and the lecture's."""
        yield {"n": 1, "d": 3, "k": 2, "batch_seconds": 0.5, "loop_seconds": 0.25}
        yield {"n": 2500, "d": 1000, "k": 1500, "batch_seconds": 0.125, "loop_seconds": 1.5}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        """Yield more sizes and times."""
        for _ in range(4):
            seconds = draw.uniform(1e-4, 1e-2)
            yield {
                "n": draw.randint(3, 300),
                "d": draw.randint(5, 400),
                "k": draw.randint(5, 400),
                "batch_seconds": seconds,
                "loop_seconds": seconds * draw.uniform(2, 20),
            }


class ReadingsOfWork(_Readings):
    """Products, bytes, and what the ratio would be"""

    points = 2

    @staticmethod
    def answer(my_readings: Any, n: int, d: int, k: int, batch_seconds: float, loop_seconds: float) -> object:
        """Return what is read about the work."""
        read = my_readings(n, d, k, batch_seconds, loop_seconds)
        names = ["products", "loop bytes", "batch bytes", "ratio of reads", "ratio of products"]
        return {name: float(read[name]) for name in names}

    @staticmethod
    def expected(n: int, d: int, k: int, batch_seconds: float, loop_seconds: float) -> object:
        """Return what holds."""
        return {
            "products": float(n * d * k),
            "loop bytes": 4.0 * n * d * k,
            "batch bytes": 4.0 * d * k,
            "ratio of reads": float(n),
            "ratio of products": 1.0,
        }


class ReadingsOfSpeed(_Readings):
    """Products in a second"""

    points = 1

    @staticmethod
    def answer(my_readings: Any, n: int, d: int, k: int, batch_seconds: float, loop_seconds: float) -> object:
        """Return what is read about speed."""
        read = my_readings(n, d, k, batch_seconds, loop_seconds)
        return {name: float(read[name]) for name in ["products", "loop rate", "batch rate"]}

    @staticmethod
    def facts(came: Any, n: int, d: int, k: int, batch_seconds: float, loop_seconds: float) -> object:
        """Say how many seconds the products take at these rates: their number is the other test's business."""
        return {
            "seconds of the loop at its rate": came["products"] / came["loop rate"],
            "seconds of the batch at its rate": came["products"] / came["batch rate"],
        }

    @staticmethod
    def expected(n: int, d: int, k: int, batch_seconds: float, loop_seconds: float) -> object:
        """Return the seconds that were measured."""
        return {"seconds of the loop at its rate": loop_seconds, "seconds of the batch at its rate": batch_seconds}
