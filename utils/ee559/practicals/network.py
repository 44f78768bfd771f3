"""Practical 4, train the network: the training loop, errors, chance, and three convolutions."""

import copy
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ee559.checks import Fault, in_brackets
from ee559.mnist import load_mnist
from ee559.practicals.practical import Part, Practical, draw
from ee559.targets import one_hot_targets
from ee559.training import compute_nb_errors, train_model

LINEAR = nn.Linear(3, 2)
with torch.no_grad():
    LINEAR.weight.copy_(draw(2, 3, seed=5))
    LINEAR.bias.copy_(draw(2, seed=6))


def _train(
    model: nn.Module,
    input: Tensor,
    target: Tensor,
    size: int,
    epochs: int,
    eta: float,
    zero: bool = True,
    last: bool = True,
    mean: bool = False,
    late: bool = False,
) -> list[float]:
    """Train with torch's optimiser; the switches make common mistakes."""
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    losses = []
    for _ in range(epochs):
        total = []
        for one, wanted in zip(input.split(size), target.split(size), strict=True):
            if len(one) < size and not last:
                break
            if zero:
                optimizer.zero_grad()
            loss = F.mse_loss(model(one), wanted)
            loss.backward()
            optimizer.step()
            total.append(F.mse_loss(model(one), wanted).item() if late else loss.item())
        losses.append(sum(total) / (len(total) if mean else 1))
    return losses


def _uphill(model: nn.Module, x: Tensor, t: Tensor, size: int, epochs: int, eta: float) -> list[float]:
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: -gradient)
    return _train(model, x, t, size, epochs, eta)


def _after(train: Callable[..., object]) -> Callable[..., object]:
    """Train a copy of a small linear layer; return its parameters and the losses."""

    def use(*arguments: Any) -> object:
        model = copy.deepcopy(LINEAR)
        losses = train(model, *arguments)
        trained = {f"{name} after training": parameter.detach() for name, parameter in model.named_parameters()}
        return {**trained, "losses": losses}

    return use


class _Watch(nn.Identity):
    """Give its input back, and remember how it was called."""

    largest, gradients = 0, False

    def forward(self, input: Tensor) -> Tensor:
        self.largest, self.gradients = max(self.largest, len(input)), self.gradients or torch.is_grad_enabled()
        return input


def _counted(count: Callable[..., object]) -> Callable[..., object]:
    """Count errors of given outputs; return how the model was called too."""

    def use(output: Tensor, target: Tensor, size: int) -> object:
        model = _Watch()
        errors = count(model, output, target, size)
        return {
            "errors": errors,
            "samples that the model gets at once": model.largest,
            "gradients switched on while it counts": model.gradients,
        }

    return use


def _full_batches(model: nn.Module, x: Tensor, z: Tensor, size: int) -> int:
    whole = len(x) // size * size
    return compute_nb_errors(model, x[:whole], z[:whole], size) if whole else 0


def _judged(wrong: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., object]:
    """Count what a rule says is wrong in each mini-batch of outputs and targets."""

    @torch.no_grad()
    def count(model: nn.Module, x: Tensor, z: Tensor, size: int) -> int:
        return sum(int(wrong(model(one), t).sum()) for one, t in zip(x.split(size), z.split(size), strict=True))

    return _counted(count)


class _Test:
    """Give a number of errors to each model in the order in which they were trained."""

    nb_samples = 40

    def __init__(self) -> None:
        self.trained: list[object] = []

    def __call__(self, model: object) -> int:
        if model not in self.trained:
            raise Fault("a model is tested before it is trained")
        return 1 + self.trained.index(model)


def _rates(rates: Callable[..., object]) -> Callable[[int], object]:
    def use(nb_runs: int) -> object:
        test = _Test()
        return rates(object, test.trained.append, test, nb_runs)

    return use


def _scaled(factor: float) -> Callable[..., list[float]]:
    def error_rates(make: Callable[[], object], train: Callable[[object], None], test: _Test, runs: int) -> list[float]:
        found = []
        for _ in range(runs):
            train(model := make())
            found.append(factor * test(model) / test.nb_samples)
        return found

    return error_rates


@lru_cache(maxsize=1)
def _learn(make: Callable[[], nn.Module]) -> tuple[int, float]:
    """Train as the task says; return the errors that are left, and the smallest output."""
    tiny = load_mnist("tiny", one_hot=True)
    images, targets = tiny.train_input[:200], tiny.train_target[:200]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        train_model(model := make(), images, targets, mini_batch_size=20, nb_epochs=40, eta=0.1)
    return compute_nb_errors(model, images, targets), model(images).min().item()


def _net(make: Callable[[], nn.Module]) -> Callable[[int], object]:
    """Return how many convolutions there are, the output's shape and what is not used; many samples it learns."""

    def use(nb_samples: int) -> object:
        model = make()
        model.train(nb_samples > 1)
        output = model(torch.randn(nb_samples, 1, 28, 28))
        if not isinstance(output, Tensor):
            raise Fault(f"expected a tensor, got a {type(output).__name__}")
        if sum(parameter.numel() for parameter in model.parameters()) >= 500_000:
            raise Fault("it has 500,000 parameters or more")
        if output.requires_grad:
            output.square().sum().backward()
        unused = ", ".join(name for name, parameter in model.named_parameters() if parameter.grad is None)
        found = {"convolutions": sum(isinstance(m, nn.Conv2d) for m in model.modules()), "output": output.shape}
        if nb_samples == MANY:
            errors, smallest = _learn(make)
            print(f"Net2 leaves {errors} errors on the 200 images after 40 epochs.")
            if smallest >= 0:
                raise Fault("no output is negative after training: is there a ReLU or a softmax after the last layer?")
            if errors >= 100:
                raise Fault(f"it leaves {errors} errors, expected fewer than 100")
        return {**found, "layers that are not used": unused or "none"}

    return use


MANY = 200
OUTPUT = torch.tensor([[0.2, 0.9, 0.1], [0.8, 0.2, 0.9], [0.6, 0.5, 0.1], [0.1, 0.7, 0.6], [0.3, 0.9, 0.2]])
LABELS = torch.tensor([1, 0, 0, 2, 2])
network = Practical(
    {
        "train_model": Part(
            _after(_train),
            cases=[
                (draw(4, 3).float(), draw(4, 2).float(), 4, 1, 0.1),
                (draw(4, 3).float(), draw(4, 2).float(), 2, 3, 0.1),
                (draw(5, 3).float(), draw(5, 2).float(), 2, 1, 0.1),
            ],
            see=("06", "A gradient for the target"),
            use=_after,
            call=lambda *arguments: in_brackets(LINEAR, *arguments),
            mistakes={
                "gradients add up: they are not set to zero": _after(partial(_train, zero=False)),
                "the last mini-batch is lost": _after(partial(_train, last=False)),
                "the losses are averaged over the mini-batches, and not summed": _after(partial(_train, mean=True)),
                "the losses are measured after the step": _after(partial(_train, late=True)),
                "the step goes uphill": _after(_uphill),
                "nothing is trained": _after(lambda m, x, t, s, e, eta: _train(copy.deepcopy(m), x, t, s, e, eta)),
            },
        ),
        "compute_nb_errors": Part(
            _counted(compute_nb_errors),
            cases=[
                (OUTPUT, one_hot_targets(LABELS, 3), 5),
                (OUTPUT, F.one_hot(LABELS, 3).float(), 5),
                (OUTPUT, one_hot_targets(LABELS, 3), 2),
            ],
            see=("07", "Winner takes all"),
            use=_counted,
            call=lambda *arguments: in_brackets(nn.Identity(), *arguments),
            mistakes={
                "the last mini-batch is lost": _counted(_full_batches),
                "the samples that are right": _counted(lambda m, x, z, s: len(x) - compute_nb_errors(m, x, z, s)),
                "it looks for a target below zero, and here targets are 0 and 1": _judged(
                    lambda x, z: z.gather(1, x.argmax(1, keepdim=True)) < 0
                ),
                "signs, counted for each unit": _judged(lambda x, z: x * z < 0),
                "the maximum along the samples": _judged(lambda x, z: x.argmax(0) != z.argmax(0)),
            },
        ),
        "error_rates": Part(
            _rates(_scaled(100)),
            cases=[(1,), (4,)],
            see=("07", "Does it work?"),
            use=_rates,
            call=lambda nb_runs: f"(make_model, train, test, {nb_runs})",
            mistakes={
                "a share between 0 and 1, and not a percentage": _rates(_scaled(1)),
                "the number of errors, and not the rate": _rates(_scaled(_Test.nb_samples)),
            },
        ),
        "Net2": Part(
            lambda nb_samples: {
                "convolutions": 3,
                "output": torch.Size((nb_samples, 10)),
                "layers that are not used": "none",
            },
            cases=[(1,), (7,), (MANY,)],
            see=("08", "The network"),
            use=_net,
            call=lambda nb_samples: f"()(tensor of ({nb_samples}, 1, 28, 28))",
        ),
    }
)
