"""Hidden tests in three pieces: drawn, asked and judged; together in a kernel, and apart as a grader has them."""

import json
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest
import torch
from ee559.practicals.hidden import Case, Draw, HiddenTest, collected, hidden_test
from ee559.practicals.practical import children_of, gradients_of, kinds_of, parameters_of, parts_of, set_parameters
from ee559.practicals.wire import Foreign, pack, unpack
from ee559_course.practicals.answer_bank import load_answers, source_notebook
from ee559_course.practicals.hidden_tests import (
    HiddenTestError,
    answer_source,
    hidden_test_of,
    hidden_test_problems,
    private_lines,
)
from ee559_course.practicals.release import PRACTICAL_NAMES, SHORTEST_SECRET
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from torch import nn


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    def drawn(seed: str) -> list[object]:
        draw = Draw(seed)
        return [draw.random(), draw.sample(range(99), 5), draw.normal(9).tolist(), draw.labels(9, 99).tolist()]

    assert drawn("7 my_relu") == drawn("7 my_relu")
    assert all(a != b for a, b in zip(drawn("7 my_relu"), drawn("8 my_relu"), strict=True))


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
    assert labels.dtype == torch.int64
    assert labels.unique().tolist() == [0, 1, 2]


def test_a_draw_leaves_torchs_own_random_numbers_alone() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    Draw("0").normal(5)
    assert torch.equal(torch.rand(3), wanted)


def two_cases(draw: Draw) -> Iterator[Case]:
    for _ in range(2):
        yield {"x": draw.normal(3)}


def judge_double(came: Any, x: torch.Tensor) -> None:
    assert came.shape == x.shape, "double: wrong size"
    torch.testing.assert_close(came, 2 * x, msg="double: wrong values")


def double_test(answer: Callable[..., object], seconds: float | None = None) -> None:
    hidden_test("double", two_cases, answer, judge_double, seconds)


class AlwaysEqual:
    shape = torch.Size([3])

    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x, "double: wrong values"),
        (lambda x: x[:2], "double: wrong size"),
        (lambda x: None, "double: this cannot be judged: got a NoneType"),
        (lambda x: 2.0, "double: this cannot be judged: got a float"),
        (lambda x: AlwaysEqual(), "double: this cannot be judged: got an AlwaysEqual"),
        (lambda x: (2 * x).numpy(), "double: this cannot be judged: got a ndarray"),
        (lambda x: (2 * x).as_subclass(nn.Buffer), "double: this cannot be judged: got a Buffer"),
    ],
)
def test_a_wrong_answer_is_told_in_a_sentence(answer: Callable[..., object], words: str) -> None:
    with pytest.raises(AssertionError) as caught:
        double_test(answer)
    assert str(caught.value).splitlines()[0] == words  # pytest adds lines to assertions in this file


def test_a_right_answer_passes_and_may_change_what_it_got() -> None:
    double_test(lambda x: x.mul_(2))


def test_what_a_students_code_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        double_test(lambda x: 1 // 0)


def test_gradients_that_a_students_code_has_switched_off_are_on_in_the_verdict() -> None:
    def judge(came: object) -> None:
        leaf = torch.ones(2, requires_grad=True)
        assert gradients_of(leaf * 2, leaf)[0] is not None

    torch.set_grad_enabled(False)
    try:
        HiddenTest("name", two_cases, lambda: None, judge).verdict({}, None, 0)
    finally:
        torch.set_grad_enabled(True)


def test_what_is_written_to_stderr_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(x: torch.Tensor) -> torch.Tensor:
        print("a progress bar", file=sys.stderr)
        warnings.warn("deprecated", stacklevel=1)
        return 2 * x

    double_test(answer)
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out == "a progress bar\n" * 2


def test_an_answer_that_takes_too_much_processor_time_is_told_so() -> None:
    def answer(x: torch.Tensor) -> torch.Tensor:
        start = time.process_time()
        while time.process_time() - start < 0.001:
            x * 1
        return 2 * x

    double_test(lambda x: 2 * x, seconds=5)
    with pytest.raises(AssertionError, match=r"double: too slow on a large batch\. Is there a loop"):
        double_test(answer, seconds=0.0001)


def test_the_seed_of_the_environment_chooses_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[float]] = []

    def answer(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.tolist())
        return 2 * x

    for seed in ("0", "0", "a longer secret"):
        monkeypatch.setenv("EE559_SEED", seed)
        double_test(answer)
    assert seen[0:2] == seen[2:4]
    assert seen[0] not in seen[4:6]
    assert seen[0] != seen[1]


def test_collecting_runs_no_piece() -> None:
    def never(*arguments: object) -> Any:
        raise RuntimeError("a piece ran")

    with collected() as tests:
        hidden_test("one", never, never, never)
        hidden_test("two", never, never, never, seconds=1.0, reported=True)
    assert [(test.name, test.seconds, test.reported) for test in tests] == [("one", None, False), ("two", 1.0, True)]
    with pytest.raises(RuntimeError, match="a piece ran"):
        hidden_test("three", never, never, never)
    assert len(tests) == 2


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
    Linear = type("Linear", (nn.Module,), {})
    assert kinds_of(nn.Linear(2, 3)) == ["Linear", "Module"]
    assert kinds_of(Linear()) == ["Module"]
    assert kinds_of(type("Mine", (nn.Conv2d,), {})(1, 1, 1)) == ["Conv2d", "Module"]


def test_what_is_no_module_is_told_so() -> None:
    for look in (children_of, parts_of, parameters_of):
        with pytest.raises(AssertionError, match=r"expected an nn.Module, got a list"):
            look([nn.Linear(2, 3)])


def test_parameters_are_set_by_name_and_only_with_their_sizes() -> None:
    layer = nn.Linear(3, 2)
    set_parameters(parameters_of(layer), {"weight": torch.ones(2, 3), "other": torch.ones(1)})
    assert torch.equal(layer.weight, torch.ones(2, 3))
    with pytest.raises(AssertionError, match="the parameter bias does not have the size that the task says"):
        set_parameters(parameters_of(layer), {"bias": torch.ones(1)})


@pytest.fixture(scope="module", params=PRACTICAL_NAMES)
def practical(request: pytest.FixtureRequest) -> str:
    """One practical after another."""
    return str(request.param)


def graded_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.id.startswith("test-")]


def holds_foreign(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(holds_foreign, value.values()))
    return any(map(holds_foreign, value)) if isinstance(value, list | tuple) else isinstance(value, Foreign)


def students_namespace(notebook: NotebookNode, filled: dict[str, str]) -> dict[str, Any]:
    """Run the imports and the solutions, or what is filled in for them, and no test."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.id == "imports" or (cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")):
            exec(filled.get(cell.id, cell.source), namespace)
    return namespace


def fault_when_apart(cell: NotebookNode, namespace: dict[str, Any]) -> str | None:
    """Ask with the source alone and judge here, with nothing but JSON between; return what is wrong."""
    test = hidden_test_of(cell)
    defined: dict[str, Any] = {}
    exec(answer_source(cell), defined)
    answer = FunctionType(defined["answer"].__code__, namespace)
    for case in test.drawn("apart"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sent: Any = unpack(json.loads(json.dumps(pack(case))))
                came = json.dumps(pack(answer(**sent)))
            test.verdict(case, unpack(json.loads(came)), 0)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None


def test_each_cell_can_be_taken_apart(practical: str) -> None:
    notebook = source_notebook(practical)
    for cell in graded_cells(notebook):
        test = hidden_test_of(cell)
        assert test.name in answer_source(cell), cell.id
        cases = test.drawn("1")
        assert cases
        assert not holds_foreign([unpack(pack(case)) for case in cases]), cell.id
        assert len(json.dumps([pack(case) for case in cases])) < 1_000_000, cell.id
        assert [line for line in private_lines(cell) if "assert" in line and line in answer_source(cell)] == [], cell.id


def test_no_line_of_a_hidden_test_stands_in_a_students_cell_where_feedback_would_blank_it(practical: str) -> None:
    notebook = source_notebook(practical)
    others = "\n".join(cell.source for cell in notebook.cells if not cell.id.startswith("test-"))
    for cell in graded_cells(notebook):
        lines = [line.strip() for line in cell.source.splitlines() if "###" not in line]
        assert [line for line in lines if len(line) > SHORTEST_SECRET and line in others] == [], cell.id


def test_the_solution_passes_when_the_pieces_are_apart(practical: str) -> None:
    notebook = source_notebook(practical)
    namespace = students_namespace(notebook, {})
    before = set(namespace)
    for cell in graded_cells(notebook):
        assert fault_when_apart(cell, namespace) is None, cell.id
    assert set(namespace) == before


def test_wrong_answers_lose_the_same_tests_when_the_pieces_are_apart(practical: str) -> None:
    notebook = source_notebook(practical)
    ids = [cell.id for cell in notebook.cells]
    parts = [index for index, name in enumerate(ids) if name.startswith("part-")]
    for answer in load_answers(practical):
        first = max(index for index in parts if index < ids.index(answer.cell))
        last = min(index for index in parts if index > first)
        namespace = students_namespace(notebook, {answer.cell: answer.source})
        part = [cell for cell in notebook.cells[first:last] if cell.id.startswith("test-")]
        assert {cell.id for cell in part if fault_when_apart(cell, namespace)} == answer.fails, answer.name


LOOPS = {
    "test-linear-calls": "def batch_linear(x, w, b):\n    one = lambda n: w.mv(x[n]) + b",
    "test-distances-calls": "def pairwise_distances(x, y):\n    one = lambda n: (x[n] - y).square().sum(1).sqrt()",
    "test-losses-calls": "def losses_by_sample(x, t):\n    one = lambda n: (x[n] - t[n]).square().mean()",
}


@pytest.mark.parametrize("cell", LOOPS)
def test_a_loop_that_hides_from_the_count_of_calls_takes_too_long(cell: str) -> None:
    found = next(each for each in source_notebook("batches").cells if each.id == cell)
    namespace: dict[str, Any] = {"torch": torch, "__name__": "__main__"}
    loop = "with torch._C.DisableTorchFunction():\n        y = torch.stack([one(n) for n in range(len(x))])"
    exec(f"{LOOPS[cell]}\n    {loop}\n    return y * 1", namespace)
    with pytest.raises(AssertionError, match="too slow on a large batch"):
        exec(found.source, namespace)


@pytest.mark.parametrize("cell", LOOPS)
def test_an_answer_that_is_right_for_few_samples_must_be_right_for_many(cell: str) -> None:
    notebook = source_notebook("batches")
    found = next(each for each in notebook.cells if each.id == cell)
    namespace = students_namespace(notebook, {})
    name = hidden_test_of(found).name
    right = namespace[name]
    namespace[name] = lambda x, *rest: right(x, *rest).roll(len(x) // 1000, 0)
    assert fault_when_apart(found, namespace) == f"AssertionError: {name}: wrong values on a large batch"
    namespace[name] = lambda x, *rest: 2 * right(x, *rest)  # it loses the points of the values, and no others
    assert fault_when_apart(found, namespace) is None


GOOD = """
    from ee559.practicals.hidden import hidden_test

    def cases(draw):
        yield {"x": draw.normal(3)}

    def answer(x):
        import torch

        return double(torch.clone(x))

    def verdict(came, x):
        assert came.equal(2 * x), "double: wrong"

    hidden_test("double", cases, answer, verdict)
"""


def cell_of(body: str) -> NotebookNode:
    """Make a cell as the sources have them."""
    source = f"# Part 1, 1 point: it\n### BEGIN HIDDEN TESTS\ndef judge():{body}\n\njudge()\n### END HIDDEN TESTS"
    return new_code_cell(source, id="test-double")


def test_a_good_cell_is_collected_and_its_answer_can_be_sent() -> None:
    cell = cell_of(GOOD)
    assert hidden_test_problems(cell, {"double"}) == []
    assert answer_source(cell) == textwrap.dedent("""\
        def answer(x):
            import torch

            return double(torch.clone(x))
        """)
    assert private_lines(cell) >= {'yield {"x": draw.normal(3)}', 'assert came.equal(2 * x), "double: wrong"'}
    assert fault_when_apart(cell, {"double": lambda x: 2 * x}) is None
    assert fault_when_apart(cell, {"double": lambda x: x}) == "AssertionError: double: wrong"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('    hidden_test("double"', '    print("double"', "expected exactly one hidden_test(…) in judge(), got 0"),
        ("    def cases(draw)", '    hidden_test("a", 1, 2, 3)\n\n    def cases(draw)', "in judge(), got 2"),
        ("from ee559.practicals.hidden import", "from nowhere import", "judge() raised ModuleNotFoundError"),
        ("def cases(draw):", "def cases(draw:", "its hidden test is not Python"),
        ("        import torch\n", "", "answer uses torch, which it does not define: import it inside"),
        (
            "def answer(x):\n        import torch\n",
            "import torch\n\n    def answer(x):\n",
            "answer uses torch of judge()",
        ),
        ("def answer(x):", "def answer(x, y=2):", "answer has default values"),
        ("def answer(x):", "def answer(x, y):", "expected verdict(came, x, y)"),
        ("cases, answer, verdict)", "cases, verdict, answer)", "expected hidden_test(name, cases, answer, verdict)"),
        (
            "cases, answer, verdict)",
            "cases, lambda x: x, verdict)",
            "expected hidden_test(name, cases, answer, verdict)",
        ),
        ("yield {", "return {", "expected cases(draw) to yield each case"),
        ("came.equal(2 * x)", "came.equal(double(x))", "verdict uses double: only answer may use what students write"),
        ("draw.normal(3)}", "double(3)}", "cases uses double: only answer may use what students write"),
        ("came.equal(2 * x)", "torch.equal(came, x)", "verdict uses torch, which it does not define"),
        ("answer, verdict)", "answer, verdict, seconds=0)", "expected a positive number of seconds, got 0"),
        ('hidden_test("double"', 'hidden_test(""', "expected a name"),
    ],
)
def test_a_cell_that_breaks_the_form_is_told_how(old: str, new: str, words: str) -> None:
    assert old in GOOD
    problems = hidden_test_problems(cell_of(GOOD.replace(old, new)), {"double"})
    assert len(problems) == 1
    assert words in problems[0]


def test_a_cell_without_a_judge_has_no_hidden_test() -> None:
    cell = new_code_cell("1 + 1", id="test-nothing")
    for read in (hidden_test_of, answer_source, private_lines):
        with pytest.raises(HiddenTestError, match=r"expected a function judge\(\)"):
            read(cell)
