"""The page "Draw a digit" reads, shows and explains in a real Chromium, from its own origin alone."""

import base64
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from bs4 import BeautifulSoup
from ee559 import Mnist, Net, load_mnist
from ee559.palette import PALETTE, channels
from ee559_course.digit.still import every_activation
from playwright.sync_api import Browser, Page, expect
from torch.nn import functional as F
from torch.testing import assert_close
from trained_net import RECORD, normalised, trained_net

ROOT = Path(__file__).resolve().parents[1]
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:"
)


@pytest.fixture(scope="module")
def net() -> Net:
    return trained_net()


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist("full", normalize=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of this page and a home page, with the site's own configuration."""
    source, output = (tmp_path_factory.mktemp("digit") / name for name in ("source", "html"))
    shutil.copytree(ROOT / "site", source, ignore=shutil.ignore_patterns("*.md"))
    shutil.copy(ROOT / "site" / "digit.md", source)
    (source / "index.md").write_text("# Home\n\n```{toctree}\ndigit\n```\n", encoding="utf-8")
    settings = ["-D", "nb_execution_mode=force", "-D", "nb_execution_timeout=600"]
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", *settings, "-b", "html", str(source), str(output)],
        check=True,
    )
    return output


class _Handler(SimpleHTTPRequestHandler):
    extensions_map: dict[str, str] = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a copy of the built site under the strict policy, the theme's own inline scripts in files."""
    served = shutil.copytree(built, tmp_path_factory.mktemp("served") / "html")
    for name in ("digit.html", "index.html"):
        soup = BeautifulSoup((served / name).read_text(encoding="utf-8"), "html.parser")
        for number, script in enumerate(soup.select("script:not([src])")):
            if not script.find_parent("article"):
                (served / f"{name}-{number}.js").write_text(script.text, encoding="utf-8")
                script.string, script["src"] = "", f"{name}-{number}.js"
        (served / name).write_text(str(soup), encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


Opened = SimpleNamespace  # page; asked: addresses; complaints: console errors and failed requests


@pytest.fixture
def open_page(browser: Browser, origin: str) -> Iterator[Callable[..., Opened]]:
    """Open a page of the site; in the end, nothing may have left the origin or logged an error."""
    opened: list[Opened] = []

    def open_(name: str = "digit.html", *, width: int = 1280, **options: Any) -> Opened:
        page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
        result = SimpleNamespace(page=page, asked=[], complaints=[])
        page.on("request", lambda request: result.asked.append(request.url))
        page.on("requestfailed", lambda request: result.complaints.append(request.url))
        page.on("pageerror", lambda error: result.complaints.append(str(error)))
        page.on("console", lambda said: result.complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{origin}/{name}")
        opened.append(result)
        return result

    yield open_
    for result in opened:
        assert [url for url in result.asked if not url.startswith((origin, "data:", "blob:"))] == []
        assert result.complaints == []


def expect_reads(page: Page, digit: int) -> None:
    """Wait until the page says which digit it reads."""
    expect(page.locator(".digit-result")).to_contain_text(f"The network reads {digit}:")


def stroke(page: Page) -> list[tuple[float, float]]:
    """Return the places of a 7 on the paper."""
    box = page.locator(".digit-pad").bounding_box()
    assert box is not None
    corners = [(0.28, 0.22), (0.5, 0.22), (0.72, 0.22), (0.6, 0.5), (0.48, 0.8)]
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]


def test_outputs_equal_pytorchs_on_a_thousand_test_images(
    open_page: Callable[..., Opened], net: Net, mnist: Mnist
) -> None:
    images = mnist.test_input[:1000]
    rows = open_page().page.evaluate(
        """async (packed) => {
          const { loadNetwork } = await import("/_static/digit/network.js");
          const network = await loadNetwork();
          const pixels = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
          const rows = [];
          for (let k = 0; k < pixels.length; k += 784) {
            rows.push([...(await network.forward(pixels.subarray(k, k + 784))).logits]);
          }
          return rows;
        }""",
        base64.b64encode(images.to(torch.uint8).numpy().tobytes()).decode(),
    )
    with torch.no_grad():
        assert_close(torch.tensor(rows), net(normalised(images)), atol=1e-4, rtol=0.0)


def test_a_digit_drawn_with_the_mouse_is_read(open_page: Callable[..., Opened]) -> None:
    page = open_page().page
    first, *others = stroke(page)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    expect_reads(page, 7)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".digit-result")).to_have_text("Draw a digit, or pick one.")


def test_a_digit_drawn_with_a_finger_is_read_and_does_not_scroll_the_phone(open_page: Callable[..., Opened]) -> None:
    page = open_page(width=390, has_touch=True, is_mobile=True).page
    page.locator(".digit-pad").scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart", "touchMove", "touchMove", "touchMove", "touchMove"]
    for kind, (x, y) in zip(kinds, stroke(page), strict=True):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_reads(page, 7)
    assert page.evaluate("scrollY") == before
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_digit_drawn_with_the_keyboard_is_read(open_page: Callable[..., Opened]) -> None:
    page = open_page().page
    page.locator(".digit-pad").focus()
    page.keyboard.press("Space")
    for _ in range(15):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator(".digit-pen")).to_have_text("Pen up, row 22, column 14 of 28.")
    expect_reads(page, 1)


def test_each_real_digit_is_picked_with_the_keyboard_and_shown_with_torchs_outputs(
    open_page: Callable[..., Opened], net: Net, mnist: Mnist
) -> None:
    page = open_page().page
    buttons = page.locator(".digit-picks button")
    expect(buttons).to_have_count(20)
    with torch.no_grad():
        expected = net(normalised(mnist.test_input[RECORD["picks"]]))
    for k in (0, 7, 15, 19):
        buttons.nth(k).focus()
        page.keyboard.press("Enter")
        label, read = k // 2, int(expected[k].argmax())
        expect(page.locator(".digit-result")).to_contain_text(f"reads {read}")
        expect(page.locator(".digit-result")).to_contain_text(f"The label is {label}")
        numbers = page.locator(".digit-bars td:nth-child(3)").all_inner_texts()
        assert_close(torch.tensor([float(n.replace("−", "-")) for n in numbers]), expected[k], atol=0.006, rtol=0.0)
        targets = page.locator(".digit-bars td:nth-child(4)").all_inner_texts()
        assert targets == ["+1" if digit == label else "−1" for digit in range(10)]


def test_a_real_digit_on_paper_becomes_the_same_pixels_again(open_page: Callable[..., Opened]) -> None:
    page = open_page().page
    differences = page.evaluate(
        """async () => {
          const { Pad } = await import("/_static/digit/pad.js");
          const { toMnist } = await import("/_static/digit/normalise.js");
          const make = (tag) => document.createElement(tag);
          const pad = new Pad(make("canvas"), make("i"), make("p"), () => {});
          const all = new Uint8Array(await (await fetch("/_static/digits.bin")).arrayBuffer());
          return Array.from({ length: 20 }, (_, k) => {
            const digit = all.subarray(784 * k, 784 * (k + 1));
            pad.show(digit);
            return Math.max(...toMnist(...pad.ink()).map((pixel, j) => Math.abs(pixel - digit[j])));
          });
        }"""
    )
    assert max(differences) <= 1


def test_drawings_are_averaged_into_twenty_pixels_and_centred_by_mass(
    open_page: Callable[..., Opened],
) -> None:
    page = open_page().page
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        left, top, width, height = (int(torch.randint(20, 130, (), generator=generator)) for _ in range(4))
        ink = torch.zeros(280, 280)
        ink[top : top + height, left : left + width] = torch.rand(height, width, generator=generator) + 0.01
        pixels = page.evaluate(
            """async (ink) => {
              const { toMnist } = await import("/_static/digit/normalise.js");
              return [...toMnist(Float32Array.from(ink), 280)];
            }""",
            ink.flatten().tolist(),
        )
        size = max(width, height)
        square = ink[top : top + size, left : left + size]
        fine = square.repeat_interleave(20, 0).repeat_interleave(20, 1)  # so that whole pixels make an area
        box = F.avg_pool2d(fine[None, None], size).flatten()
        assert sorted(pixels)[-400:] == pytest.approx(sorted(255 * float(value) for value in box), abs=1)
        image = torch.tensor(pixels).view(28, 28).double()
        places = torch.arange(28).double()
        for dim in (0, 1):
            centre = float((image.sum(1 - dim) * places).sum() / image.sum())
            assert centre == pytest.approx(14, abs=0.51)


def test_a_clicked_unit_shows_its_window_and_the_sum(open_page: Callable[..., Opened], net: Net, mnist: Mnist) -> None:
    page = open_page().page
    page.locator(".digit-picks button").nth(15).click()
    expect_reads(page, 7)
    canvas = page.locator('[data-layer="conv1"]')
    box = canvas.bounding_box()
    assert box is not None
    unit = box["width"] / 199  # eight maps of 24 units, a gap between two
    canvas.click(position={"x": (2 * 25 + 11.5) * unit, "y": (25 + 7.5) * unit})
    activation = every_activation(net, normalised(mnist.test_input[RECORD["picks"][15:16]]))["conv1"][0, 10, 7, 11]
    expect(page.locator(".digit-title")).to_have_text(
        f"conv1, map 10, row 7, column 11: {float(activation):.2f}".replace("-", "−")
    )
    words = page.locator(".digit-words").inner_text()
    assert words.startswith(
        "A window of 5 × 5 in input, rows 7 to 11 and columns 11 to 15, times filter 10: 25 products"
    )
    total, bias, value = (float(number.replace("−", "-")) for number in re.findall(r"−?\d+\.\d\d", words))
    assert total + bias == pytest.approx(value, abs=0.011)
    expect(page.locator(".digit-pictures canvas")).to_have_count(3)


@pytest.mark.parametrize(
    ("layer", "keys", "place", "source"),
    [
        ("input", ["ArrowRight"], "row 0, column 1", "A pixel"),
        (
            "pool1",
            ["PageDown", "ArrowDown"],
            "map 1, row 1, column 0",
            "3 × 3 in map 1 of conv1, rows 3 to 5 and",
        ),
        ("relu1", ["PageDown"], "map 1, row 0, column 0", "the same place of pool1"),
        (
            "conv2",
            ["ArrowLeft", "ArrowRight"],
            "map 0, row 0, column 1",
            "columns 1 to 5, times filter 0: 800 products",
        ),
        ("fc1", ["ArrowRight", "ArrowDown"], "unit 26", "All 64 maps of 2 × 2 of relu2, times row 26 of fc1's"),
        ("logits", ["ArrowRight"], "unit 1", "All 200 units of relu3, times row 1 of fc2's weights: 200 products"),
    ],
)
def test_a_unit_chosen_with_the_keyboard_says_where_it_comes_from(
    open_page: Callable[..., Opened], layer: str, keys: list[str], place: str, source: str
) -> None:
    page = open_page().page
    page.locator(".digit-picks button").first.press("Enter")
    expect_reads(page, 0)
    canvas = page.locator(f'[data-layer="{layer}"]')
    canvas.press("ArrowUp")  # the layer's first unit
    for key in keys:
        canvas.press(key)
    expect(page.locator(".digit-title")).to_contain_text(f"{layer}, {place}: ")
    expect(page.locator(".digit-words")).to_contain_text(source)


def test_pixels_and_bars_have_the_palettes_colours(open_page: Callable[..., Opened]) -> None:
    page = open_page().page
    colours = page.locator(".digit-picks canvas").first.evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return Array.from({ length: data.length / 4 }, (_, k) => [...data.subarray(4 * k, 4 * k + 3)]);
        }"""
    )
    assert max(colours) == list(channels(PALETTE["neutral"]))
    assert min(colours) == list(channels(PALETTE["purple"]))
    page.locator(".digit-picks button").first.click()
    expect_reads(page, 0)
    for bars, name in ((".digit-bar:not(.is-negative)", "purple"), (".digit-bar.is-negative", "orange")):
        colour = f"rgb{channels(PALETTE[name])}"
        expect(page.locator(bars).first).to_have_css("background-color", colour)


def test_network_is_loaded_with_the_first_digit_and_on_no_other_page(open_page: Callable[..., Opened]) -> None:
    home = open_page("index.html")
    home.page.wait_for_load_state("networkidle")
    assert [url for url in home.asked if re.search(r"onnx|/digit/|net\.json|digits\.bin", url)] == []
    opened = open_page()
    opened.page.wait_for_load_state("networkidle")
    assert [url for url in opened.asked if re.search(r"onnx|net\.json", url)] == []
    expect(opened.page.locator(".digit-still")).to_be_visible()
    opened.page.locator(".digit-picks button").first.click()
    expect_reads(opened.page, 0)
    assert sum(url.endswith(".wasm") for url in opened.asked) == 1
    expect(opened.page.locator(".digit-still")).to_be_hidden()


def test_without_javascript_a_sentence_and_a_still_picture_stand_in(browser: Browser, origin: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{origin}/digit.html")
    expect(page.get_by_text("Drawing needs JavaScript.")).to_be_visible()
    picture = page.locator(".digit-still img")
    expect(picture).to_be_visible()
    assert "orange" in (picture.get_attribute("alt") or "")


def test_page_states_command_checksum_and_errors(built: Path) -> None:
    text = BeautifulSoup((built / "digit.html").read_text(encoding="utf-8"), "html.parser").get_text()
    for part in (RECORD["command"], RECORD["sha256"], f"errs on {RECORD['nb_errors']} of the 10,000"):
        assert part in text


def test_opened_from_a_file_the_page_says_how_to_serve_it(browser: Browser, built: Path) -> None:
    page = browser.new_page()
    page.goto((built / "digit.html").as_uri())
    expect(page.locator(".digit-error")).to_contain_text("python3 course.py site --serve")


def test_webassembly_that_does_not_load_is_said_and_a_reload_tries_again(browser: Browser, origin: str) -> None:
    page = browser.new_page()
    page.route("**/*.wasm", lambda route: route.abort())
    page.goto(f"{origin}/digit.html")
    page.locator(".digit-picks button").first.click()
    alert = page.locator(".digit-error")
    expect(alert).to_contain_text("WebAssembly could not start the network")
    page.unroute("**/*.wasm")
    page.reload()
    page.locator(".digit-picks button").first.click()
    expect_reads(page, 0)
