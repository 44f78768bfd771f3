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

        untouched = run_cell(page, "sizes.check(unseen)")
        expect(untouched).to_contain_text("NameError: name 'unseen' is not defined")

        starts = "range(-padding, length + padding - kernel_size + 1, stride)"
        met = f"met = {{c for s in {starts} for c in range(s, s + kernel_size)}}"
        last = "return [c for c in range(length) if c {}in met]"
        answer = f"def unseen(length, kernel_size, stride, padding):\n    MET\n    {last}"
        run_cell(page, "def unseen", answer.format("").replace("MET", met))
        wrong = run_cell(page, "sizes.check(unseen)")
        expect(wrong).to_contain_text("It looks like this: the windows' own cells, and not those that no window meets")
        expect(wrong).to_contain_text("Lecture 02 explains it")

        run_cell(page, "def unseen", answer.format("not ").replace("MET", met))
        right = run_cell(page, "sizes.check(unseen)")
        expect(right).to_contain_text("✓ unseen: right")

        progress = run_cell(page, "sizes.progress(globals())")
        expect(progress).to_contain_text("1 of 6 answers pass")
        expect(progress).to_contain_text("✓ unseen")
        expect(progress).to_contain_text("– as_linear: not defined yet")
