"""The digits: what comes, and that the unpacked files survive damage, company and a bad cache folder."""

import gzip
import importlib
import inspect
import os
import shutil
import subprocess
import sys
from hashlib import md5, sha256
from pathlib import Path

import pytest
import torch
from ee559 import load_mnist
from ee559.mnist import MD5_UNPACKED, SIZES, Mnist

mnist = importlib.import_module("ee559.mnist")
IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a cache folder with the four files, for all tests that leave them whole."""
    return tmp_path_factory.mktemp("unpacked")


@pytest.fixture(autouse=True)
def cache_folder(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EE559_CACHE", str(unpacked))
    return unpacked


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EE559_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "MNIST" / "raw"


@pytest.fixture
def package_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> Path:
    """Let the module read packed files that a test may damage, and an empty cache folder."""
    original = Path(inspect.getfile(mnist)).parent / "data"
    shutil.copytree(original, tmp_path / "package" / "data")
    monkeypatch.setattr(mnist, "files", lambda _: tmp_path / "package")
    return tmp_path / "package" / "data"


def whole(raw: Path) -> bool:
    found = {path.name: md5(path.read_bytes()).hexdigest() for path in raw.iterdir()}
    return found == MD5_UNPACKED  # no temporary file is left either


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_sizes_shapes_and_types(size: str) -> None:
    nb_train, nb_test = SIZES[size]
    data = load_mnist(size)
    assert isinstance(data, Mnist)
    assert data.train_input.shape == (nb_train, 1, 28, 28)
    assert data.test_input.shape == (nb_test, 1, 28, 28)
    assert data.train_target.shape == (nb_train,)
    assert data.test_target.shape == (nb_test,)
    assert data.train_input.dtype == data.test_input.dtype == torch.float32
    assert data.train_target.dtype == data.test_target.dtype == torch.int64
    assert all(tensor.device.type == "cpu" for tensor in data)


def test_small_is_the_default_and_the_beginning_of_full() -> None:
    small, tiny = load_mnist(normalize=False), load_mnist("tiny", normalize=False)
    assert len(small.train_input) == 1000
    assert torch.equal(small.train_input[:500], tiny.train_input)
    assert torch.equal(small.test_target[:100], tiny.test_target)


def test_full_set_has_the_known_labels_mean_and_deviation() -> None:
    data = load_mnist("full", normalize=False)
    assert (len(data.train_input), len(data.test_input)) == (60_000, 10_000)
    assert data.train_target[:13].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5, 3]
    assert data.train_input.mean().item() == pytest.approx(33.3184, abs=1e-3)
    assert data.train_input.std().item() == pytest.approx(78.5675, abs=1e-3)
    assert (data.train_input.min().item(), data.train_input.max().item()) == (0, 255)


def test_both_sets_are_normalised_by_the_training_pixels() -> None:
    raw, data = load_mnist("tiny", normalize=False), load_mnist("tiny")
    mean, std = raw.train_input.mean(), raw.train_input.std()
    assert data.train_input.mean().item() == pytest.approx(0, abs=1e-5)
    assert data.train_input.std().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(data.test_input, (raw.test_input - mean) / std)
    assert abs(data.test_input.mean().item()) > 1e-3  # its own mean was not used


def test_flattened_rows_hold_the_same_numbers() -> None:
    data = load_mnist("tiny", flatten=True)
    assert data.train_input.shape == (500, 784)
    assert data.test_input.shape == (100, 784)
    assert torch.equal(data.train_input.view(-1, 1, 28, 28), load_mnist("tiny").train_input)


def test_one_hot_targets_are_plus_and_minus_one() -> None:
    labels, data = load_mnist("tiny"), load_mnist("tiny", one_hot=True)
    assert data.train_target.shape == (500, 10)
    assert data.test_target.shape == (100, 10)
    assert torch.equal(data.train_target.argmax(1), labels.train_target)
    assert torch.equal(data.test_target.sum(1), torch.full((100,), -8.0))
    assert data.train_target.unique().tolist() == [-1, 1]


def test_device() -> None:
    assert all(tensor.device.type == "meta" for tensor in load_mnist("tiny", device="meta"))


def test_unknown_size_lists_the_sizes() -> None:
    with pytest.raises(ValueError, match=r"'tiny' .*'small' .*'full' .*got 'large'"):
        load_mnist("large")


def test_packed_files_match_their_checksums() -> None:
    data = Path(inspect.getfile(mnist)).parent / "data"
    sums = {name: sum_ for sum_, name in map(str.split, (data / "SHA256SUMS").read_text().splitlines())}
    assert sums.keys() == {f"{name}.gz" for name in MD5_UNPACKED}
    assert all(sha256((data / name).read_bytes()).hexdigest() == sum_ for name, sum_ in sums.items())


def test_without_the_variable_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, ""):
        monkeypatch.setenv("EE559_CACHE", "") if value == "" else monkeypatch.delenv("EE559_CACHE")
        assert mnist.cache_root() == mnist.user_cache_path("ee559")


def test_missing_file_is_unpacked(empty_cache: Path) -> None:
    load_mnist("tiny")
    assert whole(empty_cache)
    (empty_cache / LABELS).unlink()
    load_mnist("tiny")
    assert whole(empty_cache)


def test_truncated_file_is_repaired(empty_cache: Path) -> None:
    load_mnist("tiny")
    os.truncate(empty_cache / IMAGES, 1_000_000)
    load_mnist("tiny")
    assert whole(empty_cache)


def test_flipped_byte_is_repaired(empty_cache: Path) -> None:
    expected = load_mnist("tiny").test_target
    content = bytearray((empty_cache / LABELS).read_bytes())
    content[20] ^= 1
    (empty_cache / LABELS).write_bytes(content)
    assert torch.equal(load_mnist("tiny").test_target, expected)
    assert whole(empty_cache)


def test_files_are_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):  # the first may have to unpack them
        load_mnist("tiny")
    monkeypatch.setattr(mnist, "_md5", lambda _: pytest.fail("a file was verified again"))
    load_mnist("tiny")


def test_processes_that_start_together_share_the_cache(empty_cache: Path) -> None:
    code = """
import warnings
from ee559 import load_mnist
warnings.simplefilter("error")  # none may fall back to a temporary folder
print(load_mnist("tiny").train_target[:5].tolist())
"""
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate(timeout=600)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert outputs == ["[5, 0, 4, 1, 9]\n"] * 3
    assert whole(empty_cache)


def test_failed_replacement_is_no_harm_where_the_file_is_whole(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_was_first(partial: str, path: Path) -> None:
        shutil.copy(partial, path)
        raise PermissionError("in use by another process")

    monkeypatch.setattr(mnist.os, "replace", another_was_first)
    load_mnist("tiny")
    assert whole(empty_cache)


def test_unwritable_cache_gives_way_to_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EE559_CACHE", str(tmp_path / "file"))  # a file: no one may make a folder in it
    for _ in range(2):
        with pytest.warns(UserWarning, match="set EE559_CACHE to a folder that you may write to") as record:
            data = load_mnist("tiny")
        assert record[0].filename == __file__
        assert data.train_target[12] == 3


def test_missing_packed_file(package_copy: Path) -> None:
    (package_copy / f"{LABELS}.gz").unlink()
    with pytest.raises(RuntimeError, match=rf"{LABELS}.gz: expected .*27ae3e.*came no such file.* Restore"):
        load_mnist("tiny")


def test_truncated_packed_file(package_copy: Path) -> None:
    os.truncate(package_copy / f"{LABELS}.gz", 2_000)
    with pytest.raises(RuntimeError, match=rf"{LABELS}.gz: expected .*came EOFError"):
        load_mnist("tiny")


def test_packed_file_that_is_no_gzip_file(package_copy: Path) -> None:
    (package_copy / f"{LABELS}.gz").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(RuntimeError, match=rf"{LABELS}.gz: expected .*came BadGzipFile"):
        load_mnist("tiny")


def test_packed_file_with_other_content(package_copy: Path) -> None:
    (package_copy / f"{LABELS}.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(RuntimeError, match=rf"{LABELS}.gz: expected .*came content with md5 795f3202"):
        load_mnist("tiny")


def test_damaged_packed_file_is_no_matter_once_the_files_are_unpacked(package_copy: Path, empty_cache: Path) -> None:
    load_mnist("tiny")
    (package_copy / f"{LABELS}.gz").unlink()
    load_mnist("tiny")
    assert whole(empty_cache)
