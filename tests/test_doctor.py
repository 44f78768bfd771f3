"""The doctor says what is there, and a remedy beside what is not."""

import sys
import webbrowser
from pathlib import Path

import pytest
from ee559 import doctor
from ee559_course.cli import app
from ee559_sandbox import find_shut_folder
from machine import LINUX
from typer.testing import CliRunner
from users import temporary_folder


def test_each_part_gets_its_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("firefox"))
    assert doctor.main() == 0
    lines = capsys.readouterr().out.splitlines()
    for subject in (
        "torch",
        "accelerator",
        "MNIST: 60,000 training and 10,000 test images",
        "JupyterLab",
        "browser: firefox",
    ):
        assert any(line.startswith(f"✓ {subject}") for line in lines), (subject, lines)


def test_a_missing_browser_is_named_with_its_remedy_and_is_no_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing() -> None:
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(webbrowser, "get", nothing)
    assert doctor.main() == 0
    assert "– browser: none that Python can open. Run `python3 course.py lab --no-browser`" in capsys.readouterr().out


def test_a_broken_part_hides_no_other_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def find_torch() -> doctor.Finding:
        raise OSError("libtorch is damaged.")

    monkeypatch.setattr(doctor, "FINDINGS", (find_torch, doctor.find_lab))
    assert doctor.main() == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("✗ torch: libtorch is damaged.")
    assert "Remedy" in first
    assert second.startswith("✓ JupyterLab")


@pytest.mark.parametrize(("kind", "words"), [("cpu", "none found"), ("mps", "MPS (Apple)")])
def test_the_accelerator_line_names_what_was_chosen(kind: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr("ee559.training.select_device", lambda: torch.device(kind))
    found, line = doctor.find_accelerator()
    assert found
    assert words in line


def test_a_missing_jupyterlab_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found, line = doctor.find_lab()
    assert not found
    assert "python3 course.py lab" in line


@pytest.mark.needs(LINUX)
def test_doctor_names_a_folder_that_keeps_other_users_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_folder() as folder:
        python = Path(folder) / "private" / "python"
        python.mkdir(parents=True)
        shut = find_shut_folder(Path(folder)) or python.parent  # the folder for temporary files may be shut already
        python.parent.chmod(0o700)
        monkeypatch.setattr(sys, "base_prefix", str(python))
        said = CliRunner().invoke(app, ["doctor"]).output
    assert f"Python is in {python}, and other users may not enter {shut}: a grader" in said
    assert "cannot open shared object file" in said
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert "other users may not enter" not in CliRunner().invoke(app, ["doctor"]).output
