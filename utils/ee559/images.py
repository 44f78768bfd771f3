"""Tensors as pictures: written to files as on the slides, or shown in a row in a notebook."""

import math
import os
import string
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ee559.palette import NEUTRAL, ORANGE, PALETTE, PURPLE, channels
from ee559.pictures import Picture, picture_row

if TYPE_CHECKING:
    from PIL.Image import Image


def save_2d_tensor_as_image(tensor: Tensor, filename: str | os.PathLike[str], signed: bool = False) -> list[Path]:
    """Write each 2d slice of a tensor as a picture, a pixel for each value.

    Unsigned: grey, the smallest value of the tensor black and the largest white. Signed: zero near white,
    negative values orange, positive values purple, on a scale that is the same for both. All slices share the
    scale; a constant unsigned tensor is mid-grey. NaN and infinite values are green, and a warning counts them.

    Args:
        tensor: (…, H, W), real numbers of any type, on any device.
        filename: where to write, ending in a picture's suffix such as .png. With leading dimensions, a format field
            such as {:d} or {:03d} takes the slice's index; as many fields as leading dimensions take one index each.
        signed: whether the sign matters.

    Returns:
        The paths in the order of the slices. Each file is written beside its place and renamed.

    Raises:
        TypeError: the values are complex.
        ValueError: fewer than two dimensions, no values, or a filename without the fields that the slices need.

    Source: slide D8.
    """
    slices = _slices(tensor)
    paths = _paths(tensor, os.fspath(filename))
    images = _to_images(slices, signed)
    for path, image in zip(paths, images, strict=True):
        _write(image, path)
    return paths


def show_2d_tensors_as_images(
    tensor: Tensor, signed: bool = False, titles: Sequence[str] | None = None, *, alt: str
) -> Picture:
    """Show each 2d slice of a tensor in a row, in the colours of save_2d_tensor_as_image.

    Args:
        tensor: (…, H, W), real numbers.
        signed: whether the sign matters.
        titles: one for each slice, shown under it and added to its alt text.
        alt: what there is to see, for readers who do not see it.

    Raises:
        TypeError, ValueError: as save_2d_tensor_as_image; or the titles' number is wrong, or alt is empty.

    Source: the companion of slide D8.
    """
    slices = _slices(tensor)
    if titles is not None and len(titles) != len(slices):
        raise ValueError(f"expected {len(slices)} titles, one for each slice, got {len(titles)}.")
    names = titles if titles is not None else ([""] if len(slices) == 1 else [str(k) for k in range(len(slices))])
    pngs = []
    for image in _to_images(slices, signed):
        buffer = BytesIO()
        image.save(buffer, format="PNG")
        pngs.append(buffer.getvalue())
    return picture_row(list(zip(names, pngs, strict=True)), alt)


def _slices(tensor: Tensor) -> Tensor:
    """Return the tensor as (K, H, W) doubles on the CPU, out of autograd."""
    if tensor.is_complex():
        raise TypeError(f"expected real values, got {tensor.dtype}: take tensor.real or tensor.abs() first.")
    if tensor.dim() < 2:
        raise ValueError(f"expected at least two dimensions (…, H, W), got shape {tuple(tensor.shape)}.")
    if tensor.numel() == 0:
        raise ValueError(f"expected at least one value, got shape {tuple(tensor.shape)}: there is nothing to draw.")
    return tensor.detach().to("cpu", torch.float64).reshape(-1, *tensor.shape[-2:])


def _paths(tensor: Tensor, filename: str) -> list[Path]:
    """Name a file for each slice."""
    leading = tensor.shape[:-2]
    try:
        nb_fields = sum(field is not None for _, field, _, _ in string.Formatter().parse(filename))
    except ValueError as error:
        raise ValueError(f"expected a name with fields such as {{:d}}, got {filename!r}: {error}.") from None
    number = math.prod(leading)
    if nb_fields == 0 and number > 1:
        raise ValueError(
            f"expected a field such as {{:d}} in the name for {number} slices of shape {tuple(tensor.shape)}, "
            f"got {filename!r}: the slices would overwrite each other."
        )
    indices: Iterator[tuple[int, ...]]
    if nb_fields <= 1:
        indices = ((k,) for k in range(number))
    elif nb_fields == len(leading):
        indices = product(*(range(size) for size in leading))
    else:
        raise ValueError(
            f"expected one field, or {len(leading)} for shape {tuple(tensor.shape)}, got {nb_fields} in {filename!r}."
        )
    try:
        return [Path(filename.format(*index)) for index in indices]
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(f"expected fields such as {{:d}} in the name, got {filename!r}: {error}.") from None


def _to_images(slices: Tensor, signed: bool) -> "list[Image]":
    """Colour slices (K, H, W) on one scale."""
    from PIL import Image

    finite = slices.isfinite()
    if not finite.all():
        warnings.warn(
            f"{int(slices.isnan().sum())} NaN and {int(slices.isinf().sum())} infinite values are drawn in green.",
            stacklevel=3,
        )
    colours = _signed_colours(slices, finite) if signed else _grey_levels(slices, finite)
    colours[~finite] = torch.tensor(channels(PALETTE["green"]), dtype=torch.uint8)
    mode_of = colours if not finite.all() or signed else colours[..., 0]
    return [Image.fromarray(picture.numpy()) for picture in mode_of]


def _grey_levels(slices: Tensor, finite: Tensor) -> Tensor:
    """Map the finite range to 0..255: (K, H, W, 3) bytes."""
    values = slices[finite]
    level = torch.full_like(slices, 0.5)
    if values.numel() and values.min() < values.max():
        low, high = values.min() / 2, values.max() / 2  # halves, so that the range of huge values stays finite
        level = (slices / 2 - low) / (high - low)
    return _bytes(level.unsqueeze(-1).expand(*slices.shape, 3))


def _signed_colours(slices: Tensor, finite: Tensor) -> Tensor:
    """Map −m..m, m the largest absolute value, to the two hues: (K, H, W, 3) bytes."""
    largest = slices[finite].abs().max() if finite.any() else torch.tensor(0.0)
    share = slices / largest if largest > 0 else torch.zeros_like(slices)
    orange, neutral, purple = torch.tensor([channels(colour) for colour in (ORANGE, NEUTRAL, PURPLE)]).double()
    hue = torch.where((share < 0).unsqueeze(-1), orange, purple)
    return _bytes((neutral + (hue - neutral) * share.abs().unsqueeze(-1)) / 255)


def _bytes(levels: Tensor) -> Tensor:
    return (levels.nan_to_num(0, 0, 0).clamp(0, 1) * 255).round().to(torch.uint8).clone()


def _write(image: "Image", path: Path) -> None:
    """Write beside and rename, so that a failure leaves what was there."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"expected a folder to write {path.name} into, and {path.parent} is none: make it first."
        )
    descriptor, partial = tempfile.mkstemp(prefix=".ee559-", suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    try:
        image.save(partial)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
