"""The site's pages other than lectures: practicals without solutions, the glossary, the guides, the benchmarks."""

import importlib
import json
import re
from pathlib import Path

import nbformat
import pytest
from ee559_course.cli import app
from ee559_course.paths import PRACTICALS
from ee559_course.practicals.practical import practical_names, read_practical
from ee559_course.site.build import build_site, gather_sources
from ee559_course.site.generated_pages import SiteOptions
from secret_lines import secrets_of
from soup import parse
from typer.testing import CliRunner

WORDS = (
    "tensor batch channel kernel stride padding dilation module parameter buffer state_dict loss one-hot logits epoch "
    "mini-batch autograd gradient weight bias filter convolution max-pooling broadcasting registration"
)
TERMS = {*WORDS.split(" "), "feature map", "receptive field"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gather the sources of the public site."""
    folder = tmp_path_factory.mktemp("sources")
    gather_sources(folder, SiteOptions())
    return folder


def released(practical: str) -> nbformat.NotebookNode:
    """Read the students' version."""
    notebook: nbformat.NotebookNode = nbformat.read(PRACTICALS / practical / f"{practical}.ipynb", as_version=4)
    return notebook


def readable(folder: Path) -> dict[str, str]:
    """Read every file that is text, as a reader would: notebooks by their cells, pages by their text."""
    texts = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.suffix == ".ipynb":
            text += "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        elif path.suffix == ".html":
            text += parse(text).get_text()
        texts[path.relative_to(folder).as_posix()] = text
    return texts


def leaks(texts: dict[str, str], practical: str) -> list[tuple[str, str]]:
    return [(name, secret) for name, text in texts.items() for secret in secrets_of(practical) if secret in text]


def test_names_of_practicals_come_in_the_order_of_the_course() -> None:
    assert practical_names() == ["sizes", "filters", "modules", "network", "batches"]


def test_no_byte_of_a_solution_rubric_or_hidden_test_is_in_the_sources(sources: Path) -> None:
    texts = readable(sources)
    assert {f"notebooks/{name}/{name}.ipynb" for name in practical_names()} <= set(texts)
    assert [leak for name in practical_names() for leak in leaks(texts, name)] == []


def test_the_switch_shows_the_solution_and_rubric_of_one_practical_and_no_hidden_test(tmp_path: Path) -> None:
    gather_sources(tmp_path, SiteOptions(solutions=("filters",)))
    assert [path.name for path in (tmp_path / "solutions").iterdir()] == ["filters.md"]
    page = (tmp_path / "solutions" / "filters.md").read_text(encoding="utf-8")
    practical = read_practical("filters")
    hidden = {line.strip() for line in practical.code.splitlines()}
    shown = {secret for secret in practical.secrets() if secret not in hidden}
    assert shown
    assert [secret for secret in shown if secret not in page] == []
    assert "Rubric" in page
    assert "HiddenTest" not in page
    assert "NotImplementedError" not in page
    solution = "\n".join(cell.source for cell in practical.notebook.cells)  # its lines may stand in a test as well
    assert [secret for secret in secrets_of("filters") & hidden if secret in page and secret not in solution] == []
    texts = readable(tmp_path)
    assert [leak for name in practical_names() if name != "filters" for leak in leaks(texts, name)] == []
    del texts["solutions/filters.md"]
    assert leaks(texts, "filters") == []


def test_a_solution_appears_in_the_built_site_and_is_gone_when_the_switch_is_off_again(tmp_path: Path) -> None:
    site = tmp_path / "site"
    build_site(site, SiteOptions(solutions=("sizes",), repository="ada/course"))
    assert "A solution" in (site / "practicals" / "sizes.html").read_text(encoding="utf-8")
    assert "Sample for 4 points" in (site / "solutions" / "sizes.html").read_text(encoding="utf-8")
    build_site(site)
    assert not (site / "solutions").exists()
    texts = readable(site)
    assert [leak for name in practical_names() for leak in leaks(texts, name)] == []


@pytest.mark.parametrize("practical", practical_names())
def test_a_practicals_page_shows_its_cells_as_they_are_unrun_with_folded_hints(
    built_site: Path, root: Path, practical: str
) -> None:
    page = parse((built_site / "practicals" / f"{practical}.html").read_text(encoding="utf-8"))
    shown = [cell.get_text().strip() for cell in page.select("div.cell_input pre")]
    assert shown == [cell.source.strip() for cell in released(practical).cells if cell.cell_type == "code"]
    assert not page.select(".cell_output")
    hints = page.select("article details")
    assert hints
    assert not any(hint.has_attr("open") for hint in hints)
    files = {path.name for path in (root / "practicals" / practical).iterdir()}
    downloads = {Path(link["href"]).name: link["href"] for link in page.select("a.download")}
    assert set(downloads) == files
    for name, address in downloads.items():
        downloaded = built_site / "practicals" / address
        assert downloaded.read_bytes() == (root / "practicals" / practical / name).read_bytes()


def test_a_lecture_says_its_minutes_and_can_be_downloaded_without_a_dead_button(built_site: Path, root: Path) -> None:
    for lecture in sorted((root / "lectures").glob("*.ipynb")):
        page = built_site / "lectures" / f"{lecture.stem}.html"
        soup = parse(page.read_text(encoding="utf-8"))
        line = soup.select_one("article h1").find_next("p")
        minutes = minutes_of(root, "lectures")[lecture.stem]
        assert line.get_text().startswith(f"{minutes} minutes · Download")
        download = line.select_one("a.download")
        assert (page.parent / download["href"]).read_bytes() == lecture.read_bytes()
        assert not soup.select("a[href*=colab], a[href*=mybinder]")


def test_a_repository_gives_each_lecture_links_to_colab_and_binder(tmp_path: Path) -> None:
    gather_sources(tmp_path, SiteOptions(repository="ada/course"))
    for lecture in sorted((tmp_path / "lectures").glob("*.ipynb")):
        first = nbformat.read(lecture, as_version=4).cells[0].source
        place = f"lectures/{lecture.name}"
        assert f"(https://colab.research.google.com/github/ada/course/blob/main/{place})" in first
        assert f"(https://mybinder.org/v2/gh/ada/course/HEAD?urlpath=lab/tree/{place})" in first
        assert "%pip install git+https://github.com/ada/course" in first
        download = nbformat.read(tmp_path / "notebooks" / lecture.name, as_version=4).cells[0].source
        assert "colab" not in download


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--solutions", "size"], "no practical 'size': expected one of sizes"),
        (["--repository", "https://github.com/ada/course"], "OWNER/NAME"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_built(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["site", "--output", str(tmp_path / "site"), *options])
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


def test_the_glossary_explains_each_word_and_links_a_lecture(built_site: Path) -> None:
    page = parse((built_site / "glossary.html").read_text(encoding="utf-8"))
    entries = {term.find(string=True).strip(): term.find_next_sibling("dd") for term in page.select("dl.glossary > dt")}
    assert set(entries) >= TERMS
    assert list(entries) == sorted(entries, key=str.casefold)
    for term, text in entries.items():
        assert text.select("a[href*='lectures/']"), f"{term} links no lecture"
        assert 5 <= len(text.get_text().split()) <= 60, f"{term} is not a sentence or two"


def test_2018_and_today_and_the_map_lead_to_lectures_and_parts(built_site: Path) -> None:
    changes = parse((built_site / "changes.html").read_text(encoding="utf-8"))
    assert len(changes.select("article li")) >= 2 * 20
    the_map = parse((built_site / "map.html").read_text(encoding="utf-8"))
    assert "practicals/sizes.html#sizes-part-field" in {link["href"] for link in the_map.select("article a")}


def test_the_benchmarks_page_shows_the_last_run_of_each_with_its_machine_and_command(
    built_site: Path, root: Path
) -> None:
    text = parse((built_site / "benchmarks.html").read_text(encoding="utf-8")).get_text()
    recorded = sorted((root / "benchmarks" / "recorded").glob("*.json"))
    assert recorded
    for path in recorded:
        run = json.loads(path.read_text(encoding="utf-8"))
        assert (root / run["command"].split()[-1]).exists()
        for part in (run["command"], run["machine"], run["date"], *run["output"].split("\n")):
            assert part in text


def test_recording_keeps_what_a_benchmark_prints_and_its_status(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    record = importlib.import_module("record")
    monkeypatch.setattr(record, "HERE", tmp_path)
    (tmp_path / "toy.py").write_text(
        '"""Count to two.\n\nMore."""\nprint("1 2")\nraise SystemExit(1)\n', encoding="utf-8"
    )
    assert record.record("toy") == 1
    run = json.loads((tmp_path / "recorded" / "toy.json").read_text(encoding="utf-8"))
    assert (run["title"], run["command"], run["output"]) == ("Count to two", "python benchmarks/toy.py", "1 2\n")
    assert "torch" in run["machine"]


def minutes_of(root: Path, kind: str) -> dict[str, int]:
    found = {}
    for path in sorted((root / kind).rglob("*.ipynb")):
        source = nbformat.read(path, as_version=4).cells[0].source
        (minutes,) = re.findall(r"\*\*Minutes\*\* (\d+)", source)
        found[path.stem] = int(minutes)
    return found


def test_the_minutes_that_home_and_the_term_plan_state_are_those_of_the_notebooks(root: Path) -> None:
    lectures, practicals = minutes_of(root, "lectures"), minutes_of(root, "practicals")
    home = " ".join((root / "site" / "index.md").read_text(encoding="utf-8").split())
    assert f"lecture takes {min(lectures.values())} to {max(lectures.values())} minutes" in home
    assert f"each practical {min(practicals.values())} to {max(practicals.values())}." in home
    guide = (root / "site" / "instructors.md").read_text(encoding="utf-8")
    term = guide.split("\n## A term\n")[1].split("\n## ")[0]
    planned: list[str] = []
    for row in re.findall(r"^\| \d \|(.*)\|$", term, re.MULTILINE):
        given, _, practical, minutes = row.split("|")
        numbers = re.findall(r"\d\d", given)
        planned += numbers
        sums = [sum(lectures[name] for name in lectures if name[:2] in numbers)] if numbers else []
        sums += [practicals[name] for name in re.findall(r"`(\w+)`", practical)]
        assert [int(number) for number in minutes.split("+")] == sums
    assert planned == sorted(name[:2] for name in lectures)


def test_git_ignores_what_students_hand_in_and_what_they_get(root: Path) -> None:
    ignored = (root / ".gitignore").read_text(encoding="utf-8").splitlines()
    for place in (
        "gradebook.db*",
        "downloaded/",
        "submitted/",
        "autograded/",
        "feedback/",
        "grades.csv",
        "*-moodle.csv",
        "*-canvas.csv",
    ):
        assert f"/{place}" in ignored
