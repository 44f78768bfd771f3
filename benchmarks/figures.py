"""Time each interactive figure from an input to its picture, in Chromium, beside no change in the same page.

Run: python benchmarks/figures.py. Exits with 1 if a figure takes over 16 ms, which is one picture of a screen's sixty a
second.
"""

import contextlib
import io
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from ee559 import Net, batch_vs_loop, load_mnist
from ee559.figures.interactive import (
    BatchAgainstLoop,
    FilterOnDigits,
    InteractiveFigure,
    Losses,
    Registration,
    ThroughTheNetwork,
    Windows,
    page_script,
)
from ee559.pictures import Picture
from ee559_course.browser import chromium
from ee559_course.paths import SITE_SOURCES
from playwright.sync_api import Page

LIMIT = 16.0
STILL = Picture("", "")
# From one state to another: what the reader changes, and that the picture has to follow.
TIME = """async ([key, values, times]) => {
  const { model } = document.querySelector(".interactive-figure");
  const took = [];
  for (let k = 0; k < times; k += 1) {
    await new Promise(requestAnimationFrame);
    const start = performance.now();
    if (key) model.set(key, values[k % values.length]);
    document.body.getBoundingClientRect(); // makes the layout
    took.push(performance.now() - start);
  }
  return took;
}"""


def figures() -> list[tuple[InteractiveFigure, str, Sequence[object]]]:
    """Make each figure, with a change that draws as much as it can."""
    data = load_mnist("tiny", normalize=False)
    images, labels = data.train_input[:10].float(), data.train_target[:10]
    with contextlib.redirect_stdout(io.StringIO()):
        results = [batch_vs_loop(torch.randn(n, 32), torch.randn(8, 32), nb=3) for n in (1, 4, 16, 64)]
    edges = [[0.0, -1, 0, -1, 4, -1, 0, -1, 0], [1.0] * 25]
    return [
        (Windows(STILL, input_size=9, kernel_size=5, padding=2), "place", [3, 40]),
        (FilterOnDigits(images, labels, STILL), "weight", edges),
        (Losses(STILL, trap=True), "label", [1, 2]),
        (ThroughTheNetwork(Net(), images / 255, labels, STILL), "step", ["conv1", "fc1"]),
        (Registration(STILL), "ways", [["list"], ["attribute", "list", "module_list", "buffer"]]),
        (BatchAgainstLoop(results, "", STILL), "place", [1, 2]),
    ]


def milliseconds(page: Page, key: str, values: Sequence[object]) -> float:
    """Return the median time of 60 changes."""
    return float(statistics.median(page.evaluate(TIME, [key, values, 60])))


def main() -> int:
    """Print a line for each figure."""
    slowest, model = 0.0, (SITE_SOURCES / "_static" / "interactive-figures.js").read_text(encoding="utf-8")
    print("medians of 60, in ms    change   nothing changed")
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        for figure, key, values in figures():
            page = browser.new_page()
            path = Path(folder) / "page.html"
            scripts = f"<script>{page_script(figure.module)}</script><script>{model}</script>"
            path.write_text(f"<!doctype html>{figure.page_html()}{scripts}", encoding="utf-8")
            page.goto(path.as_uri())
            change, nothing = milliseconds(page, key, values), milliseconds(page, "", values)
            print(f"{figure.module:22}{change:8.2f}{nothing:18.2f}")
            slowest = max(slowest, change)
            page.close()
    print(f"{'limit':22}{LIMIT:8.2f}")
    return int(slowest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
