"""Compare one inference of the page "Draw a digit", in real Chromium, with torch's on one thread, in turn.

Run: python benchmarks/digit.py. Exits with 1 if an inference takes over 5 ms in the browser.
"""

import functools
import shutil
import statistics
import sys
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path

import torch
from ee559 import Net
from ee559_course.browser import chromium
from ee559_course.digit.still import every_activation
from ee559_course.paths import SITE_SOURCES

ROUNDS, RUNS, WARM_UP = 5, 200, 50
LIMIT = 5.0
LOAD = """async () => {
  const { loadNetwork } = await import("/_static/digit/network.js");
  window.network = await loadNetwork();
}"""
MEASURE = """async (runs) => {
  const pixels = Uint8Array.from({ length: 784 }, (_, k) => (k * 37) % 256);
  const times = [];
  for (let k = 0; k < runs; k++) {
    const start = performance.now();
    await window.network.forward(pixels);
    times.push(performance.now() - start);
  }
  return times;
}"""


def torch_times(model: Net, runs: int) -> list[float]:
    """Time every activation of one image, in ms."""
    image = torch.randn(1, 1, 28, 28)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        every_activation(model, image)
        times.append(1000 * (time.perf_counter() - start))
    return times


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    """Print the medians and their ratio, round by round in turn."""
    torch.set_num_threads(1)
    model = Net().eval()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for name in ("_static", "digit", "vendor"):
            shutil.copytree(SITE_SOURCES / name, Path(folder) / "_static", dirs_exist_ok=True)
        (Path(folder) / "index.html").write_text("<!doctype html><title>bench</title>", encoding="utf-8")
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        start = time.perf_counter()
        page.evaluate(LOAD)
        load = time.perf_counter() - start
        page.evaluate(MEASURE, WARM_UP)
        torch_times(model, WARM_UP)
        rounds = [(page.evaluate(MEASURE, RUNS), torch_times(model, RUNS)) for _ in range(ROUNDS)]
        version = browser.version
        server.shutdown()
    ours, peer = (statistics.median(chain(*times)) for times in zip(*rounds, strict=True))
    print(f"Chromium {version}: network loaded in {load:.1f} s, then {ours:.2f} ms an inference (goal {LIMIT:g})")
    print(f"torch {torch.__version__}, one thread: {peer:.2f} ms   ratio {ours / peer:.2f}, {ROUNDS} × {RUNS} runs")
    return int(ours > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
