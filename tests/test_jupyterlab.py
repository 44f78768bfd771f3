"""A student opens the lectures in real JupyterLab, in a real browser, and runs them."""

import time
from pathlib import Path

import nbformat
from ee559_course.browser import jupyterlab, run_all_cells
from playwright.sync_api import Browser, expect

LECTURES = Path(__file__).resolve().parents[1] / "lectures"


def test_every_lecture_runs_in_jupyterlab_without_an_error(browser: Browser) -> None:
    with jupyterlab(LECTURES) as lab:
        for path in sorted(LECTURES.glob("*.ipynb")):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            notebook = run_all_cells(page, lab, path.name)
            outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
            assert outputs
            assert [output for output in outputs if output.output_type == "error"] == []
            page.close()


def test_answers_are_folded_until_the_keyboard_opens_them(browser: Browser) -> None:
    with jupyterlab(LECTURES) as lab:
        page = browser.new_page(viewport={"width": 1400, "height": 4000})
        page.goto(lab.address("01-torch-nn-and-relu.ipynb"))
        answer = page.locator(".jp-RenderedMarkdown details").first
        answer.wait_for()
        assert answer.get_attribute("open") is None
        answer.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(answer).to_have_attribute("open", "")


def test_interactive_figure_moves_in_jupyterlab_and_python_sees_its_state(browser: Browser, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "ee559", "display_name": "EE-559 (Python)"}})
    notebook.cells = [
        nbformat.v4.new_code_cell(
            "from ee559.pictures import Picture\nfrom ee559.figures.interactive import Windows\n"
            "shown = Windows(Picture('still', 'still'))\nshown",
            id="figure",
        ),
        nbformat.v4.new_code_cell("print('stride', shown.stride)", id="state"),
    ]
    nbformat.write(notebook, tmp_path / "figure.ipynb")
    with jupyterlab(tmp_path) as lab:
        page = browser.new_page(viewport={"width": 1400, "height": 2000})
        run_all_cells(page, lab, "figure.ipynb")
        expect(page.locator(".interactive .says")).to_contain_text("output[0, 0] = ")
        page.locator(".interactive").get_by_label("Stride").press("ArrowRight")
        expect(page.locator(".interactive")).to_contain_text("/ 2⌋ + 1 = 2")
        state = page.locator(".jp-CodeCell").last
        state.locator(".cm-content").click()
        until = time.monotonic() + 120  # the figure's state has a way of its own into the kernel, and may come later
        while "stride 2" not in state.locator(".jp-OutputArea").inner_text():
            assert time.monotonic() < until, state.locator(".jp-OutputArea").inner_text()
            page.keyboard.press("Control+Enter")
            page.wait_for_timeout(500)
