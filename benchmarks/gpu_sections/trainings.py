"""The lecture's network on CPU and GPU: an epoch, data that is moved, and the long runs of practical 4."""

from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from statistics import fmean, median

import torch
from ee559.mnist import Mnist, load_mnist
from ee559.network import Net
from ee559.timing import timing
from ee559.training import compute_nb_errors, train_model
from torch import Tensor, nn
from torch.nn import functional as F

from gpu_sections.setting import Plan, Row, Setting, measure, now, rows_of

MINI_BATCH, ETA = 100, 0.1
Batches = Callable[[], Iterator[tuple[Tensor, Tensor]]]


class Net2(nn.Module):
    """Three convolutions and two linear layers, the solution of practical 4: (N, 1, 28, 28) to outputs (N, 10).

    Args:
        nb_hidden: units of the hidden linear layer.
    """

    def __init__(self, nb_hidden: int = 200) -> None:
        super().__init__()
        self.near = nn.Conv2d(1, 32, kernel_size=5)
        self.wide = nn.Conv2d(32, 32, kernel_size=5)
        self.whole = nn.Conv2d(32, 64, kernel_size=2)
        self.hidden = nn.Linear(576, nb_hidden)
        self.classes = nn.Linear(nb_hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs (N, 10) of images (N, 1, 28, 28)."""
        for convolution in (self.near, self.wide):
            x = F.relu(F.max_pool2d(convolution(x), kernel_size=2))
        x = F.relu(self.whole(x)).flatten(1)
        output: Tensor = self.classes(F.relu(self.hidden(x)))
        return output


NETWORKS: dict[str, Callable[[int], nn.Module]] = {"Net": Net, "Net2": Net2}


def training_epoch(setting: Setting) -> Iterator[Row]:
    """Time an epoch of the lecture's network on the GPU and on the CPU, data and network being there.

    Practical: slides F3 and F5, practical session 4.
    """
    for size, mini_batch in setting.sizes.epochs:
        first_losses = {}
        for device in setting.devices:
            data = load_mnist(size, one_hot=True, device=device)
            model = _network("Net", 200, 0, device)

            def epoch(model: nn.Module = model, data: Mnist = data, mini_batch: int = mini_batch) -> float:
                return train_model(model, data.train_input, data.train_target, mini_batch, nb_epochs=1, eta=ETA)[0]

            first_losses[device] = torch.tensor(epoch())  # a warm-up at the same time
            times = measure({"epoch": epoch}, device, most=min(11, setting.sizes.runs), seconds=5, warmup=0)
            for row in rows_of(times, images=len(data.train_input), mini_batch=mini_batch):
                yield {**row, "images_per_second": len(data.train_input) / times.medians["epoch"]}
        for loss in first_losses.values():  # the devices round differently, and every step builds on the last
            torch.testing.assert_close(loss, first_losses[setting.device], rtol=2e-2, atol=0)


def data_moved(setting: Setting) -> Iterator[Row]:
    """Time an epoch whose data was moved to the GPU once, against one that moves each mini-batch; and the copies alone.

    Practical: practical session 4.
    """
    for size, mini_batch in setting.sizes.moved:
        data = load_mnist(size, one_hot=True)
        ways = _ways_to_move(data, mini_batch, setting.device)

        def epoch(batches: Batches, model: nn.Module, mini_batch: int = mini_batch) -> Tensor:
            return torch.tensor([train_model(model, *pair, mini_batch, nb_epochs=1, eta=ETA)[0] for pair in batches()])

        losses = [epoch(batches, _network("Net", 200, 0, setting.device)).mean() for batches in ways.values()]
        for loss in losses:
            torch.testing.assert_close(loss, losses[0], rtol=2e-2, atol=0)
        model = _network("Net", 200, 0, setting.device)
        epochs: dict[str, Callable[[], object]] = {
            f"epoch, {way}": partial(epoch, batches, model) for way, batches in ways.items()
        }
        copies: dict[str, Callable[[], object]] = {
            f"copies alone, {way}": partial(_drained, batches) for way, batches in ways.items()
        }
        copies["copies alone, moved once"] = partial(_moved, data, setting.device)
        for callables in (epochs, copies):
            times = measure(callables, setting.device, most=min(11, setting.sizes.runs), seconds=5, warmup=1)
            yield from rows_of(times, images=len(data.train_input), mini_batch=mini_batch)


def practical_trainings(setting: Setting, section: str) -> Iterator[Row]:
    """Train networks from several seeds by mini-batches of 100, η = 0.1, targets −1/+1; test errors in percent.

    Data and network are on the device. A run that would outlast the budget is left out, with those after it.
    Practical: practical session 4.
    """
    for plan in setting.sizes.plans[section]:
        data = load_mnist(plan.data, one_hot=True, device=setting.device)
        expected = _expected_seconds(plan, data, setting.device)
        errors: list[float] = []
        losses: list[float] = []
        seconds: list[float] = []
        for seed in plan.seeds:
            if expected > setting.stopwatch.left():
                break
            start = now(setting.device)
            model = _network(plan.network, plan.nb_hidden, seed, setting.device)
            losses.append(_train(model, data, plan.nb_epochs)[-1])
            seconds.append(now(setting.device) - start)
            nb_errors = compute_nb_errors(model, data.test_input, data.test_target)
            errors.append(100 * nb_errors / len(data.test_input))
            expected = seconds[-1]
        yield {
            "network": plan.network,
            "hidden": plan.nb_hidden,
            "images": len(data.train_input),
            "epochs": plan.nb_epochs,
            **({"mean": fmean(errors), "min": min(errors), "max": max(errors)} if errors else {}),
            "errors": errors,
            "seeds": list(plan.seeds[: len(errors)]),
            "losses": losses,
            **({"seconds": median(seconds)} if seconds else {}),
            "left_out": len(plan.seeds) - len(errors),
        }


def _network(name: str, nb_hidden: int, seed: int, device: torch.device) -> nn.Module:
    torch.manual_seed(seed)
    return NETWORKS[name](nb_hidden).to(device)  # drawn on the CPU, so that a seed means the same on every device


def _train(model: nn.Module, data: Mnist, nb_epochs: int) -> list[float]:
    return train_model(model, data.train_input, data.train_target, MINI_BATCH, nb_epochs=nb_epochs, eta=ETA)


def _expected_seconds(plan: Plan, data: Mnist, device: torch.device) -> float:
    """Say what a training will take, from ten steps of it, or fewer where there are not as many."""
    few = Mnist(*(t[: 10 * MINI_BATCH] for t in data))
    model = _network(plan.network, plan.nb_hidden, 0, device)
    times = timing({"steps": lambda: _train(model, few, 1)}, nb=1, warmup=1, device=device)
    steps, all_steps = (ceil(len(images) / MINI_BATCH) for images in (few.train_input, data.train_input))
    return times.medians["steps"] * plan.nb_epochs * all_steps / steps


def _ways_to_move(data: Mnist, mini_batch: int, device: torch.device) -> dict[str, Batches]:
    """Return iterators over an epoch's mini-batches on the device, by how they come there."""
    there = _moved(data, device)
    ways: dict[str, Batches] = {
        "moved once": lambda: zip(*(t.split(mini_batch) for t in there), strict=True),
        "moved by mini-batch": lambda: _moving(list(data[:2]), mini_batch, device, non_blocking=False),
    }
    if device.type == "cuda":
        pinned = [t.pin_memory() for t in data[:2]]
        ways["moved by mini-batch, from pinned memory"] = lambda: _moving(pinned, mini_batch, device, non_blocking=True)
    return ways


def _moved(data: Mnist, device: torch.device) -> list[Tensor]:
    return [data.train_input.to(device), data.train_target.to(device)]


def _drained(batches: Batches) -> list[tuple[Tensor, Tensor]]:
    return list(batches())


def _moving(
    tensors: list[Tensor], mini_batch: int, device: torch.device, non_blocking: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    for input, target in zip(*(t.split(mini_batch) for t in tensors), strict=True):
        yield input.to(device, non_blocking=non_blocking), target.to(device, non_blocking=non_blocking)
