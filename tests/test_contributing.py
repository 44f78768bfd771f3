"""What the next engineer is told holds: guides name commands and places that exist, hooks and templates can be used."""

import json
import re
import shlex
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
import yaml
from ee559_course.cli import app
from ee559_course.commit_message import LONGEST_SUBJECT, message_problems
from ee559_course.paths import ROOT
from typer.testing import CliRunner

GUIDES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md",
    *sorted((ROOT / "site").rglob("*.md")),
]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
RECORDS = sorted(path for path in (ROOT / "site" / "design").glob("*.md") if path.stem != "index")
RECORDED = ROOT / "benchmarks" / "recorded"
PARTS = ["Context", "Decision", "Consequences", "What would change our mind"]
COMMANDS = set(typer.main.get_group(app).commands)
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
GOOD = "Name files by a digest of the id\n\nPercent-encoded, 41 letters were longer than a file's name may be.\n"


def code_in(path: Path) -> list[str]:
    """List the blocks and spans of code of a Markdown file."""
    return CODE.findall(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def headings(path: Path) -> set[str]:
    """Return the anchors that GitHub gives a file's headings."""
    found = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("path", GUIDES, ids=named)
def test_guides_name_only_commands_of_ee559_that_exist(path: Path) -> None:
    asked = {name for code in code_in(path) for name in re.findall(r"(?<!from )\bee559 ([a-z][a-z-]+)", code)}
    assert asked - COMMANDS == set()


@pytest.mark.parametrize("path", GUIDES, ids=named)
def test_guides_name_only_tests_and_modules_that_exist(path: Path) -> None:
    pattern = r"(?<![\w/.])(?:benchmarks|lectures|solutions|tests|tools|utils)/[\w./-]*[\w/](?![\w./-]*\*)"
    places = {place for code in code_in(path) for place in re.findall(pattern, code)}
    made_up = {"lectures/11-your-subject.ipynb", "solutions/NAME", "benchmarks/recorded/NAME.json"}
    assert {place for place in places - made_up if not (ROOT / place).exists()} == set()


@pytest.mark.parametrize("path", GUIDES[:3], ids=named)
def test_links_of_the_files_outside_the_site_lead_to_files_and_headings(path: Path) -> None:
    for file, _, anchor in (
        link.partition("#") for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text(encoding="utf-8"))
    ):
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), file
        assert not anchor or anchor in headings(target), f"{file}#{anchor}"


@pytest.mark.parametrize("path", RECORDS, ids=named)
def test_a_design_record_is_a_page_with_its_four_parts_and_measured_numbers_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert [part for part in parts if part != "What else we looked at"] == PARTS
    assert 300 <= len(text.split()) <= 450
    recorded = [json.loads(each.read_text(encoding="utf-8"))["output"] for each in RECORDED.glob("*.json")]
    measured = {number for output in recorded for number in re.findall(r"\d+(?:[.,]\d+)*", output)}
    assert set(re.findall(r"(\d+(?:[.,]\d+)*) (?:CPU s|s|min|MiB|ms)\b", text)) - measured == set()


def test_every_hook_runs_a_program_of_the_environment_and_needs_no_network() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    programs = {script.name for script in entry_points(group="console_scripts")} | {"ruff"}
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        program, command, *_ = [*shlex.split(hook["entry"]), ""]
        assert program.startswith(".venv/bin/")
        assert program.removeprefix(".venv/bin/") in programs
        assert not program.endswith("ee559") or command in COMMANDS


@pytest.mark.parametrize("path", FORMS, ids=named)
def test_an_issues_form_says_what_it_is_for_and_asks_each_thing_once(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    assert form["labels"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids) > 0
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_there_is_a_form_for_students_for_lectures_and_for_ideas() -> None:
    assert [path.stem for path in FORMS] == ["idea", "lecture-fault", "student-bug"]


def test_the_actions_are_kept_up_to_date_and_the_lock_by_its_own_command() -> None:
    github = ROOT / ".github"
    (update,) = yaml.safe_load((github / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert update["package-ecosystem"] == "github-actions"
    steps = yaml.safe_load((github / "workflows" / "lock.yml").read_text(encoding="utf-8"))["jobs"]["lock"]["steps"]
    assert "python course.py test" in [step.get("run") for step in steps]
    assert (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()[1].startswith("# Made by: uv pip ")


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = re.findall(r"^## \[?([\d.]+)\]? - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert changes[0] == (str(citation["version"]), str(citation["date-released"]))
    assert citation["version"] == version


@pytest.mark.parametrize(
    "message",
    [
        GOOD,
        GOOD + "\nSigned-off-by: Ada <ada@example.org>\n",
        "# Please enter the message.\n" + GOOD,
        "Merge branch 'main'\n",
        "fixup! Name files by a digest of the id\n",
        "A" * LONGEST_SUBJECT + "\n\nWhy.\n",
        GOOD + "# ------------------------ >8 ------------------------\n;;;\n",
    ],
)
def test_a_message_that_keeps_the_rules_passes(message: str) -> None:
    assert message_problems(message) == []


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("A" * (LONGEST_SUBJECT + 1) + "\n\nWhy.\n", "73 characters: at most 72"),
        ("Add a page; mend a link\n\nWhy.\n", "semicolon"),
        ("Add a page.\n\nWhy.\n", "full stop"),
        ("add a page\n\nWhy.\n", "small letter"),
        ("Add a page\nWhy.\n", "not empty"),
        ("Add a page\n", "no body"),
        ("Add a page\n\n# a comment\n", "no body"),
        ("Add a page\n\nSigned-off-by: Ada <ada@example.org>\n", "no body"),
    ],
)
def test_a_message_that_breaks_a_rule_is_refused_with_the_rule(tmp_path: Path, message: str, said: str) -> None:
    path = tmp_path / "COMMIT_EDITMSG"
    path.write_text(message, encoding="utf-8")
    refused = CliRunner().invoke(app, ["commit-message", str(path)])
    assert refused.exit_code == 1
    assert said in " ".join(refused.output.split())


def test_contributing_states_the_rules_of_messages_and_its_example_keeps_them() -> None:
    rules = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## Commit\n")[1].split("\n## ")[0]
    assert f"at most {LONGEST_SUBJECT} characters, no semicolon" in " ".join(rules.split())
    assert message_problems(rules.split("```")[1]) == []
