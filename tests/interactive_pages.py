"""Pages with one interactive figure, as the site has them, for the tests that open them in a browser."""

import json
from html import escape
from pathlib import Path
from typing import Any

import torch
from ee559 import Net
from ee559.figures.interactive import (
    BatchAgainstLoop,
    FilterOnDigits,
    InteractiveFigure,
    ThroughTheNetwork,
    page_script,
)
from ee559.pictures import Picture
from ee559.timing import batch_vs_loop
from playwright.sync_api import Page

PAGE_MODEL = Path(__file__).resolve().parents[1] / "site" / "_static" / "interactive-figures.js"
STILL = Picture('<img src="data:," alt="as it begins">', "as it begins")


def figure(kind: type[InteractiveFigure]) -> InteractiveFigure:
    torch.manual_seed(0)
    images, labels = torch.randint(256, (3, 1, 28, 28)).float(), torch.tensor([3, 1, 4])
    if kind is FilterOnDigits:
        return FilterOnDigits(images, labels, STILL)
    if kind is ThroughTheNetwork:
        return ThroughTheNetwork(Net(), images / 255, labels, STILL)
    if kind is BatchAgainstLoop:
        results = [batch_vs_loop(torch.randn(n, 8), torch.randn(4, 8), nb=3) for n in (1, 4, 16)]
        return BatchAgainstLoop(results, "Measured in this test.", STILL)
    return kind(STILL)


def write_page(folder: Path, shown: InteractiveFigure) -> str:
    """Write a page as the site has it, to be opened as a file; return its address."""
    scripts = f"<script>{page_script(shown.module)}</script><script>{PAGE_MODEL.read_text(encoding='utf-8')}</script>"
    style = "<style>.interactive-figure.live > .still { display: none }</style>"
    page = (
        f"<!doctype html><html lang=en><title>{escape(shown.module)}</title>{style}<body>{shown.page_html()}{scripts}"
    )
    (folder / "page.html").write_text(page, encoding="utf-8")
    return (folder / "page.html").as_uri()


def open_with_clock_stopped(page: Page, address: str) -> None:
    """Open a page in which time passes in ``page.clock.run_for`` alone, however long the test takes."""
    page.clock.install(time=0)
    page.goto(address)
    page.clock.pause_at(3600)  # seconds; installed alone, the clock goes on


def compute(page: Page, name: str, function: str, *arguments: Any) -> Any:
    return page.evaluate(
        "([name, f, a]) => ee559Figures[name].compute[f](...a)", [name, function, json.loads(json.dumps(arguments))]
    )


def state(page: Page, key: str) -> Any:
    return page.evaluate("key => document.querySelector('.interactive-figure').model.get(key)", key)
