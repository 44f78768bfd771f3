"""The practicals: worth doing, released in step, leaking nothing, and marked as their banks of answers say."""

import ast
import difflib
import json
import random
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ee559_course.practicals.answer_bank import KINDS, Answer, equivalent_changes, load_answers, pack
from ee559_course.practicals.mutation import mutants_of, survivors
from ee559_course.practicals.practical import Practical, is_answer, practical_names, read_practical
from ee559_course.practicals.release import make_release
from ee559_course.practicals.rubric import points_and_rubrics
from ee559_course.practicals.rules import practical_problems, understanding_problems
from ee559_course.practicals.stock import Graded, bank_submissions, differing, grade_answers
from ee559_course.practicals.trial import bank_problems
from secret_lines import secrets_of

FEWEST = {"right": 150, "wrong": 250, "unearned": 75}
SAMPLE, MUTANT_SAMPLE = 6, 16
MAX_SHARE_OF_SURVIVORS = 0.05
MAX_ALIKE = 0.7  # of a solution's structure may stand in a folded solution of a lecture
SESSION_4 = {"train_model", "compute_nb_errors", "Net", "Net2"}  # the questions that the practical session asks
SKIPPED = (
    ast.Load,
    ast.Store,
    ast.arg,
    ast.arguments,
    ast.Module,
    ast.alias,
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.USub,
)
FOLDED = re.compile(r"<summary>Solution</summary>\s*```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module", params=practical_names())
def practical(request: pytest.FixtureRequest) -> Practical:
    """One practical after another."""
    return read_practical(str(request.param))


@pytest.fixture(scope="module")
def bank(practical: Practical) -> list[Answer]:
    """Read the answers beside the practical."""
    return load_answers(practical)


def sample(answers: list[Answer], number: int, seed: object) -> list[Answer]:
    return random.Random(f"{seed}").sample(answers, min(number, len(answers)))


@pytest.fixture(scope="module")
def stock_sample(bank: list[Answer], seed: int) -> list[Answer]:
    """Choose right and wrong answers that fit into one submission each, others in each run."""
    chosen: list[Answer] = []
    for kind in ("wrong", "right"):
        answers = [answer for answer in bank if answer.kind == kind and not answer.extra]
        chosen += pack(sample(answers, len(answers), seed))[0].values()
    return chosen


@pytest.fixture(scope="module")
def graded(practical: Practical, stock_sample: list[Answer]) -> dict[str, Graded]:
    """Grade the sample once in real nbgrader."""
    return grade_answers(practical, stock_sample)


def test_committed_practicals_and_recorded_values_are_made_from_the_solutions_as_they_are(
    root: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    records.mkdir()
    made = make_release(output=tmp_path / "practicals", records=records)
    assert {path.relative_to(tmp_path) for path in (tmp_path / "practicals").rglob("*") if path.is_file()} == {
        path.relative_to(root) for path in (root / "practicals").rglob("*") if path.is_file()
    }
    for path in made:
        committed = root / path.relative_to(tmp_path)
        assert json.loads(committed.read_text(encoding="utf-8")) == json.loads(path.read_text(encoding="utf-8"))
    package = root / "utils" / "ee559" / "practicals"
    assert {path.name for path in records.iterdir()} == {path.name for path in package.glob("*.json")}
    for path in records.iterdir():
        assert json.loads((package / path.name).read_text(encoding="utf-8")) == json.loads(path.read_text("utf-8"))


def test_source_keeps_the_rules_and_the_share_of_understanding(practical: Practical) -> None:
    assert practical_problems(practical) == []
    assert understanding_problems(practical) == []


def test_a_practical_has_words_by_hand_and_each_rubric_a_sample_answer_at_each_level(practical: Practical) -> None:
    points = {
        cell.id: int(cell.metadata.nbgrader.points)
        for cell in practical.notebook.cells
        if cell.id in practical.rubrics()
    }
    assert points
    for cell, text in practical.rubrics().items():
        for level in range(points[cell] + 1):
            assert re.search(rf"^.*\b{level} points?\b", text, re.MULTILINE), (cell, level)


def test_banks_hold_enough_answers_of_each_kind_and_each_hidden_test_catches_one() -> None:
    banks = {name: load_answers(read_practical(name)) for name in practical_names()}
    for kind in KINDS:
        assert sum(answer.kind == kind for answers in banks.values() for answer in answers) >= FEWEST[kind], kind
    for name, answers in banks.items():
        caught = {test for answer in answers if answer.kind == "wrong" for test in answer.fails}
        assert {test.id() for test in read_practical(name).tests} - caught == set()


def test_what_is_recorded_of_whole_banks_is_of_the_practicals_as_they_are(root: Path) -> None:
    recorded = json.loads((root / "solutions" / "banks.json").read_text(encoding="utf-8"))
    assert recorded
    for name, result in recorded.items():
        practical = read_practical(name)
        assert result["version"] == practical.version, (
            f"{name} has changed: run `ee559 bank {name} --repeats 40 --record solutions/banks.json` anew"
        )
        assert result["repeats"] >= 40
        assert result["problems"] == []
        assert not result["marked otherwise by stock nbgrader"]
        kinds = [answer.kind for answer in load_answers(practical)]
        assert {kind: result[kind] for kind in KINDS} == {kind: kinds.count(kind) for kind in KINDS}


def test_a_sample_of_the_bank_is_handled_as_it_says_by_check_and_mark(
    bank: list[Answer], practical: Practical, seed: int
) -> None:
    chosen = [answer for kind in KINDS for answer in sample([a for a in bank if a.kind == kind], SAMPLE, seed)]
    assert [problem for answer in chosen for problem in bank_problems(practical, answer, repeats=3)] == []


def test_stock_nbgrader_gives_nothing_for_the_release_and_everything_for_the_solution(
    graded: dict[str, Graded],
) -> None:
    assert set(graded["untouched"].points.values()) == {0}
    assert graded["solution"].points == graded["solution"].maxima
    assert "✗" not in "".join(graded["solution"].printed.values())
    assert "✓" not in graded["untouched"].printed["progress"]


def test_stock_nbgrader_marks_answers_as_the_bank_says(
    practical: Practical, stock_sample: list[Answer], graded: dict[str, Graded]
) -> None:
    for _, contained in bank_submissions(practical, stock_sample).values():
        if contained:
            assert differing(practical, contained, graded[contained[0].name]) == [], [
                answer.name for answer in contained
            ]


def test_no_check_prints_a_line_of_a_solution_or_hidden_test(practical: Practical, graded: dict[str, Graded]) -> None:
    for result in graded.values():
        checks = "\n".join(text for cell, text in result.printed.items() if not cell.startswith("test-"))
        assert [secret for secret in secrets_of(practical.name) if secret in checks] == []


def test_checks_send_students_to_headings_that_the_lectures_have(root: Path, practical: Practical) -> None:
    for see in [part.see for part in practical.parts] + [test.see for test in practical.tests]:
        if see:
            lecture, heading = see
            (path,) = (root / "lectures").glob(f"{lecture}-*.ipynb")
            cells = nbformat.read(path, as_version=4).cells
            assert any(f"## {heading}\n" in f"{cell.source}\n".replace("`", "") for cell in cells), see


def test_no_line_of_a_solution_hidden_test_or_rubric_is_released(root: Path, practical: Practical) -> None:
    released = [json.loads(path.read_text("utf-8")) for path in (root / "practicals").rglob("*.ipynb")]
    texts = ["".join(cell["source"]) for notebook in released for cell in notebook["cells"]]
    package = root / "utils" / "ee559" / "practicals"
    texts += [path.read_text("utf-8") for path in package.glob("*.py")]
    texts += [path.read_text("utf-8").replace("\\n", "\n") for path in package.glob("*.json")]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    assert secrets_of(practical.name)
    assert sorted(secrets_of(practical.name) & lines) == []


def structure(code: str) -> list[str]:
    """Write a program as the kinds of its nodes, whatever it calls things, and without the data that it lists."""
    return [type(node).__name__ for node in ast.walk(ast.parse(code)) if not isinstance(node, SKIPPED)]


def answers_of(practical: Practical) -> dict[str, str]:
    """Return the code of each function and class of a practical's solutions, as it is without its stub."""
    found = {}
    for cell in practical.notebook.cells:
        if cell.cell_type == "code" and is_answer(cell):
            stub = re.compile(
                r"^ *(?:### (?:BEGIN|END) SOLUTION|raise NotImplementedError\(.*\)|return)\n?$", re.MULTILINE
            )
            for node in ast.parse(stub.sub("", cell.source + "\n")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found[node.name] = ast.unparse(node)
    return found


def test_no_part_repeats_a_solution_that_a_lecture_has_folded_away(root: Path, practical: Practical) -> None:
    folded: dict[str, Any] = {}
    for path in sorted((root / "lectures").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            folded |= {f"{path.stem}/{cell.id}": structure(code) for code in FOLDED.findall(cell.source)}
    assert len(folded) > 20
    for name, code in answers_of(practical).items():
        if name in SESSION_4:
            continue
        ours = structure(code)
        for place, theirs in folded.items():
            matched = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).ratio()
            assert len(ours) < 12 or matched < MAX_ALIKE, f"{practical.name}: {name} repeats {place}: {matched:.0%}"


def test_small_changes_of_the_solution_lose_points(practical: Practical, seed: int) -> None:
    mutants = mutants_of(practical.notebook)
    equivalent = equivalent_changes(practical)
    chosen = [mutant for mutant in mutants if (mutant.cell, mutant.change) not in equivalent]
    chosen = random.Random(f"{seed}").sample(chosen, min(MUTANT_SAMPLE, len(chosen)))
    alive = [(mutant.cell, mutant.change) for mutant in survivors(practical, chosen)]
    assert len(alive) <= max(1, MAX_SHARE_OF_SURVIVORS * len(chosen)), alive


def test_rubric_adds_up_to_the_points_of_the_practical(practical: Practical) -> None:
    text = points_and_rubrics(practical)
    points = [float(found) for found in re.findall(r"^\| Part \d+ \| \S+ \| ([\d.]+) \|", text, re.MULTILINE)]
    stated = re.search(r"\*\*Points\*\* (\d+)", practical.notebook.cells[0].source)
    assert stated is not None
    assert sum(points) == int(stated[1])


def test_a_solution_notebook_reads_as_a_solution() -> None:
    lines = 0
    for name in practical_names():
        for cell in read_practical(name).notebook.cells:
            if cell.cell_type == "code":
                assert "HIDDEN TESTS" not in cell.source
                lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    assert lines <= 600, lines


def test_the_readings_of_the_widths_follow_from_the_recorded_trainings(root: Path) -> None:
    rows = (root / "solutions" / "network" / "recorded.md").read_text(encoding="utf-8").splitlines()
    cells = [row.strip("|").split("|") for row in rows if row[:3].strip("| ").isdigit()]
    rates = {int(width): [float(rate) for rate in three.split(",")] for width, three in cells}
    same = rates.pop(200)
    apart = [width for width, three in rates.items() if max(three) < min(same) or min(three) > max(same)]
    means = [sum(three) / 3 for _, three in sorted((rates | {200: same}).items())]
    expected = next(t for t in read_practical("network").tests if t.__name__ == "ReadingsOfTheWidths").expected()
    assert expected == {
        "falls": "yes" if means == sorted(means, reverse=True) else "no",
        "always falls": "no",  # 1000 units once did worse than 500 did
        "apart from 200": apart,
    }
    assert max(rates[1000]) > min(rates[500])
