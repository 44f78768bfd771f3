"""Tensors become pictures whose pixels mean what they should, and writing one harms nothing."""

import re
import warnings
from pathlib import Path

import numpy
import pytest
import torch
from ee559 import save_2d_tensor_as_image, show_2d_tensors_as_images, show_figure
from ee559.palette import PALETTE, channels
from ee559.pictures import show_picture_files
from PIL import Image
from soup import parse
from torch import Tensor
from torch.testing import assert_close

NEGATIVE, NEUTRAL, POSITIVE, NOT_FINITE = (channels(PALETTE[hue]) for hue in ("orange", "neutral", "purple", "green"))


def pixels(path: Path) -> Tensor:
    """Read a picture as (H, W, 3) bytes."""
    image = Image.open(path).convert("RGB")
    return torch.from_numpy(numpy.array(image))


def test_unsigned_picture_goes_from_black_at_the_smallest_value_to_white_at_the_largest(tmp_path: Path) -> None:
    (path,) = save_2d_tensor_as_image(torch.tensor([[-2.0, 0.0], [1.0, 2.0]]), tmp_path / "a.png")
    assert path == tmp_path / "a.png"
    assert_close(pixels(path)[..., 0], torch.tensor([[0, 128], [191, 255]], dtype=torch.uint8))


def test_signed_picture_has_a_neutral_zero_and_a_hue_for_each_sign_on_one_scale(tmp_path: Path) -> None:
    (path,) = save_2d_tensor_as_image(torch.tensor([[-4.0, 0.0, 2.0, 4.0]]), tmp_path / "a.png", signed=True)
    row = pixels(path)[0].tolist()
    assert row[0] == list(NEGATIVE)
    assert row[1] == list(NEUTRAL)
    assert row[3] == list(POSITIVE)
    assert all(min(a, b) < half < max(a, b) for a, half, b in zip(NEUTRAL, row[2], POSITIVE, strict=True))


def test_signed_scale_is_symmetric(tmp_path: Path) -> None:
    (path,) = save_2d_tensor_as_image(torch.tensor([[-1.0, 0.0, 4.0]]), tmp_path / "a.png", signed=True)
    assert pixels(path)[0, 0].tolist() != list(NEGATIVE)


def test_slices_get_files_of_their_own_and_share_a_scale(tmp_path: Path) -> None:
    tensor = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)])
    paths = save_2d_tensor_as_image(tensor, tmp_path / "slice-{:d}.png")
    assert [path.name for path in paths] == ["slice-0.png", "slice-1.png"]
    assert [int(pixels(path)[0, 0, 0]) for path in paths] == [0, 255]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{:03d}.png", ["000.png", "001.png", "002.png", "003.png"]),
        ("{}-{}.png", ["0-0.png", "0-1.png", "1-0.png", "1-1.png"]),
    ],
)
def test_any_format_field_names_the_slices(tmp_path: Path, name: str, expected: list[str]) -> None:
    paths = save_2d_tensor_as_image(torch.rand(2, 2, 3, 3), tmp_path / name)
    assert [path.name for path in paths] == expected


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_any_real_type_is_drawn(tmp_path: Path, dtype: torch.dtype) -> None:
    (path,) = save_2d_tensor_as_image(torch.tensor([[0, 1]]).to(dtype), tmp_path / "a.png")
    assert pixels(path)[0, :, 0].tolist() == [0, 255]


def test_autograd_and_strides_do_not_matter_and_the_tensor_is_left_alone(tmp_path: Path) -> None:
    tensor = torch.rand(3, 2, requires_grad=True)
    before = tensor.detach().clone()
    (path,) = save_2d_tensor_as_image(tensor.t(), tmp_path / "a.png")
    (same,) = save_2d_tensor_as_image(before.t().contiguous(), tmp_path / "b.png")
    assert_close(pixels(path), pixels(same))
    assert_close(tensor.detach(), before)
    assert tensor.grad is None


@pytest.mark.parametrize("signed", [False, True])
def test_nan_and_inf_are_said_out_loud_and_drawn_apart(tmp_path: Path, signed: bool) -> None:
    tensor = torch.tensor([[float("nan"), float("inf"), -1.0, 1.0]])
    with pytest.warns(UserWarning, match=r"1 NaN and 1 infinite"):
        (path,) = save_2d_tensor_as_image(tensor, tmp_path / "a.png", signed=signed)
    row = pixels(path)[0].tolist()
    assert row[:2] == [list(NOT_FINITE)] * 2
    assert row[2] != row[3]
    assert list(NOT_FINITE) not in row[2:]


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_tensor_with_no_finite_value_is_drawn(tmp_path: Path, value: float) -> None:
    with pytest.warns(UserWarning, match="finite"):
        (path,) = save_2d_tensor_as_image(torch.full((2, 2), value), tmp_path / "a.png", signed=True)
    assert pixels(path)[0, 0].tolist() == list(NOT_FINITE)


@pytest.mark.parametrize("signed", [False, True])
def test_constant_tensors_are_drawn_without_a_warning(tmp_path: Path, signed: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (path,) = save_2d_tensor_as_image(torch.zeros(2, 2), tmp_path / "a.png", signed=signed)
    assert pixels(path)[0, 0].tolist() == (list(NEUTRAL) if signed else [128] * 3)


def test_huge_values_do_not_overflow(tmp_path: Path) -> None:
    (path,) = save_2d_tensor_as_image(torch.tensor([[-1e308, 0, 1e308]], dtype=torch.float64), tmp_path / "a.png")
    assert pixels(path)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("tensor", "name", "error", "words"),
    [
        (torch.rand(0, 3), "a.png", ValueError, r"at least one value, got shape \(0, 3\)"),
        (torch.rand(3), "a.png", ValueError, r"two dimensions .* got shape \(3,\)"),
        (torch.rand(2, 3, 3), "a.png", ValueError, r"field such as \{:d\}.*2 slices"),
        (torch.rand(2, 2, 2, 3, 3), "{}-{}.png", ValueError, "expected one field, or 3"),
        (torch.rand(2, 3, 3), "{:d.png", ValueError, "expected a name with fields"),
        (torch.rand(2, 3, 3), "{name}.png", ValueError, "expected fields such as"),
        (torch.rand(2, 2, dtype=torch.complex64), "a.png", TypeError, "expected real values, got torch.complex64"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(
    tmp_path: Path, tensor: Tensor, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        save_2d_tensor_as_image(tensor, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_picture_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = save_2d_tensor_as_image(torch.rand(2, 2), tmp_path / "a.png")
    old = path.read_bytes()

    def full(self: Image.Image, where: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_2d_tensor_as_image(torch.rand(5, 5), path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make it first"):
        save_2d_tensor_as_image(torch.rand(2, 2), tmp_path / "no" / "a.png")


def test_notebook_row_has_the_files_pictures_with_alt_text_and_titles(tmp_path: Path) -> None:
    tensor = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    row = show_2d_tensors_as_images(tensor, signed=True, titles=["first", "<second>"], alt="two filters")
    soup = parse(row._repr_html_())
    assert [image["alt"] for image in soup.find_all("img")] == ["two filters: first", "two filters: <second>"]
    assert [caption.text for caption in soup.find_all("figcaption")] == ["first", "<second>"]
    paths = save_2d_tensor_as_image(tensor, tmp_path / "{}.png", signed=True)
    for image, path in zip(soup.find_all("img"), paths, strict=True):
        shown = tmp_path / "shown.png"
        shown.write_bytes(__import__("base64").b64decode(re.sub("^data:image/png;base64,", "", image["src"])))
        assert_close(pixels(shown), pixels(path))
    assert "two filters" in repr(row)


@pytest.mark.parametrize("alt", ["", "  "])
def test_pictures_without_alt_text_are_refused(alt: str) -> None:
    import matplotlib.pyplot as plt

    with pytest.raises(ValueError, match="alt text"):
        show_2d_tensors_as_images(torch.rand(2, 2), alt=alt)
    figure = plt.figure()
    with pytest.raises(ValueError, match="alt text"):
        show_figure(figure, alt)
    plt.close(figure)


def test_wrong_number_of_titles_is_named() -> None:
    with pytest.raises(ValueError, match="expected 2 titles"):
        show_2d_tensors_as_images(torch.rand(2, 3, 3), titles=["one"], alt="two")


def test_a_figure_is_shown_with_its_alt_text_and_closed() -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([0, 1])
    shown = show_figure(figure, 'a "line" that rises')
    image = parse(shown._repr_html_()).find("img")
    assert image is not None
    assert image["alt"] == 'a "line" that rises'
    assert figure.number not in plt.get_fignums()


def test_picture_files_are_shown_with_their_names_and_grown_pixels(tmp_path: Path) -> None:
    paths = save_2d_tensor_as_image(torch.rand(2, 3, 6), tmp_path / "noise-{:d}.png")
    page = parse(show_picture_files(paths, alt="Noise").html)
    assert [tag["alt"] for tag in page.find_all("img")] == ["Noise: noise-0.png", "Noise: noise-1.png"]
    assert [tag.get_text() for tag in page.find_all("figcaption")] == ["noise-0.png", "noise-1.png"]
    assert "width: 150px; height: 75px" in str(page.find("img"))


def test_picture_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        show_picture_files([tmp_path / "gone.png"], alt="Nothing")
