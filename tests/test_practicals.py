"""The practicals: released in step with their solutions, leaking nothing, and graded as the bank of answers says."""

import copy
import importlib
import json
import re
from pathlib import Path

import ee559
import nbformat
import pytest
import torch
from course_copies import NEEDS_CONFINEMENT, course_at, hand_in, released
from ee559.practicals.practical import Practical, by_hand
from ee559_course.cli import app
from ee559_course.grading.batch import Options, grade
from ee559_course.grading.pool import PoolOptions
from ee559_course.practicals.answer_bank import (
    Answer,
    Graded,
    bank_submissions,
    grade_answers,
    load_answers,
    source_notebook,
)
from ee559_course.practicals.dry_run import dry_run
from ee559_course.practicals.mutation import equivalent_changes, mutants_of, survivors
from ee559_course.practicals.release import PRACTICAL_NAMES, make_release, practical_problems, secret_lines
from ee559_course.practicals.rubric import points_and_rubrics
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbformat import NotebookNode
from typer.testing import CliRunner

FEWEST_WRONG, FEWEST_RIGHT = 15, 4
LARGEST_SHARE_OF_SURVIVORS = 0.05


@pytest.fixture(scope="module", params=PRACTICAL_NAMES)
def practical(request: pytest.FixtureRequest) -> str:
    """One practical after another."""
    return str(request.param)


@pytest.fixture(scope="module")
def bank(practical: str) -> list[Answer]:
    """Read the answers beside the practical."""
    return load_answers(practical)


@pytest.fixture(scope="module")
def graded(practical: str, bank: list[Answer]) -> dict[str, Graded]:
    """Grade the whole bank once in real nbgrader."""
    return grade_answers(practical, bank)


def checks_of(practical: str) -> Practical:
    found: Practical = getattr(importlib.import_module(f"ee559.practicals.{practical}"), practical)
    return found


def judged(x: object) -> object:
    """Have a name that no task gives."""
    return x


def part_of(notebook: NotebookNode, cell: str) -> NotebookNode:
    """Keep the imports and the part that a cell stands in; test_every_wrong_answer… grades the whole notebook."""
    ids = [each.id for each in notebook.cells]
    starts = [index for index, name in enumerate(ids) if name.startswith("part-")]
    first = max(index for index in starts if index < ids.index(cell))
    last = min(index for index in starts if index > first)
    kept = copy.copy(notebook)
    kept.cells = [notebook.cells[ids.index("imports")], *notebook.cells[first:last]]
    return kept


def test_committed_practicals_are_made_from_the_solutions_as_they_are(root: Path, tmp_path: Path) -> None:
    made = make_release(tmp_path)
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == {
        path.relative_to(root / "practicals") for path in (root / "practicals").rglob("*") if path.is_file()
    }
    for path in made:
        committed = root / "practicals" / path.relative_to(tmp_path)
        assert json.loads(committed.read_text(encoding="utf-8")) == json.loads(path.read_text(encoding="utf-8"))


def test_no_line_of_a_solution_hidden_test_or_rubric_is_released(root: Path, practical: str) -> None:
    notebooks = [*(root / "practicals").rglob("*.ipynb"), *(root / "lectures").glob("*.ipynb")]
    released = [text for path in notebooks for text in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    lines = {line.strip() for cell in released for line in "".join(cell["source"]).splitlines()}
    for path in (root / "utils").rglob("*.py"):
        lines |= {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    secrets = secret_lines(source_notebook(practical))
    assert secrets
    assert sorted(secrets & lines) == []


def test_source_keeps_the_rules(practical: str) -> None:
    assert practical_problems(practical) == []


def test_bank_has_enough_answers_and_each_hidden_test_catches_one(practical: str, bank: list[Answer]) -> None:
    assert sum(not answer.right for answer in bank) >= FEWEST_WRONG
    assert sum(answer.right for answer in bank) >= FEWEST_RIGHT
    assert [answer.name for answer in bank if not answer.right and not (answer.says and answer.fails)] == []
    tests = {cell.id for cell in source_notebook(practical).cells if cell.id.startswith("test-")}
    assert tests - {test for answer in bank for test in answer.fails} == set()


def test_checks_send_students_to_headings_that_the_lectures_have(root: Path, practical: str) -> None:
    for name, part in checks_of(practical).parts.items():
        lecture, heading = part.see
        (path,) = (root / "lectures").glob(f"{lecture}-*.ipynb")
        cells = nbformat.read(path, as_version=4).cells
        assert any(f"## {heading}\n" in f"{cell.source}\n".replace("`", "") for cell in cells), (name, part.see)


def test_untouched_release_gets_nothing_and_the_solution_full_marks(graded: dict[str, Graded]) -> None:
    assert set(graded["untouched"].points.values()) == {0}
    assert graded["solution"].points == graded["solution"].maxima


def test_every_wrong_answer_loses_the_points_of_what_it_breaks_and_no_others(
    bank: list[Answer], graded: dict[str, Graded]
) -> None:
    in_one_submission: dict[int, set[str]] = {}
    for answer in bank:
        in_one_submission.setdefault(id(graded[answer.name]), set()).update(answer.fails)
    for answer in bank:
        assert graded[answer.name].failed == in_one_submission[id(graded[answer.name])], answer.name


def test_every_wrong_answer_gets_its_own_message_from_the_check(bank: list[Answer], graded: dict[str, Graded]) -> None:
    for answer in bank:
        said = "\n".join(graded[answer.name].printed.values())
        assert answer.right or answer.says in said, f"{answer.name}: {said}"


@NEEDS_CONFINEMENT
def test_our_own_grading_gives_the_marks_of_stock_nbgrader(
    practical: str, bank: list[Answer], graded: dict[str, Graded], tmp_path: Path
) -> None:
    course = course_at(tmp_path / "course")
    for student, (filled, _) in bank_submissions(practical, bank).items():
        notebook = released(practical)
        for cell in notebook.cells:
            cell.source = filled.get(cell.id, cell.source)
        hand_in(course, student, notebook, practical)
    records = grade(course, practical, Options(pool=PoolOptions(workers=1)), lambda event: None)
    assert {record.student: record.flags for record in records if record.flags or record.notes} == {}
    ours = {record.student: {test.cell: test.points for test in record.tests} for record in records}
    assert ours == {student: graded[student].points for student in bank_submissions(practical, bank)}


def test_each_answer_alone_loses_what_it_breaks_and_is_told_so(practical: str, bank: list[Answer]) -> None:
    notebook = source_notebook(practical)
    for answer in bank:
        run = dry_run(part_of(notebook, answer.cell), {answer.cell: answer.source})
        assert run.lost == answer.fails, answer.name
        said = "\n".join(run.printed.values())
        assert "✗" not in said if answer.right else answer.says in said, answer.name


def test_small_changes_of_the_solution_lose_points(practical: str) -> None:
    notebook = source_notebook(practical)
    mutants = mutants_of(notebook)
    alive = {(mutant.cell, mutant.change) for mutant in survivors(notebook, mutants)}
    equivalent = equivalent_changes(practical)
    assert equivalent - alive == set(), "no longer survivors: remove them from the bank"
    assert len(alive - equivalent) <= LARGEST_SHARE_OF_SURVIVORS * (len(mutants) - len(equivalent)), alive - equivalent


def test_bank_leaves_the_kernels_of_other_programs_as_they_were(graded: dict[str, Graded]) -> None:
    assert KernelProvisionerFactory.instance().default_provisioner_name == "local-provisioner"


def test_solution_passes_every_check_and_the_progress_says_so(graded: dict[str, Graded]) -> None:
    assert "✗" not in "".join(graded["solution"].printed.values())
    found = re.search(r"(\d+) of (\d+) parts pass", graded["solution"].printed["progress"])
    assert found is not None
    assert found[1] == found[2]


def test_untouched_checks_say_what_is_asked_for(graded: dict[str, Graded]) -> None:
    printed = graded["untouched"].printed["progress"]
    assert printed.count("✗") == printed.count("\n") - 1


def test_no_check_prints_a_line_of_a_solution_or_hidden_test(practical: str, graded: dict[str, Graded]) -> None:
    secrets = secret_lines(source_notebook(practical))
    for result in graded.values():
        checks = "\n".join(text for cell, text in result.printed.items() if not cell.startswith("test-"))
        assert [secret for secret in secrets if secret in checks] == []


def test_rubric_adds_up_to_the_points_of_the_practical(practical: str) -> None:
    notebook = source_notebook(practical)
    text = points_and_rubrics(notebook)
    points = [float(found) for found in re.findall(r"^\| Part \d+ \| \S+ \| ([\d.]+) \|", text, re.MULTILINE)]
    stated = re.search(r"\*\*Points\*\* (\d+)", notebook.cells[0].source)
    assert stated is not None
    assert sum(points) == int(stated[1])
    assert "Rubric, " in text


CHANGES_ITS_INPUT = {
    "sizes": """
def my_conv2d(x, weight, bias, stride=1, padding=0):
    columns = torch.nn.functional.unfold(x * 1, weight.shape[2:], stride=stride, padding=padding)
    rows = (x.size(2) + 2 * padding - weight.size(2)) // stride + 1
    x.data.zero_()
    return (weight.flatten(1) @ columns + bias[:, None]).unflatten(2, (rows, -1))
""",
    "filters": """
def my_mse(x, t):
    if x.shape != t.shape:
        raise ValueError(f"{x.shape} and {t.shape}")
    loss = ((x - t) ** 2).mean()
    x.data.zero_()
    return loss
""",
    "modules": """
class MyLinear(torch.nn.Module):
    def __init__(self, inputs, outputs, bias=True):
        super().__init__()
        bound = inputs**-0.5
        self.weight = torch.nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = torch.nn.Parameter(torch.empty(outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x):
        y = torch.nn.functional.linear(x * 1, self.weight, self.bias)
        x.data.zero_()
        return y
""",
    "network": """
def train_model(model, train_input, train_target, mini_batch_size, nb_epochs, eta):
    losses = ee559.train_model(model, train_input * 1, train_target * 1, mini_batch_size, nb_epochs, eta)
    train_input.zero_()
    return [loss * -(-len(train_input) // mini_batch_size) for loss in losses]
""",
}


class Plain(torch.nn.Module):
    """Keep tensors that are no parameters."""

    def __init__(self, *sizes: object) -> None:
        super().__init__()
        self.weight = torch.zeros(3, 3)


@pytest.mark.parametrize(
    ("practical", "name", "answer", "said"),
    [
        ("modules", "MyLinear", Plain, "MyLinear(3, 2)(tensor of (4, 3)): it has no registered parameters: wrap"),
        ("modules", "Deep", Plain, "Deep([4, 3])(tensor of (5, 4)): it has no registered parameters: keep layers"),
        ("network", "error_rates", lambda *arguments: 3, "error_rates(make_model, train, test, 1): expected a list"),
        ("network", "Net2", lambda: torch.nn.Identity(), "Net2()(tensor of (1, 1, 28, 28)): convolutions"),
        (
            "network",
            "compute_nb_errors",
            lambda *arguments: 3,
            "compute_nb_errors(Identity(), tensor of (5, 3), tensor of (5, 3), 5): samples that the model gets at once"
            ": the value is not right: got 0, expected 5. Lecture 07",  # and no mistake that was not made
        ),
    ],
)
def test_check_writes_the_call_as_a_student_would_type_it(
    practical: str, name: str, answer: type, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def tried(*arguments: object) -> object:
        return answer(*arguments)

    tried.__name__ = name
    checks_of(practical).check(tried)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", CHANGES_ITS_INPUT)
def test_check_sees_that_an_answer_changes_its_input(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    namespace = {"torch": torch, "ee559": ee559}
    exec(CHANGES_ITS_INPUT[name], namespace)
    written = next(value for key, value in namespace.items() if key in checks_of(name).parts)
    checks_of(name).check(written)
    assert "the function changed its input" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x, "✗ <lambda>: write it with `def`, not with lambda: one of output_size, my_relu"),
        (judged, "✗ judged: keep the name that the task gives: one of output_size, my_relu"),
    ],
)
def test_check_asks_for_the_name_of_the_task(answer: object, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    checks_of("sizes").check(answer)
    assert words in capsys.readouterr().out


def test_each_refused_name_works_again_after_the_check() -> None:
    with pytest.raises(AssertionError, match=r"nn\.Linear is not allowed"), by_hand("Linear", "relu"):
        torch.nn.Linear(2, 3)
    with pytest.raises(AssertionError, match="torch's relu is not allowed"), by_hand("Linear", "relu"):
        torch.nn.ReLU()(torch.ones(2))
    assert torch.nn.Linear(2, 3)(torch.ones(2)).relu().shape == (3,)


@pytest.mark.parametrize("command", ["release", "rubric", "catches", "mutate"])
def test_unknown_practical_gets_one_clear_error(command: str) -> None:
    done = CliRunner().invoke(app, [command, "nonsense"])
    assert done.exit_code == 1
    said = " ".join(done.output.split())  # lines are as long as the terminal is wide
    assert "no such practical" in said
    assert "sizes" in said


def test_broken_sources_are_named_with_file_and_cell(tmp_path: Path) -> None:
    notebook = source_notebook("sizes")
    solution = next(cell for cell in notebook.cells if cell.id == "my-relu")
    solution.source = solution.source.replace("raise NotImplementedError", "print")
    next(cell for cell in notebook.cells if cell.id == "test-relu-input").metadata.nbgrader.points = 5.0
    next(
        cell for cell in notebook.cells if cell.id == "check-conv"
    ).source += "\n### BEGIN SOLUTION\n1\n### END SOLUTION"
    next(cell for cell in notebook.cells if cell.id == "my-conv2d").metadata.nbgrader.grade_id = "edited"
    stride = next(cell for cell in notebook.cells if cell.id == "test-conv-stride")
    stride.source = stride.source.replace("    def verdict(came,", "    def verdict(answered,\n        came,")
    values = next(cell for cell in notebook.cells if cell.id == "test-conv-values")
    values.source = values.source.replace("torch.nn.functional.conv2d(x", "my_conv2d(x")
    edges = next(cell for cell in notebook.cells if cell.id == "test-seen-edges")
    edges.source = edges.source.replace("judge()\n###", "judge()\njudge()\n###")
    part = next(cell for cell in notebook.cells if cell.id == "part-seen")
    part.source = part.source.replace("(10 minutes", "(20 minutes")
    (tmp_path / "sizes").mkdir()
    nbformat.write(notebook, tmp_path / "sizes" / "sizes.ipynb")
    problems = practical_problems("sizes", tmp_path)
    for cell, words in [
        ("my-relu", "raise NotImplementedError"),
        ("title", "expected **Points** 31"),
        ("title", "expected **Minutes** 95"),
        ("part-relu", "expected 7 points"),
        ("check-conv", "it would be released"),
        ("my-conv2d", "its grade_id is 'edited'"),
        ("test-conv-stride", "expected verdict(came, x, weight, stride, padding)"),
        ("test-conv-values", "verdict uses my_conv2d: only answer may use what students write"),
        ("test-seen-edges", "expected one function judge() and its call"),
    ]:
        assert any(problem.startswith(f"sizes.ipynb, {cell}: ") and words in problem for problem in problems), problems
    assert practical_problems("nonsense", tmp_path) == ["nonsense.ipynb: no such practical: expected one of sizes."]
