"""A student does a part of a practical in real JupyterLab: wrong, told why, right, and sees the progress."""

import re
from pathlib import Path

from ee559_course.browser import jupyterlab, open_notebook
from playwright.sync_api import Browser, Locator, Page, expect


def cell_with(page: Page, text: str) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=text).first


def run_cell(page: Page, text: str, code: str | None = None) -> Locator:
    """Run the cell that has the text, with new code if it is given, and wait until it has run."""
    cell = cell_with(page, text)
    before = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".cm-content").click()
    expect(cell.locator(".cm-editor")).to_have_class(re.compile("cm-focused"))
    if code is not None:
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")
    prompt = cell_with(page, text).locator(".jp-InputPrompt")
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"))
    expect(prompt).not_to_have_text(before)
    return cell_with(page, text).locator(".jp-OutputArea")


def test_wrong_answer_is_explained_and_the_right_one_shows_in_the_progress(root: Path, browser: Browser) -> None:
    with jupyterlab(root / "practicals") as lab:
        page = browser.new_page(viewport={"width": 1400, "height": 9000})
        open_notebook(page, lab, "sizes/sizes.ipynb")
        run_cell(page, "from ee559")

        untouched = run_cell(page, "sizes.check(my_relu)")
        expect(untouched).to_contain_text("NameError: name 'my_relu' is not defined")

        run_cell(page, "def my_relu", "def my_relu(x):\n    return x.abs()")
        wrong = run_cell(page, "sizes.check(my_relu)")
        expect(wrong).to_contain_text("It looks like this: the absolute value")
        expect(wrong).to_contain_text("Lecture 01 explains it")

        run_cell(page, "def my_relu", "def my_relu(x):\n    return x.clamp(min=0)")
        right = run_cell(page, "sizes.check(my_relu)")
        expect(right).to_contain_text("✓ my_relu: right")

        progress = run_cell(page, "sizes.progress(globals())")
        expect(progress).to_contain_text("1 of 5 parts pass")
        expect(progress).to_contain_text("✓ my_relu")
        expect(progress).to_contain_text("– my_conv2d: not defined yet")
