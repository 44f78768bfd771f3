"""The interactive figures: they compute what torch computes, and are driven by keyboard and touch in a real browser."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from ee559 import one_hot_targets
from ee559.figures.interactive import (
    FIGURES,
    BatchAgainstLoop,
    FilterOnDigits,
    InteractiveFigure,
    Losses,
    Registration,
    ThroughTheNetwork,
    Windows,
)
from interactive_pages import compute, figure, open_with_clock_stopped, state, write_page
from playwright.sync_api import Browser, Page, expect
from torch import nn
from torch.nn import functional as F


@pytest.mark.parametrize("kind", FIGURES)
def test_figure_comes_to_life_and_its_state_is_in_the_address(
    kind: type[InteractiveFigure], page: Page, tmp_path: Path
) -> None:
    address = write_page(tmp_path, figure(kind))
    page.goto(address)
    expect(page.locator(".interactive-figure.live .says")).not_to_be_empty()
    expect(page.locator(".still")).to_be_hidden()
    control = page.locator(".interactive input[type=range], .interactive input[type=checkbox]").first
    control.focus()
    page.keyboard.press("Space" if control.get_attribute("type") == "checkbox" else "ArrowRight")
    address = page.evaluate("location.href")
    assert f"{kind.module}." in address
    said = page.locator(".says").inner_text()
    page.goto(address)
    expect(page.locator(".says")).to_have_text(said, use_inner_text=True)


@pytest.mark.parametrize("kind", FIGURES)
def test_figure_is_moved_by_touch(kind: type[InteractiveFigure], page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(kind)))
    said = page.locator(".says").inner_text()
    box = page.locator(".interactive input[type=range], .interactive input[type=checkbox]").first.bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
    expect(page.locator(".says")).not_to_have_text(said, use_inner_text=True)


@pytest.mark.parametrize("kind", FIGURES)
def test_without_javascript_there_is_a_still_picture_with_alt_text(
    kind: type[InteractiveFigure], browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(write_page(tmp_path, figure(kind)))
    expect(page.get_by_alt_text("as it begins")).to_be_attached()
    expect(page.locator(".still")).to_be_visible()


@pytest.mark.parametrize("kind", FIGURES)
def test_notebook_shows_the_widget_and_holds_the_page_for_readers_without_a_kernel(
    kind: type[InteractiveFigure],
) -> None:
    bundle, _ = figure(kind)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert f'data-figure="{kind.module}"' in bundle["text/html"]
    assert bundle["text/plain"] == "as it begins"


def test_windows_compute_what_torch_computes(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(Windows)))
    draw = random.Random(7)
    checked = 0
    for _ in range(300):
        k, s, p, d = draw.randint(1, 5), draw.randint(1, 4), draw.randint(0, 3), draw.randint(1, 3)
        n, pooling, ceil = draw.randint(1, 9), draw.random() < 0.5, draw.random() < 0.5
        x = torch.randint(-9, 10, (1, 1, n, n)).double()
        w = torch.randint(-3, 4, (1, 1, k, k)).double()
        settings: dict[str, object] = {
            "kernel_size": k,
            "stride": s,
            "padding": p,
            "dilation": d,
            "ceil_mode": pooling and ceil,
        }
        settings["operation"] = "max-pooling" if pooling else "convolution"
        try:
            wanted = F.max_pool2d(x, k, s, p, d, ceil_mode=ceil) if pooling else F.conv2d(x, w, None, s, p, d)
        except RuntimeError:
            assert compute(page, "windows", "fault", n, settings), settings
            continue
        assert compute(page, "windows", "fault", n, settings) == "", settings
        actual = compute(page, "windows", "apply", x.flatten().tolist(), n, w.flatten().tolist(), settings)
        torch.testing.assert_close(torch.tensor(actual, dtype=torch.double), wanted.flatten())
        checked += 1
    assert checked > 100


@pytest.mark.parametrize("size", [3, 5])
def test_filters_compute_what_torch_computes(size: int, page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(FilterOnDigits)))
    torch.manual_seed(size)
    for _ in range(20):
        x, w = torch.randint(256, (1, 1, 28, 28)).double(), torch.randn(1, 1, size, size).double()
        actual = compute(page, "filters", "correlate", x.flatten().tolist(), 28, w.flatten().tolist())
        torch.testing.assert_close(torch.tensor(actual, dtype=torch.double), F.conv2d(x, w).flatten())


def test_losses_compute_what_torch_computes(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(Losses)))
    torch.manual_seed(1)
    for label in range(5):
        output = torch.randn(5, dtype=torch.double, requires_grad=True)
        target = torch.tensor(compute(page, "losses", "oneHot", label, 5), dtype=torch.double)
        torch.testing.assert_close(target, one_hot_targets(torch.tensor([label]), 5)[0].double())
        assert compute(page, "losses", "labelOf", target.tolist()) == label
        loss = F.mse_loss(output, target)
        loss.backward()
        assert output.grad is not None
        values = output.tolist()
        assert compute(page, "losses", "meanSquareError", values, target.tolist()) == pytest.approx(loss.item())
        assert compute(page, "losses", "gradient", values, target.tolist()) == pytest.approx(output.grad.tolist())
        trap = ((output[:, None] - target) ** 2).mean().item()
        assert compute(page, "losses", "broadcastError", values, target.tolist())["mean"] == pytest.approx(trap)


class Adjustable(nn.Module):
    """The lecture's network with other sizes, to compare the figure's table with."""

    def __init__(self, settings: dict[str, int]) -> None:
        super().__init__()
        self.settings = settings
        self.conv1 = nn.Conv2d(1, 32, settings["kernel1"])
        self.conv2 = nn.Conv2d(32, 64, settings["kernel2"])

    def sizes(self) -> list[list[int]]:
        x = torch.zeros(1, 1, self.settings["side"], self.settings["side"])
        x = self.conv1(x)
        sizes = [list(x.shape[1:])]
        x = F.max_pool2d(x, self.settings["pool1"])
        sizes += [list(x.shape[1:])] * 2
        x = self.conv2(x)
        sizes.append(list(x.shape[1:]))
        x = F.max_pool2d(x, self.settings["pool2"])
        return [*sizes, *[list(x.shape[1:])] * 2]


def test_network_table_is_torchs(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(ThroughTheNetwork)))
    draw = random.Random(3)
    for _ in range(40):
        settings = {"side": draw.randint(12, 40), "nb_hidden": draw.randint(10, 1000)}
        settings |= {"kernel1": draw.randint(1, 7), "kernel2": draw.randint(1, 7)}
        settings |= {"pool1": draw.randint(1, 4), "pool2": draw.randint(1, 4)}
        actual = compute(page, "network", "table", settings)
        model = Adjustable(settings)
        try:
            sizes = model.sizes()
        except RuntimeError:
            assert actual["fault"], settings
            continue
        assert actual["fault"] == ""
        assert [row[1] for row in actual["rows"][1:7]] == sizes
        flat = sizes[-1][0] * sizes[-1][1] * sizes[-1][2]
        layers = [
            model.conv1,
            model.conv2,
            nn.Linear(flat, settings["nb_hidden"]),
            nn.Linear(settings["nb_hidden"], 10),
        ]
        counts = {row[0]: row[2] for row in actual["rows"]}
        for name, layer in zip(("conv1", "conv2", "fc1", "fc2"), layers, strict=True):
            assert counts[name] == sum(parameter.numel() for parameter in layer.parameters())
    defaults = page.evaluate("document.querySelector('.interactive-figure').model.defaults")
    lecture = compute(page, "network", "table", defaults)
    assert sum(row[2] for row in lecture["rows"]) == 105_506


LINES: dict[str, Callable[[nn.Module], object]] = {
    "attribute": lambda m: setattr(m, "fc", nn.Linear(3, 2)),
    "list": lambda m: setattr(m, "layers", [nn.Linear(3, 2)]),
    "dict": lambda m: setattr(m, "branches", {"left": nn.Linear(3, 2)}),
    "module_list": lambda m: setattr(m, "blocks", nn.ModuleList([nn.Linear(3, 2)])),
    "module_dict": lambda m: setattr(m, "heads", nn.ModuleDict({"left": nn.Linear(3, 2)})),
    "add_module": lambda m: m.add_module("named", nn.Linear(3, 2)),
    "parameter": lambda m: setattr(m, "scale", nn.Parameter(torch.ones(4))),
    "tensor": lambda m: setattr(m, "shift", torch.zeros(4, requires_grad=True)),
    "buffer": lambda m: m.register_buffer("mean", torch.zeros(4)),
}


def test_registration_names_what_torch_registers(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(Registration)))
    draw = random.Random(5)
    for _ in range(40):
        ways = [way for way in LINES if draw.random() < 0.5]
        module = nn.Module()
        for way in ways:
            LINES[way](module)
        actual = compute(page, "registration", "registered", ways)
        assert actual["parameters"] == [name for name, _ in module.named_parameters()]
        assert actual["state_dict"] == list(module.state_dict())


def test_batch_product_is_torchs(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(BatchAgainstLoop)))
    x, w = torch.randn(5, 3).double(), torch.randn(4, 3).double()
    actual = torch.tensor(compute(page, "batch", "product", x.tolist(), w.tolist()), dtype=torch.double)
    torch.testing.assert_close(actual, F.linear(x, w))


def test_batch_chart_marks_each_power_of_ten_where_its_time_is(page: Page, tmp_path: Path) -> None:
    shown = figure(BatchAgainstLoop)
    shown.times = [{"batch_size": 1, "batch": 2e-6, "loop": 1e-5}, {"batch_size": 16, "batch": 8e-6, "loop": 1e-3}]
    page.goto(write_page(tmp_path, shown))
    chart = page.locator("svg").first
    ticks = {text: chart.get_by_text(text, exact=True).bounding_box() for text in ("10 µs", "100 µs", "1 ms")}
    middles = {text: box["y"] + box["height"] / 2 for text, box in ticks.items() if box is not None}
    loops = [
        box["y"] + box["height"] / 2 for box in (mark.bounding_box() for mark in chart.locator("rect").all()) if box
    ]
    assert abs(middles["10 µs"] - loops[0]) < 3
    assert abs(middles["1 ms"] - loops[1]) < 3
    assert abs(middles["100 µs"] - (loops[0] + loops[1]) / 2) < 3


def test_a_window_is_stepped_by_keys_by_touch_and_by_play(page: Page, tmp_path: Path) -> None:
    open_with_clock_stopped(page, write_page(tmp_path, figure(Windows)))
    expect(page.locator(".says")).to_contain_text("output[0, 0] = ")
    page.locator("svg.output").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".says")).to_contain_text("output[1, 1] = ")
    box = page.locator("svg.output").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] - 8, box["y"] + 8)
    expect(page.locator(".says")).to_contain_text("output[0, 2] = ")
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(1_000)
    expect(page.locator(".says")).to_contain_text("output[1, 0] = ")
    page.get_by_role("button", name="Pause").click()
    assert state(page, "playing") is False


@pytest.mark.parametrize(("motion", "steps"), [("no-preference", 2), ("reduce", 0)])
def test_who_wants_less_motion_gets_slower_steps_and_nothing_that_glides(
    motion: Literal["no-preference", "reduce"], steps: int, page: Page, tmp_path: Path
) -> None:
    page.emulate_media(reduced_motion=motion)
    open_with_clock_stopped(page, write_page(tmp_path, figure(Windows)))
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(2_000)
    assert state(page, "place") == steps
    page.clock.run_for(1_000)
    assert state(page, "place") == steps + 1
    assert page.evaluate("document.getAnimations().length") == 0


def test_impossible_settings_are_explained(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(Windows)) + "?windows.input_size=2&windows.kernel_size=5")
    expect(page.locator(".says")).to_contain_text("reaches over 5 values, and the padded input has 2")


@pytest.mark.parametrize(
    ("key", "written"),
    [("stride", "three"), ("padding", "%5B1%5D"), ("input_size", "1e9"), ("kernel_size", "-1"), ("operation", "sum")],
)
def test_nonsense_in_the_address_is_ignored(key: str, written: str, page: Page, tmp_path: Path) -> None:
    shown = figure(Windows)
    page.goto(write_page(tmp_path, shown) + f"?windows.{key}={written}")
    assert state(page, key) == getattr(shown, key)


def test_a_filters_number_is_typed_and_a_digit_is_drawn(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(FilterOnDigits)))
    page.get_by_role("button", name="1 nine ones").click()
    assert state(page, "weight") == [1] * 9
    centre = page.get_by_label("weight, row 2, column 2")
    centre.fill("-8")
    assert state(page, "weight") == [1, 1, 1, 1, -8, 1, 1, 1, 1]
    expect(page.locator(".says")).to_contain_text("sum to 0")
    page.get_by_role("button", name="Make it 5×5").click()
    assert len(state(page, "weight")) == 25
    page.get_by_role("button", name="Draw your own").click()
    expect(page.locator(".says")).to_contain_text("On your own digit its 24×24 answers go from 0 (orange) to 0")
    page.keyboard.press("Space")
    expect(page.locator(".says")).not_to_contain_text("to 0 (purple)")


def test_outputs_step_downhill_to_the_target(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(Losses)))
    for _ in range(40):
        page.get_by_role("button", name="One step downhill").press("Enter")
    expect(page.locator(".says")).to_contain_text("class 0 wins: right")
    assert state(page, "output") == pytest.approx([1, -1, -1, -1, -1], abs=0.05)
    page.get_by_label("the broadcasting trap").check()
    expect(page.locator(".interactive table td")).to_have_count(25)


def test_a_step_of_the_network_is_chosen_by_keyboard(page: Page, tmp_path: Path) -> None:
    page.goto(write_page(tmp_path, figure(ThroughTheNetwork)))
    expect(page.locator(".interactive canvas")).to_have_count(8)
    page.get_by_role("button", name="fc1").press("Enter")
    expect(page.locator(".interactive canvas")).to_have_count(1)
    expect(page.locator(".says")).to_contain_text("105,506 parameters")
    page.get_by_label("Hidden units").press("ArrowRight")
    expect(page.locator(".says")).not_to_contain_text("the lecture's network")
