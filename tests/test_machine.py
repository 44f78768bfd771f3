"""What tests need of a machine is found where it is, and its lack is skipped, or a failure where CI must have it."""

from pathlib import Path

import pytest
from ee559_course.browser import find_chromium
from machine import LINUX, Requirement, find_python
from playwright.sync_api import sync_playwright


def test_a_lack_is_skipped_and_fails_where_ci_must_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    for installed_by_ci in (True, False):
        with pytest.raises(pytest.skip.Exception, match=r"^no unicorn\. To get it: a forest$"):
            Requirement("unicorn", "a forest", lambda: False, in_ci=installed_by_ci).require()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"a forest \(CI must have it\)$"):
        Requirement("unicorn", "a forest", lambda: False, in_ci=True).require()
    with pytest.raises(pytest.skip.Exception):
        Requirement("unicorn", "a forest", lambda: False).require()
    Requirement("horse", "a meadow", lambda: True, in_ci=True).require()


def test_the_chromium_that_playwright_installs_is_found_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ee559_course.browser.CHROMIUM_NAMES", ("no-such-browser",))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert find_chromium() is None
    with sync_playwright() as playwright:
        program = Path(playwright.chromium.executable_path)
        program.parent.mkdir(parents=True)
        program.touch()
        assert find_chromium() == str(program)


@pytest.mark.needs(LINUX)  # the programs are scripts of a shell
def test_a_python_that_does_not_start_or_is_another_is_no_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = {"python3.1": "echo 3.11", "python3.2": "exit 127", "python3.3": "echo 3.3"}
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [find_python(version) for version in ("3.1", "3.2", "3.3", "3.4")] == [
        None,
        None,
        str(tmp_path / "python3.3"),
        None,
    ]
