"""Hidden tests: drawn, asked and judged; what students have of them; and what a check says of an answer."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest
import torch
from ee559.checks import Foreign
from ee559.practicals.asking import (
    children_of,
    define,
    kinds_of,
    parameters_of,
    parts_of,
    question_names,
    set_parameters,
)
from ee559.practicals.forbidding import Forbidden
from ee559.practicals.practical import Practical
from ee559_course.practicals.hidden import Case, Draw, HiddenTest, in_kernel
from ee559_course.practicals.recording import record
from torch import Tensor, nn
from torch.nn import functional as F


def doubled(output: Tensor) -> dict[str, object]:
    return {"as many values as there were": True, "output": output}


class DoubledValues(HiddenTest):
    """Twice each value."""

    part = "double"
    asks = "double"
    points = 2
    mistakes = {
        "the square": lambda x: doubled(x * x),
        "one is added to twice the value": lambda x: doubled(2 * x + 1),
        "what fails": lambda x: x.nothing,
    }

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"x": torch.tensor([2.0])}
        yield {"x": torch.tensor([1.0, float("nan")], dtype=torch.float64)}

    @staticmethod
    def drawn(draw: Draw) -> Iterator[Case]:
        yield {"x": draw.normal(3, 4)}

    @staticmethod
    def answer(double: Callable[..., Any], x: Tensor) -> object:
        output = double(x)
        return {"output": output, "shape": list(output.shape)}

    @staticmethod
    def facts(actual: Any, x: Tensor) -> object:
        return {"as many values as there were": actual["shape"] == list(x.shape), "output": actual["output"]}

    @staticmethod
    def expected(x: Tensor) -> object:
        return doubled(2 * x)


class SumsOfRows(HiddenTest):
    """No loop over the rows."""

    part = "rows"
    asks = "row_sums"
    points = 1
    seconds = 0.2

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {"nb_rows": 20_000}
        yield {"nb_rows": 200_000}

    @staticmethod
    def answer(row_sums: Callable[..., Any], nb_rows: int) -> object:
        return row_sums(torch.arange(2.0 * nb_rows).reshape(nb_rows, 2))[:3]

    @staticmethod
    def expected(nb_rows: int) -> object:
        return torch.tensor([1.0, 5.0, 9.0])


class ReadOff(HiddenTest):
    """What is read off"""

    part = "rows"
    asks = "my_readings"
    points = 1
    understanding = True

    @staticmethod
    def fixed() -> Iterator[Case]:
        yield {}

    @staticmethod
    def answer(my_readings: Callable[..., Any]) -> object:
        return my_readings()

    @staticmethod
    def expected() -> object:
        return {"largest": 37, "why": "b", "steps": (1, 2)}


NOTHING = Forbidden()
ALL = (DoubledValues, SumsOfRows, ReadOff)


def toy(forbidden: Forbidden = NOTHING) -> Practical:
    """Make the practical as students have it, through JSON."""
    tests = json.loads(json.dumps([asdict(record(test)) for test in ALL]))
    see = {"double": ("03", "A heading")}
    return Practical("toy", "1", forbidden, see, tuple(type(record(ReadOff)).from_dict(test) for test in tests))


def as_double(function: Callable[..., object]) -> Callable[..., object]:
    function.__name__ = "double"
    return function


def test_names_and_titles_are_made_from_the_class() -> None:
    assert [(test.id(), test.title()) for test in ALL] == [
        ("test-doubled-values", "Twice each value"),
        ("test-sums-of-rows", "No loop over the rows"),
        ("test-read-off", "What is read off"),
    ]


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    one, same, other = (DoubledValues.cases(seed)[2]["x"] for seed in ("7", "7", "8"))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert [case["x"].numel() for case in DoubledValues.cases("9")] == [1, 2, 12], "fixed cases come first"


def test_draws_are_of_the_type_and_range_that_is_asked_for_whatever_the_defaults() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        draw = Draw("0")
        distinct = draw.distinct(50, 60)
        assert distinct.abs().unique().numel() == (1 + distinct.abs()).unique().numel() == 3000
        assert distinct.min() < 0 < distinct.max()
        assert distinct.dtype == draw.normal(2, 3).dtype == draw.pixels(2).dtype == torch.float32
        assert draw.normal(2, 3, dtype=torch.float64).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    pixels, labels = draw.pixels(1000), draw.labels(1000, 3)
    assert 0 <= pixels.min() < 0.1 < 0.9 < pixels.max() < 1
    assert labels.unique().tolist() == [0, 1, 2]


def test_a_draw_leaves_torchs_own_random_numbers_alone() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    Draw("0").normal(5)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        ({"output": torch.tensor([4.0]), "shape": [1]}, None),
        ({"output": torch.tensor([5.0]), "shape": [1]}, "double(x=tensor([2.])): output: the value is not right"),
        ({"output": torch.tensor([4.0]), "shape": [2]}, "as many values as there were: the value is not right"),
        ({"output": None, "shape": [1]}, "output: expected a tensor, got None"),
        (7, "double(x=tensor([2.])): this cannot be judged: got an int"),
    ],
)
def test_a_verdict_is_the_first_difference_in_a_sentence(actual: object, words: str | None) -> None:
    wrong = DoubledValues.verdict(actual, {"x": torch.tensor([2.0])})
    assert wrong is None if words is None else words in str(wrong)


def test_an_object_whose_class_has_no_name_is_judged_like_any_other() -> None:
    for actual in (Foreign(""), {"output": Foreign(""), "shape": [1]}):
        wrong = DoubledValues.verdict(actual, {"x": torch.tensor([2.0])})
        assert wrong is not None
        assert wrong.startswith("double(x=tensor([2.])): ")


def test_a_loop_is_told_by_the_time_at_n_and_ten_n() -> None:
    assert SumsOfRows.too_slow([0.9, 1.0]) is None, "a slow machine is no loop"
    assert SumsOfRows.too_slow([5.0, 5.1]) is not None, "a pause on few samples hides no loop on many"
    assert SumsOfRows.too_slow([0.1, 0.1, 0.1, 0.9]) is not None, "drawn pairs count as well"
    assert "Is there a loop over the samples?" in str(SumsOfRows.too_slow([0.1, 0.9]))
    assert SumsOfRows.too_slow([0.1]) is None
    assert DoubledValues.too_slow([0.1, 9.0]) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: 2 * x, "✓ double: right, on 2 cases."),
        (lambda x: x + x, "✓ double: right"),
        (lambda x: x * x, "expected 2.0. It looks like this: the square."),
        (lambda x: 2 * x + 1, "It looks like this: one is added to twice the value. Lecture 03 explains it, in the"),
        (lambda x: x[:0], "as many values as there were"),
        (lambda x: 1 / 0, "double(x=tensor([2.])) raised ZeroDivisionError: division by zero."),
        (lambda: 2, "raised TypeError"),
        (lambda x: (2 * x).numpy(), "output: expected a tensor, got a ndarray"),
    ],
)
def test_a_check_says_the_first_thing_that_is_wrong(
    answer: Callable[..., object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    toy().check(as_double(answer))
    line = capsys.readouterr().out
    assert words in line
    assert line.count("\n") == 1


def test_a_mistake_is_named_only_if_every_case_agrees_with_it_and_with_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    toy().check(as_double(lambda x: 2 * x + (1 if len(x) > 1 else 3)))
    assert "It looks like" not in capsys.readouterr().out


def test_what_is_not_written_yet_is_told_so_and_other_names_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    def unwritten(x: Tensor) -> Tensor:
        raise NotImplementedError("return twice each value")

    def judged(x: Tensor) -> Tensor:
        return x

    toy().check(as_double(unwritten), judged)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("✗ double: not answered yet: return twice each value.")
    assert said[1] == "✗ judged: keep the name that the task gives: one of double, row_sums, my_readings."


def test_an_answer_without_a_name_of_its_own_goes_by_the_notebooks(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {"toy": toy()}
    exec("double = lambda x: 2 * x\ntoy.check(double)", namespace)
    assert capsys.readouterr().out.startswith("✓ double: right")


def test_a_loop_is_seen_by_the_check_too(capsys: pytest.CaptureFixture[str]) -> None:
    def row_sums(x: Tensor) -> Tensor:
        return torch.stack([row.sum() for row in x])

    toy().check(row_sums)
    assert "it takes too long on a large batch" in capsys.readouterr().out


def test_a_loop_is_broken_off_as_soon_as_the_large_batch_has_taken_too_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def row_sums(x: Tensor) -> Tensor:
        while len(x) > 100_000:
            with contextlib.suppress(Exception):  # as in a loop that goes on after errors
                sum(range(100))
        return x.sum(1)

    toy().check(row_sums)
    assert "it takes too long on a large batch" in capsys.readouterr().out


def test_a_check_of_what_is_read_off_says_whether_it_is_complete_and_never_what_is_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def my_readings() -> object:
        return {"largest": 1, "why": "a", "steps": [5, 6]}

    toy().check(my_readings)
    assert capsys.readouterr().out == "✓ my_readings: complete. You will learn after grading which values are right.\n"
    written = json.dumps(asdict(record(ReadOff)))
    assert "37" not in written
    assert '"b"' not in written

    def incomplete() -> object:
        return {"largest": "large"}

    incomplete.__name__ = "my_readings"
    toy().check(incomplete)
    assert "largest: expected a number, got a str" in capsys.readouterr().out


def test_progress_counts_what_passes_and_hides_what_answers_print(capsys: pytest.CaptureFixture[str]) -> None:
    toy().progress({"double": lambda x: print("noise") or 2 * x, "row_sums": lambda x: x})
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "All checks run again: this may take a minute."
    assert said[1:] == ["✓ double", "✗ row_sums", "– my_readings: not defined yet", "1 of 3 answers pass their checks."]


def test_what_is_forbidden_fails_in_the_check_and_works_again_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    toy(Forbidden(operators=("relu",))).check(as_double(lambda x: F.relu(x) * 2))
    assert "do this by hand: torch's relu is not allowed" in capsys.readouterr().out
    assert F.relu(torch.ones(1)).item() == 1


def test_a_question_has_names_of_its_own_whatever_its_asker_calls_things() -> None:
    ask = define("def answer(f):\n    return [len(range(3)), sum([1, 2]), f()]\n", question_names())
    student: dict[str, Any] = {}
    exec("len = sum = None\ndef f():\n    return len", student)
    assert ask(student["f"]) == [3, 3, None]


def test_in_nbgraders_kernel_a_test_runs_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for test, name, right, wrong in (
        (DoubledValues, "double", lambda x: 2 * x, lambda x: x),
        (SumsOfRows, "row_sums", lambda x: x.sum(1), lambda x: torch.stack([row.sum() for row in x])),
    ):
        in_kernel(test, Forbidden(), {name: right})
        with pytest.raises(AssertionError, match=f"^{name}"):
            in_kernel(test, Forbidden(), {name: wrong})
    with pytest.raises(AssertionError, match="double is not defined"):
        in_kernel(DoubledValues, Forbidden(), {})
    with pytest.raises(RuntimeError, match="relu is not allowed"):
        in_kernel(DoubledValues, Forbidden(operators=("relu",)), {"double": torch.relu})


def test_in_nbgraders_kernel_the_environment_chooses_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []

    def double(x: Tensor) -> Tensor:
        seen.append(x.flatten().tolist())
        return 2 * x

    for seed in ("0", "0", "a longer secret"):
        monkeypatch.setenv("EE559_SEED", seed)
        in_kernel(DoubledValues, Forbidden(), {"double": double})
    assert seen[2] == seen[5] != seen[8]


class Hiding(nn.Module):
    """A module that says that it has a single part."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.inside = nn.ModuleList([nn.Linear(4, 3), nn.Sequential(self.conv, nn.ReLU())])
        self.register_parameter("nothing", None)
        self.own = nn.Parameter(torch.zeros(2))

    def named_modules(self, *arguments: Any, **options: Any) -> Iterator[tuple[str, nn.Module]]:
        yield "", self

    def named_parameters(self, *arguments: Any, **options: Any) -> Iterator[tuple[str, nn.Parameter]]:
        return iter(())

    def children(self) -> Iterator[nn.Module]:
        return iter(())


def test_parts_and_parameters_are_pytorchs_own_whatever_a_class_says() -> None:
    module = Hiding()
    assert {name: id(part) for name, part in parts_of(module).items()} == {
        name: id(part) for name, part in nn.Module.named_modules(module)
    } | {f"inside.{name}".rstrip("."): id(part) for name, part in module.inside.named_modules() if name != "1.0"}
    assert list(parameters_of(module)) == ["own", "conv.weight", "conv.bias", "inside.0.weight", "inside.0.bias"]
    assert list(children_of(module)) == ["conv", "inside"]
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))
    assert list(parts_of(net)) == [name for name, _ in net.named_modules()]
    assert list(parameters_of(net)) == [name for name, _ in net.named_parameters()]


def test_kinds_are_torchs_classes_and_not_others_of_their_names() -> None:
    others = type("Linear", (nn.Module,), {})
    assert kinds_of(nn.Linear(2, 3)) == ["Linear", "Module"]
    assert kinds_of(others()) == ["Module"]
    assert kinds_of(type("Mine", (nn.Conv2d,), {})(1, 1, 1)) == ["Conv2d", "Module"]


def test_what_is_no_module_is_told_so() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            pass

    for look in (children_of, parts_of, parameters_of):
        with pytest.raises(TypeError, match=r"expected an nn.Module, got a list"):
            look([nn.Linear(2, 3)])
    with pytest.raises(TypeError, match=r"Early does not call super\(\)\.__init__\(\) first"):
        parameters_of(Early())


def test_parameters_are_set_by_name_and_only_with_their_sizes() -> None:
    layer = nn.Linear(3, 2)
    set_parameters(parameters_of(layer), {"weight": torch.ones(2, 3), "other": torch.ones(1)})
    assert torch.equal(layer.weight, torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"expected a parameter bias of size \(1,\), got \(2,\)"):
        set_parameters(parameters_of(layer), {"bias": torch.ones(1)})


def with_a_gradient(x: Tensor) -> Tensor:
    """Double by a gradient, in torch's default dtype of a fresh process."""
    two = torch.full((), 2.0, requires_grad=True)
    assert two.dtype == torch.float32
    (slope,) = torch.autograd.grad(two * two / 2, two)
    return slope * x


def test_settings_that_a_notebook_has_made_do_not_matter_to_its_check(capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(5)
    wanted = torch.rand(2)
    torch.manual_seed(5)
    try:
        with torch.no_grad():
            toy().check(as_double(with_a_gradient))
        assert torch.get_default_dtype() == torch.float64
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.equal(torch.rand(2), wanted)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)
    assert capsys.readouterr().out.startswith("✓ double")
