"""Notebooks run side by side, only where their code or the package has changed, and failures are named."""

from pathlib import Path

import ee559_course.site.execution as execution
import nbformat
import pytest
from ee559_course.site.execution import ExecutionError, execute_notebooks
from ee559_course.site.fingerprint import sources_hash


def write_notebook(path: Path, *code: str, prose: str = "# A title") -> None:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "ee559", "display_name": "EE-559"}})
    notebook.cells = [nbformat.v4.new_markdown_cell(prose, id="prose")]
    notebook.cells += [nbformat.v4.new_code_cell(text, id=f"code-{place}") for place, text in enumerate(code)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def printed(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(output.text for output in cell.outputs) for cell in cells if cell.cell_type == "code"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a small package of one module."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "one.py").write_text("NAME = 'one'", encoding="utf-8")
    monkeypatch.setattr(execution, "PACKAGE", folder)
    return folder


def gather(package: Path, prose: str = "# A title") -> Path:
    """Write the notebooks as they are gathered for each build: without outputs."""
    folder = package.parent / "source"
    start = f"import sys; sys.path.insert(0, {str(package)!r}); sys.dont_write_bytecode = True"
    write_notebook(folder / "lectures" / "01-one.ipynb", start, "import one; print(one.NAME)", prose=prose)
    write_notebook(folder / "lectures" / "02-two.ipynb", "print('two')", prose=prose)
    return folder


def test_notebooks_run_again_when_the_package_has_changed(package: Path) -> None:
    one, two, cache = "lectures/01-one.ipynb", "lectures/02-two.ipynb", package.parent / "cache"
    folder = gather(package)
    assert execute_notebooks(folder, cache) == [one, two]
    assert printed(folder / one) == ["", "one\n"]

    assert execute_notebooks(gather(package), cache) == []
    assert printed(folder / one) == ["", "one\n"]

    (package / "one.py").write_text("NAME = 'new'", encoding="utf-8")
    assert execute_notebooks(gather(package), cache) == [one, two]
    assert printed(folder / one) == ["", "new\n"]
    assert len(list(cache.iterdir())) == 1, "what came from another package is kept no longer"

    (package / "one.py").unlink()
    with pytest.raises(ExecutionError, match="No module named 'one'"):
        execute_notebooks(gather(package), cache)


def test_new_prose_needs_no_run_and_new_code_does(package: Path) -> None:
    cache = package.parent / "cache"
    execute_notebooks(gather(package), cache)
    folder = gather(package, prose="# Another title")
    assert execute_notebooks(folder, cache) == []
    notebook = nbformat.read(folder / "lectures" / "01-one.ipynb", as_version=4)
    assert notebook.cells[0].source == "# Another title"
    assert [cell.id for cell in notebook.cells] == ["prose", "code-0", "code-1"]
    assert printed(folder / "lectures" / "01-one.ipynb")[1] == "one\n"

    write_notebook(folder / "lectures" / "02-two.ipynb", "print(1 + 1)")
    assert execute_notebooks(folder, cache) == ["lectures/02-two.ipynb"]
    assert printed(folder / "lectures" / "02-two.ipynb") == ["2\n"]


def test_other_versions_run_everything_again(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = package.parent / "cache"
    execute_notebooks(gather(package), cache)
    monkeypatch.setattr(execution, "environment_hash", lambda: "another torch")
    assert len(execute_notebooks(gather(package), cache)) == 2


def test_a_module_that_was_edited_during_the_run_is_not_trusted(package: Path) -> None:
    folder, cache = package.parent / "source", package.parent / "cache"
    write_notebook(folder / "edits.ipynb", f"open({str(package / 'one.py')!r}, 'a').write('#')")
    assert execute_notebooks(folder, cache) == ["edits.ipynb"]
    assert execute_notebooks(folder, cache) == ["edits.ipynb"]


def test_notebooks_run_side_by_side(tmp_path: Path) -> None:
    meet = """import pathlib, time
pathlib.Path({mine!r}).touch()
while not pathlib.Path({other!r}).exists():
    time.sleep(0.1)"""
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    write_notebook(tmp_path / "source" / "first.ipynb", meet.format(mine=first, other=second))
    write_notebook(tmp_path / "source" / "second.ipynb", meet.format(mine=second, other=first))
    assert len(execute_notebooks(tmp_path / "source", tmp_path / "cache", workers=2)) == 2


def test_a_failing_cell_is_named_with_its_notebook_and_error_and_what_has_run_is_kept(tmp_path: Path) -> None:
    source, cache = tmp_path / "source", tmp_path / "cache"
    write_notebook(source / "lectures" / "01-fine.ipynb", "print('fine')")
    write_notebook(source / "lectures" / "02-broken.ipynb", "x = 0", "1 / x")
    with pytest.raises(ExecutionError, match=r"lectures/02-broken\.ipynb, cell code-1: ZeroDivisionError: division by"):
        execute_notebooks(source, cache, workers=1)
    write_notebook(source / "lectures" / "02-broken.ipynb", "x = 1", "1 / x")
    assert execute_notebooks(source, cache) == ["lectures/02-broken.ipynb"]


def test_an_error_that_a_cell_announces_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "source" / "raises.ipynb"
    write_notebook(path, "1 / 0")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)
    execute_notebooks(path.parent, tmp_path / "cache")
    outputs = nbformat.read(path, as_version=4).cells[1].outputs
    assert [output.ename for output in outputs if output.output_type == "error"] == ["ZeroDivisionError"]


def test_a_markdown_page_with_code_becomes_a_notebook_with_results(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    front = "---\nfile_format: mystnb\nkernelspec:\n  name: ee559\n---\n"
    page = front + "\n# Home\n\n```{code-cell} python3\n:tags: [remove-input]\nprint(6 * 7)\n```\n\nMore.\n"
    (source / "index.md").write_text(page, encoding="utf-8")
    (source / "plain.md").write_text("# Plain\n\nfile_format: mystnb\n", encoding="utf-8")
    assert execute_notebooks(source, tmp_path / "cache") == ["index.md"]
    assert sorted(path.name for path in source.iterdir()) == ["index.ipynb", "plain.md"]
    cells = nbformat.read(source / "index.ipynb", as_version=4).cells
    assert cells[0].source == "# Home"
    assert cells[2].source == "More."
    assert printed(source / "index.ipynb") == ["42\n"]
    assert cells[1].metadata.tags == ["remove-input"]


def test_notebooks_to_download_and_those_that_are_off_stay_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_notebook(source / "notebooks" / "01.ipynb", "1 / 0")
    write_notebook(source / "practicals" / "sizes.ipynb", "raise NotImplementedError")
    off = nbformat.read(source / "practicals" / "sizes.ipynb", as_version=4)
    off.metadata["mystnb"] = {"execution_mode": "off"}
    nbformat.write(off, source / "practicals" / "sizes.ipynb")
    before = sources_hash(source)
    assert execute_notebooks(source, tmp_path / "cache") == []
    assert sources_hash(source) == before


def test_the_fingerprint_follows_names_and_contents_and_not_what_is_built(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page.md").write_text("a", encoding="utf-8")
    first = sources_hash(tmp_path)
    for other in ("build", ".git", "__pycache__"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "file").write_text("b", encoding="utf-8")
    assert sources_hash(tmp_path) == first
    (tmp_path / "site" / "page.md").rename(tmp_path / "site" / "home.md")
    assert sources_hash(tmp_path) != first
    (tmp_path / "site" / "home.md").rename(tmp_path / "site" / "page.md")
    assert sources_hash(tmp_path) == first
    (tmp_path / "site" / "page.md").write_text("b", encoding="utf-8")
    assert sources_hash(tmp_path) != first
