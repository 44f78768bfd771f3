"""Count the parameters of a module; ee559.layers lists its operations one by one."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ParameterCount:
    """How many numbers a module learns: all, those that train, and by submodule, each shared parameter once."""

    total: int
    trainable: int
    by_submodule: dict[str, int]

    def __str__(self) -> str:
        """Write a line for each submodule, then the total and the part that trains."""
        rows = [*self.by_submodule.items(), ("total", self.total), ("trainable", self.trainable)]
        width = max(len(name) for name, _ in rows)
        digits = len(f"{self.total:,}")
        return "\n".join(f"{name:<{width}}  {number:>{digits},}" for name, number in rows)


def count_parameters(module: nn.Module) -> ParameterCount:
    """Count the parameters that a module has registered.

    Args:
        module: any module. A parameter that appears twice is counted once, for the submodule that comes first.

    Returns:
        The total, the trainable part, and the number by submodule name; the module's own are under "(itself)".

    Source: slides F3, F4 and G1.
    """
    by_submodule: dict[str, int] = {}
    seen: set[int] = set()
    total = trainable = 0
    for name, submodule in module.named_modules():
        for parameter in submodule.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                total += parameter.numel()
                trainable += parameter.numel() if parameter.requires_grad else 0
                key = name or "(itself)"
                by_submodule[key] = by_submodule.get(key, 0) + parameter.numel()
    return ParameterCount(total, trainable, by_submodule)
