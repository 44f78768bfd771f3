"""The ledger is whole, its errors are clear, and it and the ten lectures agree in both directions."""

from pathlib import Path

import pytest
from ee559_course.lectures.ledger import NOTEBOOKS, LedgerError, changes_as_markdown, ledger_as_markdown, load_ledger
from ee559_course.lectures.lint import covered_rows
from ee559_course.paths import LECTURES, LEDGER
from ee559_course.site.practical_pages import practical_parts

ROW = 'id = "A1"\nslide = "s"\ntoday = "same"\nnotebook = "01-torch-nn-and-relu"\nobjective = "o"\n'
SIZES = {"A": 7, "B": 5, "C": 5, "D": 8, "E": 9, "F": 7, "G": 4, "H": 6}


def test_every_row_of_the_slides_is_in_the_ledger_in_order() -> None:
    expected = [f"{section}{number}" for section, size in SIZES.items() for number in range(1, size + 1)]
    assert [row.id for row in load_ledger(LEDGER)] == expected


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_of_each_lecture_cover_its_rows_and_name_only_known_ones(name: str) -> None:
    rows = load_ledger(LEDGER)
    covered = covered_rows(LECTURES / f"{name}.ipynb")
    assert {row.id for row in rows if row.notebook == name} - covered == set(), "rows without a cell"
    assert covered - {row.id for row in rows} == set(), "ids without a row"


def test_every_part_of_a_practical_exercises_a_row_and_rows_name_only_known_parts() -> None:
    assert {name for row in load_ledger(LEDGER) for name in row.exercises} == set(practical_parts())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[row", "not valid TOML"),
        ("", "no rows"),
        ("row = 3", "no rows"),
        ("[[row]]\n" + ROW.replace('today = "same"\n', ""), r"row 1 \(A1\).*'today'"),
        ("[[row]]\n" + ROW.replace('"same"', '" "'), r"row 1 \(A1\).*'today'"),
        ("[[row]]\n" + ROW.replace("today", "toady"), "'today'"),
        ("[[row]]\n" + ROW + "extra = 1\n", "unknown key 'extra'"),
        ("[[row]]\n" + ROW + "[[row]]\n" + ROW, "row 2: the id A1 is taken"),
        ("[[row]]\n" + ROW.replace("A1", "Z9"), "an id such as A1, got 'Z9'"),
        ("[[row]]\n" + ROW + 'exercises = "sizes/part-relu"\n', "expected exercises such as"),
        ("[[row]]\n" + ROW + 'exercises = ["part-relu"]\n', "expected exercises such as"),
        ("[[row]]\n" + ROW.replace("01-torch-nn-and-relu", "11-more"), "unknown notebook '11-more'"),
    ],
)
def test_a_broken_ledger_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ledger.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match=message) as error:
        load_ledger(path)
    assert "ledger.toml" in str(error.value)


def test_the_map_has_an_entry_a_row_under_the_title_that_links_its_lecture() -> None:
    rows = load_ledger(LEDGER)
    titles = {name: f"{name[:2]} · A title with *stars*" for name in NOTEBOOKS}
    lines = [*ledger_as_markdown(rows, titles, practical_parts()).splitlines(), ""]
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [rf"## [{name[:2]} · A title with \*stars\*](lectures/{name}.ipynb)" for name in NOTEBOOKS]
    for row in rows:
        place = lines.index(f"({row.id.lower()})=")
        assert lines[place + 1].startswith(f"**{row.id}** ")
        above = [heading for heading in lines[:place] if heading.startswith("## ")]
        assert above[-1] == headings[NOTEBOOKS.index(row.notebook)]
        entry = lines[place + 3 : lines.index("", place + 3)]
        assert any(line.startswith("- *Today:*") for line in entry) == (row.today != "same")
        assert any(line.startswith("- *Afterwards you can:*") for line in entry)
        linked = [line.count("](#") for line in entry if line.startswith("- *Exercise:*")]
        assert linked == ([len(row.exercises)] if row.exercises else [])


def test_2018_and_today_lists_every_row_that_is_not_the_same_and_no_other() -> None:
    page = changes_as_markdown(load_ledger(LEDGER))
    changed, stayed = page.split("## What stayed")
    for row in load_ledger(LEDGER):
        assert (f"**{row.id}**" in changed) == (not row.today.startswith("same")), row.id
        assert (f"**{row.id}**" in stayed) == (row.today.startswith("same") and row.today != "same"), row.id
    assert "RuntimeError" in changed
    assert "ModuleDict" in stayed
