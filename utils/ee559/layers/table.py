"""List the operations of a module, with shapes, parameters and products, as on the lecture's table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor, nn

from ee559.layers.formulas import Formula
from ee559.layers.recorder import LayerRow, recording

COLUMNS = ("operation", "output", "parameters", "products")


@dataclass(frozen=True)
class LayerTable:
    """The lecture's table: operations in the order of execution, with shapes, parameters and products a sample."""

    input_shapes: tuple[tuple[int, ...], ...]
    rows: tuple[LayerRow, ...]

    @property
    def total_parameters(self) -> int:
        """Parameters of the module, each counted once, as count_parameters does."""
        return sum(row.parameters for row in self.rows)

    @property
    def total_products(self) -> int:
        """Products of one forward pass of one sample."""
        return sum(row.products for row in self.rows)

    def cells(self) -> list[tuple[str, str, str, str]]:
        """Return the table as text, row by row: operation, shape, parameters, products."""
        inputs = ", ".join(" × ".join(map(str, shape)) for shape in self.input_shapes)
        total = LayerRow("total", (), Formula(self.total_parameters), Formula(self.total_products))
        return [("input", inputs, "", ""), *(row.cells() for row in (*self.rows, total))]

    def __str__(self) -> str:
        """Write the table in aligned columns."""
        table = [COLUMNS, *self.cells()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        rule = "─" * sum(widths, 6)
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def _repr_html_(self) -> str:
        style = "text-align: left; white-space: nowrap; padding: 0.2em 1em 0.2em 0"
        head = "".join(f'<th scope="col" style="{style}">{column}</th>' for column in COLUMNS)
        body = ""
        for first, *others in self.cells():
            cells = "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in others)
            body += f'<tr><th scope="row" style="{style}"><code>{escape(first)}</code></th>{cells}</tr>'
        caption = "<caption>Operations in the order of execution, for one sample</caption>"
        return f'<table tabindex="0">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    __repr__ = __str__


def layer_table(module: nn.Module, *inputs: Tensor | Sequence[int]) -> LayerTable:
    """Run a module once on one sample and list its operations as the lecture's table does.

    Modules without submodules are rows, and so are the functions of torch.nn.functional, the changes of shape and the
    products of matrices that are called between them. A module used twice has its products twice and its parameters
    once. The module runs in evaluation mode and is left as it was: hooks, modes, gradients, buffers, random numbers.

    Args:
        module: any module.
        inputs: for each input of forward, a size without the batch dimension such as (1, 28, 28), or a tensor with it,
            of which the first sample is used.

    Returns:
        The table for one sample; its total of parameters is that of count_parameters.

    Raises:
        ValueError: no input is given, a size is not made of positive integers, or a tensor holds no sample.

    Source: slides F3 and F4.
    """
    if not inputs:
        raise ValueError("expected the size of an input without the batch dimension, such as (1, 28, 28), got none.")
    samples = [_first_sample(value) if isinstance(value, Tensor) else _zeros(module, value) for value in inputs]
    with _left_as_it_was(module, samples), torch.no_grad(), recording(module) as rows:
        module(*samples)
    return LayerTable(tuple(tuple(sample.shape[1:]) for sample in samples), tuple(rows))


def _first_sample(tensor: Tensor) -> Tensor:
    if not tensor.numel():
        raise ValueError(f"expected a batch of at least one sample, got a tensor of shape {tuple(tensor.shape)}.")
    return tensor.detach()[:1] if tensor.dim() else tensor.detach()


def _zeros(module: nn.Module, size: Sequence[int]) -> Tensor:
    if not isinstance(size, Sequence) or not all(isinstance(length, int) and length > 0 for length in size):
        raise ValueError(f"expected a size of positive integers such as (1, 28, 28), got {size!r}.")
    like = next((parameter for parameter in module.parameters() if parameter.is_floating_point()), torch.empty(0))
    return torch.zeros(1, *size, dtype=like.dtype, device=like.device)


@contextmanager
def _left_as_it_was(module: nn.Module, inputs: Sequence[Tensor]) -> Iterator[None]:
    """Put modes, attributes, hooks, parameters, buffers, inputs and random numbers back, whatever happens."""
    dictionaries = [
        dictionary
        for submodule in module.modules()
        for dictionary in (vars(submodule), *(value for value in vars(submodule).values() if isinstance(value, dict)))
    ]
    saved = [(dictionary, dict(dictionary)) for dictionary in dictionaries]
    tensors = [tensor for tensor in (*module.parameters(), *module.buffers(), *inputs) if tensor.device.type != "meta"]
    values = [(tensor, tensor.detach().clone()) for tensor in tensors]
    devices = {tensor.device for tensor in tensors if tensor.device.type != "cpu"}
    with torch.random.fork_rng(devices=devices):
        module.eval()
        try:
            yield
        finally:
            for dictionary, items in saved:
                dictionary.clear()
                dictionary.update(items)
            with torch.no_grad():
                for tensor, value in values:
                    if not torch.equal(tensor, value):
                        tensor.copy_(value)
