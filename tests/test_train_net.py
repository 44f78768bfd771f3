"""The committed weights are what their record says, and the command that trains them writes all that goes with them."""

import hashlib
import json
from pathlib import Path

import onnxruntime
import pytest
import torch
from ee559 import Mnist, Net, load_mnist
from ee559_course.digit import train_net
from ee559_course.digit.still import every_activation
from torch import Tensor
from torch.testing import assert_close
from trained_net import FILES, RECORD, normalised, trained_net

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def net() -> Net:
    return trained_net()


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist("full", normalize=False)


def run_onnx(path: Path, input: Tensor) -> dict[str, Tensor]:
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(torch.from_numpy, session.run(None, {"input": input.numpy()})), strict=True))


def test_record_states_the_checksum_and_the_errors_of_the_committed_weights(mnist: Mnist) -> None:
    content = (FILES / "net.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == RECORD["sha256"]
    answers = [
        run_onnx(FILES / "net.onnx", normalised(batch))["logits"].argmax(1) for batch in mnist.test_input.split(1000)
    ]
    assert int((torch.cat(answers) != mnist.test_target).sum()) == RECORD["nb_errors"]
    assert RECORD["nb_test"] == 10_000
    assert RECORD["nb_errors"] <= 120


def test_record_states_the_normalisation_and_the_places_of_the_parameters(net: Net, mnist: Mnist) -> None:
    with train_net.one_thread():  # more would round the sum differently
        assert (RECORD["mean"], RECORD["std"]) == (mnist.train_input.mean().item(), mnist.train_input.std().item())
    content = (FILES / "net.onnx").read_bytes()
    for name, weight in net.state_dict().items():
        place = RECORD["parameters"][name]
        assert place["shape"] == list(weight.shape)
        assert content[place["offset"] :][: 4 * weight.numel()] == weight.numpy().tobytes()


def test_onnx_gives_every_activation_of_every_layer_as_torch_does(net: Net, mnist: Mnist) -> None:
    input = normalised(mnist.test_input[:50])
    expected = every_activation(net, input)
    assert_close(expected["logits"], net(input).detach())
    outputs = run_onnx(FILES / "net.onnx", input)
    assert list(outputs) == list(train_net.SHAPES)
    for name, values in outputs.items():
        assert_close(values, expected[name], atol=1e-4, rtol=1e-4)


def test_digits_to_pick_are_two_test_digits_of_each_class(mnist: Mnist) -> None:
    assert mnist.test_target[RECORD["picks"]].tolist() == [label for label in range(10) for _ in range(2)]
    assert (FILES / "digits.bin").read_bytes() == mnist.test_input[RECORD["picks"]].to(torch.uint8).numpy().tobytes()


@train_net.one_thread()  # which leaves torch the cores that it had
def test_training_writes_the_same_files_again_on_any_number_of_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = load_mnist("tiny", normalize=False)
    monkeypatch.setattr(train_net, "load_mnist", lambda *_, **__: few)
    monkeypatch.setattr(train_net, "NB_EPOCHS", 2)
    records = []
    for number in (1, 2):
        torch.set_num_threads(number)
        record = train_net.write_trained_net(tmp_path / str(number))
        records.append(json.loads(record.read_text(encoding="utf-8")))
        assert torch.get_num_threads() == number
    assert records[0]["sha256"] == records[1]["sha256"]
    assert records[0].keys() == RECORD.keys()
    assert {path.name for path in (tmp_path / "1").iterdir()} == {path.name for path in FILES.iterdir()}


def test_moved_digits_stay_digits(mnist: Mnist) -> None:
    torch.manual_seed(0)
    images = mnist.train_input[:50]
    moved = train_net.move(images, blank=0.0)
    assert moved.shape == images.shape
    assert not torch.equal(moved, images)
    assert_close(moved.sum(), images.sum(), rtol=0.1, atol=0.0)
    blank = torch.full((3, 1, 28, 28), -0.4)
    assert_close(train_net.move(blank, blank=-0.4), blank)
