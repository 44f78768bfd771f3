"""Training takes the practical's steps, and errors are counted right for every kind of target."""

import pytest
import torch
from ee559 import Net, compute_nb_errors, load_mnist, one_hot_targets, select_device, train_model
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_one_epoch_takes_the_steps_of_sgd_and_keeps_the_ragged_last_batch() -> None:
    input, target = torch.randn(7, 3), torch.randn(7, 2)
    model, twin = nn.Linear(3, 2), nn.Linear(3, 2)
    twin.load_state_dict(model.state_dict())
    losses = train_model(model, input, target, mini_batch_size=3, nb_epochs=2, eta=0.1)

    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    expected = []
    for _ in range(2):
        total = 0.0
        for first in (0, 3, 6):
            loss = F.mse_loss(twin(input[first : first + 3]), target[first : first + 3])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(input[first : first + 3])
        expected.append(total / 7)
    assert losses == pytest.approx(expected)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert_close(ours, theirs)


def test_the_lectures_network_learns_real_digits() -> None:
    data = load_mnist("tiny", one_hot=True)
    model = Net()
    before = compute_nb_errors(model, data.test_input, data.test_target)
    losses = train_model(model, data.train_input, data.train_target, mini_batch_size=50, nb_epochs=6)
    after = compute_nb_errors(model, data.test_input, data.test_target)
    assert losses[-1] < losses[0] / 2
    assert after < min(before, 35)


def test_an_unused_or_frozen_parameter_stops_nothing() -> None:
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    bias = model.bias.clone()
    train_model(model, torch.randn(4, 3), torch.randn(4, 2), nb_epochs=1)
    assert_close(model.bias, bias)


def test_targets_that_would_be_broadcast_are_refused_before_any_step() -> None:
    model = nn.Linear(3, 1)
    weight = model.weight.detach().clone()
    with pytest.raises(ValueError, match=r"output's shape \(4, 1\), got \(4,\)"):
        train_model(model, torch.randn(4, 3), torch.randn(4))
    assert_close(model.weight.detach(), weight)


@pytest.mark.parametrize("mini_batch_size", [1, 3, 10, 100])
@pytest.mark.parametrize("encoding", ["labels", "plus-minus-one", "zero-one"])
def test_errors_are_counted_for_each_encoding_and_any_last_batch(mini_batch_size: int, encoding: str) -> None:
    labels = torch.tensor([0, 2, 2, 0, 3, 3, 2, 0, 0, 2])  # class 1 is skipped
    outputs = one_hot_targets(labels, 4)
    outputs[[1, 4, 9]] = outputs[[1, 4, 9]].roll(1, dims=1)
    target: Tensor = {
        "labels": labels,
        "plus-minus-one": one_hot_targets(labels, 4),
        "zero-one": F.one_hot(labels, 4).float(),
    }[encoding]
    assert compute_nb_errors(nn.Identity(), outputs, target, mini_batch_size) == 3


def test_counting_runs_in_evaluation_mode_without_gradients_and_restores_each_mode() -> None:
    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = nn.Dropout().eval()

        def forward(self, x: Tensor) -> Tensor:
            assert not self.training
            assert not torch.is_grad_enabled()
            frozen: Tensor = self.frozen(x)
            return frozen

    model = Spy()
    model.frozen.eval()
    assert compute_nb_errors(model, torch.eye(3), torch.arange(3)) == 0
    assert model.training
    assert not model.frozen.training


def test_the_mode_is_restored_when_the_model_fails() -> None:
    model = nn.Linear(5, 2)
    with pytest.raises(RuntimeError):
        compute_nb_errors(model, torch.randn(2, 3), torch.zeros(2, dtype=torch.long))
    assert model.training


@pytest.mark.parametrize(
    ("input", "target", "words"),
    [
        (torch.eye(3), torch.arange(2), "as many targets as samples"),
        (torch.empty(0, 3), torch.empty(0, dtype=torch.long), "at least one"),
        (torch.eye(3), torch.ones(3, 3), "one positive value a row"),
        (torch.eye(3), torch.ones(3), r"integer labels or \(N, C\) one-hot"),
        (torch.eye(3), one_hot_targets(torch.arange(3), 4), "targets' C"),
    ],
)
def test_targets_that_do_not_fit_are_named(input: Tensor, target: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compute_nb_errors(nn.Identity(), input, target)


def test_a_mini_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="mini_batch_size of at least 1"):
        train_model(nn.Linear(1, 1), torch.ones(2, 1), torch.ones(2, 1), mini_batch_size=0)


@pytest.mark.parametrize(
    ("cuda", "mps", "kind"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_device_is_cuda_then_mps_then_the_processor(
    cuda: bool, mps: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert select_device().type == kind
