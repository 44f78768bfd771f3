"""Choose a device, train by mini-batches, count errors: the tools of the practical session."""

import torch
from torch import Tensor, nn
from tqdm import tqdm


def select_device() -> torch.device:
    """Return CUDA where there is a GPU, MPS on an Apple machine that has it, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def train_model(
    model: nn.Module,
    train_input: Tensor,
    train_target: Tensor,
    mini_batch_size: int = 100,
    nb_epochs: int = 25,
    eta: float = 0.1,
) -> list[float]:
    """Train with a mean square error and plain gradient steps, in the order of the samples.

    A progress bar appears when it takes over two seconds.

    Args:
        model: maps mini-batches of train_input to outputs of the targets' shape; trained in place.
        train_input: (N, …) samples.
        train_target: (N, C) targets, for example −1/+1 one-hot.
        mini_batch_size: samples a step; the last step takes what is left.
        nb_epochs: passes over the samples.
        eta: step size η.

    Returns:
        The mean loss of each epoch, over its samples.

    Raises:
        ValueError: sizes that do not fit, among them an output whose shape is not the target's: MSELoss would
            broadcast it, and train towards a wrong goal.

    Source: practical session 4.
    """
    _check_samples(train_input, train_target, mini_batch_size)
    losses = []
    for _ in tqdm(range(nb_epochs), desc="training", unit="epoch", delay=2, leave=False):
        total = 0.0
        for input, target in zip(train_input.split(mini_batch_size), train_target.split(mini_batch_size), strict=True):
            output = model(input)
            if output.shape != target.shape:
                raise ValueError(
                    f"expected targets of the output's shape {tuple(output.shape)}, got {tuple(target.shape)}: "
                    "encode class labels with one_hot_targets."
                )
            loss = nn.functional.mse_loss(output, target)
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter.sub_(eta * parameter.grad)
            total += loss.item() * len(input)
        losses.append(total / len(train_input))
    return losses


def compute_nb_errors(model: nn.Module, input: Tensor, target: Tensor, mini_batch_size: int = 100) -> int:
    """Count the samples whose largest output is not at the right class.

    The model is run in evaluation mode without gradients, and put back in its mode.

    Args:
        model: maps mini-batches of input to outputs (n, C).
        input: (N, …) samples.
        target: (N,) integer labels, or (N, C) one-hot rows of −1/+1 or of 0/1.
        mini_batch_size: samples at a time; the last mini-batch takes what is left.

    Raises:
        ValueError: sizes that do not fit, or rows that are not one-hot.

    Source: practical session 4.
    """
    _check_samples(input, target, mini_batch_size)
    labels = _labels(target)
    training = {module: module.training for module in model.modules()}
    model.eval()
    nb_errors = 0
    try:
        with torch.no_grad():
            for batch, expected in zip(input.split(mini_batch_size), labels.split(mini_batch_size), strict=True):
                output = model(batch)
                if output.dim() != 2 or (target.dim() == 2 and output.size(1) != target.size(1)):
                    raise ValueError(
                        f"expected outputs of shape ({len(batch)}, C) with the targets' C, got {tuple(output.shape)} "
                        f"for targets {tuple(target.shape)}."
                    )
                nb_errors += int((output.argmax(1) != expected).sum())
    finally:
        for module, mode in training.items():
            module.training = mode
    return nb_errors


def _check_samples(input: Tensor, target: Tensor, mini_batch_size: int) -> None:
    if mini_batch_size < 1:
        raise ValueError(f"expected mini_batch_size of at least 1, got {mini_batch_size}.")
    if input.dim() == 0 or target.dim() == 0 or len(input) != len(target) or len(input) == 0:
        raise ValueError(
            f"expected as many targets as samples, and at least one, got input {tuple(input.shape)} and target "
            f"{tuple(target.shape)}: the first dimension of both counts samples."
        )


def _labels(target: Tensor) -> Tensor:
    """Return the class of each sample: (N,) from labels or from one-hot rows of either encoding."""
    if target.dim() == 1 and not target.is_floating_point():
        return target.long()
    if target.dim() != 2:
        raise ValueError(
            f"expected (N,) integer labels or (N, C) one-hot targets, got {target.dtype} {tuple(target.shape)}."
        )
    if not bool(((target > 0).sum(1) == 1).all()):
        raise ValueError("expected one-hot targets, one positive value a row: a row has none or several.")
    return target.argmax(1)
