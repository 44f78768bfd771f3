"""The site is built again from its last state: nothing stale, nothing lost, and the old site stays until the end."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from ee559_course.site.build import STAMP, SiteError, build_site, gather_sources
from ee559_course.site.fingerprint import site_fingerprint, text_hash
from ee559_course.site.generated_pages import DEFAULT_OPTIONS, SiteOptions
from ee559_course.site.page_assets import trim_assets
from ee559_course.site.sphinx_build import SphinxError, write_html

HOME = "# Home\n\n```{toctree}\none\ntwo\n```\n"


def write_sources(folder: Path, **pages: str) -> Path:
    (folder / "_templates").mkdir(parents=True, exist_ok=True)
    settings = "extensions = ['myst_parser']\nhtml_theme = 'sphinx_book_theme'\nhtml_copy_source = False\n"
    texts = {"conf": settings, "index": HOME, "one": "# One\n\nFirst words.", "two": "# Two\n", **pages}
    for name, text in texts.items():
        (folder / f"{name}{'.py' if name == 'conf' else '.md'}").write_text(text, encoding="utf-8")
    return folder


def test_sphinx_writes_what_has_changed_again_and_leaves_nothing_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ee559_course.site.sphinx_build.ROOT", tmp_path)  # an edit in the course is no change here
    for name in ("utils", "tools"):
        (tmp_path / name).mkdir()
    source, cache = tmp_path / "source", tmp_path / "cache"
    html = write_html(write_sources(source), cache)
    two = (html / "two.html").stat().st_mtime_ns

    html = write_html(write_sources(source, one="# One\n\nOther words."), cache)
    assert "Other words." in (html / "one.html").read_text(encoding="utf-8")
    assert (html / "two.html").stat().st_mtime_ns == two, "the other page was not written again"

    html = write_html(write_sources(source, one="# First\n\nOther words."), cache)
    assert "First" in (html / "two.html").read_text(encoding="utf-8"), "its menu shows the new title"

    (source / "two.md").unlink()
    (source / "index.md").write_text(HOME.replace("two\n", ""), encoding="utf-8")
    html = write_html(source, cache)
    assert not (html / "two.html").exists()


def test_a_warning_stops_each_build_until_it_is_mended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, cache = tmp_path / "source", tmp_path / "cache"
    write_html(write_sources(source), cache)
    write_sources(source, one="# One\n\n[gone](gone.md)")
    for _ in range(2):
        with pytest.raises(SphinxError):
            write_html(source, cache)
        said = capfd.readouterr().err
        assert "one.md:3" in said
        assert "gone.md" in said
    html = write_html(write_sources(source), cache)
    assert "First words." in (html / "one.html").read_text(encoding="utf-8")


def test_a_failing_cell_stops_the_build_and_leaves_the_old_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gather_one_broken_lecture(folder: Path, options: SiteOptions) -> None:
        gather_sources(folder, options)
        for notebook in (folder / "lectures").glob("*.ipynb"):
            notebook.unlink()
        broken = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "ee559", "display_name": "EE-559"}})
        broken.cells = [nbformat.v4.new_code_cell("1 / 0", id="divides")]
        nbformat.write(broken, folder / "lectures" / "01-broken.ipynb")

    monkeypatch.setattr("ee559_course.site.build.gather_sources", gather_one_broken_lecture)
    output = tmp_path / "out" / "site"
    output.mkdir(parents=True)
    (output / "index.html").write_text("the old site", encoding="utf-8")
    with pytest.raises(SiteError, match=r"01-broken\.ipynb, cell divides: ZeroDivisionError: division by zero"):
        build_site(output, cache=tmp_path / "cache")
    assert (output / "index.html").read_text(encoding="utf-8") == "the old site"
    assert [path.name for path in output.parent.iterdir()] == ["site"]


def test_an_unchanged_site_is_left_alone_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / STAMP).write_text(text_hash([site_fingerprint(), repr(DEFAULT_OPTIONS)]), encoding="utf-8")
    code = f"""
import pathlib, sys
from ee559_course.site.build import build_site
build_site(pathlib.Path({str(tmp_path)!r}))
print(*sorted({{"nbclient", "sphinx", "torch", "fontTools", "myst_nb"}} & set(sys.modules)))"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert run.stdout.split() == []
    assert [path.name for path in tmp_path.iterdir()] == [STAMP]


def test_the_style_sheet_keeps_what_a_page_or_script_names_and_the_licenses(tmp_path: Path) -> None:
    static = tmp_path / "_static"
    (static / "styles").mkdir(parents=True)
    course = """/*! by ada */ .used{color:red} .unused{color:#00f} .unused,.used:hover{margin:0} .scripted{top:0}
p:not(.unused){left:0} @media print{.unused{width:0}} #place{background:url(../dot.png)}"""
    (static / "styles" / "course.css").write_text(course, encoding="utf-8")
    (static / "styles" / "theme.css").write_text('/*! by bob */ @import "../basic.css";', encoding="utf-8")
    (static / "basic.css").write_text("html{margin:0}", encoding="utf-8")
    (static / "menu.js").write_text("open('scripted')", encoding="utf-8")
    (tmp_path / "page.html").write_text('<p class="a used" id="place">', encoding="utf-8")
    trim_assets(tmp_path)
    assert (static / "styles" / "course.css").read_text(encoding="utf-8") == (
        "/*! by bob */\n/*! by ada */\nhtml{margin:0}.used{color:red}.unused,.used:hover{margin:0}.scripted{top:0}"
        "p:not(.unused){left:0}#place{background:url(../dot.png)}"
    )
    assert sorted(path.name for path in static.rglob("*.css")) == ["course.css"]
