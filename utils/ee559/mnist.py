"""MNIST without a download: the packed files of the package, unpacked once, checked, read by torchvision."""

import gzip
import hashlib
import os
import tempfile
import warnings
import zlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import torch
from platformdirs import user_cache_path
from torch import Tensor

from ee559.targets import one_hot_targets

SIZES = {"tiny": (500, 100), "small": (1_000, 1_000), "full": (60_000, 10_000)}
"""Name of a size: the numbers of training and of test images, taken from the beginning of each set."""

NUM_CLASSES = 10

MD5_UNPACKED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class Mnist(NamedTuple):
    """The two sets: images (N, 1, 28, 28) or (N, 784), targets (N,) labels or (N, 10) of ±1."""

    train_input: Tensor
    train_target: Tensor
    test_input: Tensor
    test_target: Tensor


def load_mnist(
    size: str = "small",
    *,
    normalize: bool = True,
    flatten: bool = False,
    one_hot: bool = False,
    device: torch.device | str | None = None,
) -> Mnist:
    """Load the first handwritten digits of MNIST, in their original order.

    Args:
        size: "tiny" (500 training and 100 test images), "small" (1000 and 1000) or "full" (60000 and 10000).
        normalize: subtract the mean of the chosen training pixels and divide by their standard deviation,
            one number each, in both sets. Otherwise the pixels stay in 0..255.
        flatten: images as (N, 784) rows rather than (N, 1, 28, 28).
        one_hot: targets as (N, 10) rows, +1 at the label and −1 elsewhere, rather than (N,) int64 labels.
        device: where the four tensors go; the CPU if None.

    Returns:
        train_input, train_target, test_input, test_target; the images are float32.

    Raises:
        ValueError: there is no such size.
        RuntimeError: a packed file of the package is missing or damaged.

    Source: slides D1, E7 and F2.
    """
    if size not in SIZES:
        known = ", ".join(f"{name!r} ({train} + {test} images)" for name, (train, test) in SIZES.items())
        raise ValueError(f"size must be one of {known}; got {size!r}. Choose one of these names.")
    nb_train, nb_test = SIZES[size]
    root = unpacked_root()
    train_input, train_target = _read(root, True, nb_train)
    test_input, test_target = _read(root, False, nb_test)

    if normalize:
        mean, std = train_input.mean(), train_input.std()
        for images in (train_input, test_input):
            images.sub_(mean).div_(std)
    if flatten:
        train_input, test_input = train_input.flatten(1), test_input.flatten(1)
    if one_hot:
        train_target = one_hot_targets(train_target, NUM_CLASSES)
        test_target = one_hot_targets(test_target, NUM_CLASSES)
    return Mnist(*(t.to(device or "cpu") for t in (train_input, train_target, test_input, test_target)))


def _read(root: Path, train: bool, nb: int) -> tuple[Tensor, Tensor]:
    """Read the first nb images (nb, 1, 28, 28) in 0..255 and their labels (nb,) with torchvision."""
    from torchvision.datasets import MNIST  # slow to import, and many notebooks need no digits

    dataset = MNIST(str(root), train=train, download=False)
    return dataset.data[:nb].unsqueeze(1).float(), dataset.targets[:nb].clone()


def cache_root() -> Path:
    """Folder of the unpacked files: EE559_CACHE where it is set, else the user's cache folder."""
    chosen = os.environ.get("EE559_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("ee559")


def unpacked_root() -> Path:
    """Return a folder whose MNIST/raw holds the four verified files, unpacked if need be, or a temporary one."""
    root = cache_root()
    try:
        _unpack_all(root)
    except OSError as error:
        warnings.warn(
            f"cannot write MNIST to the cache folder {root} ({error}): a temporary folder serves for this "
            "session. To keep the files, set EE559_CACHE to a folder that you may write to.",
            stacklevel=3,
        )
        root = Path(_temporary_folder().name)
        _unpack_all(root)
    return root


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Make the one folder that stands in for an unwritable cache; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="ee559-", ignore_cleanup_errors=True)


def _unpack_all(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    for name in MD5_UNPACKED:
        if not _is_intact(raw / name):
            _unpack(raw / name)


_verified: dict[Path, tuple[int, int]] = {}


def _is_intact(path: Path) -> bool:
    """Compare a file with its md5, once a process unless its size or time of change moves."""
    try:
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns)
        if _verified.get(path) == stamp:
            return True
        intact = _md5(path.read_bytes()) == MD5_UNPACKED[path.name]
    except OSError:
        return False
    if intact:
        _verified[path] = stamp
    return intact


def _unpack(path: Path) -> None:
    """Write one unpacked file whole or not at all, so that processes which start together do no harm."""
    content = _packed_content(path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(partial, 0o644)  # mkstemp lets only its owner read; a cache may be shared
        os.replace(partial, path)
    except OSError:
        if not _is_intact(path):  # Windows refuses to replace a file that another process reads
            raise
    finally:
        Path(partial).unlink(missing_ok=True)


def _packed_content(name: str) -> bytes:
    """Return the content of a packed file, checked against the md5 of the original."""
    packed = files("ee559") / "data" / f"{name}.gz"
    expected = MD5_UNPACKED[name]
    try:
        content = gzip.decompress(packed.read_bytes())
        came = f"content with md5 {_md5(content)}"
        if _md5(content) == expected:
            return content
    except FileNotFoundError:
        came = "no such file"
    except (OSError, EOFError, zlib.error) as error:
        came = f"{type(error).__name__}: {error}"
    raise RuntimeError(
        f"{packed}: expected a gzip file whose content has md5 {expected}; came {came}. "
        "Restore the file (`git checkout -- utils/ee559/data` in a clone) or install the package again."
    )


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
