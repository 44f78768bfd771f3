"""Firefox shows what Chromium shows: pages without a complaint, figures that keys move, a digit that is read."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ee559.figures.interactive import FIGURES, InteractiveFigure
from firefox import ARROW_RIGHT, ENTER, Firefox, firefox
from machine import FIREFOX

pytestmark = pytest.mark.needs(FIREFOX)
ALL_LIVE = "[...document.querySelectorAll('.interactive-figure')].every(figure => figure.classList.contains('live'))"


@pytest.fixture(scope="module")
def started() -> Iterator[Firefox]:
    with firefox() as instance:
        yield instance


@pytest.fixture
def tab(started: Firefox) -> Iterator[Firefox]:
    """Give a test the tab with nothing said in it yet; in the end, no page of the test may have complained."""
    started.asked.clear()
    started.complaints.clear()
    yield started
    started.open("about:blank")  # all that the page has said comes before the answer
    assert started.complaints == []


def test_no_page_complains_or_asks_another_place(built_site: Path, origin: str, tab: Firefox) -> None:
    for path in sorted(built_site.rglob("*.html")):
        tab.open(f"{origin}/{path.relative_to(built_site).as_posix()}")
        tab.wait_until(ALL_LIVE)
    assert [address for address in tab.asked if not address.startswith((origin, "data:", "blob:"))] == []


@pytest.mark.parametrize("kind", FIGURES)
def test_a_key_moves_each_figure_and_the_address_keeps_it(
    kind: type[InteractiveFigure], built_site: Path, origin: str, tab: Firefox
) -> None:
    mark = f'data-figure="{kind.module}"'
    lecture = next(path for path in sorted(built_site.glob("lectures/*.html")) if mark in path.read_text("utf-8"))
    tab.open(f"{origin}/lectures/{lecture.name}")
    figure = f"document.querySelector('[{mark}].live')"
    tab.wait_until(figure)
    said = tab.value(f"{figure}.querySelector('.says').innerText")
    assert said
    tab.value(f"{figure}.querySelector('.interactive input[type=range], .interactive input[type=checkbox]').focus()")
    tab.press(" " if tab.value("document.activeElement.type") == "checkbox" else ARROW_RIGHT)
    tab.wait_until(f"{figure}.querySelector('.says').innerText !== {json.dumps(said)}")
    tab.wait_until(f"location.href.includes('{kind.module}.')")


def test_the_network_reads_a_digit_that_is_picked(origin: str, tab: Firefox) -> None:
    tab.open(f"{origin}/digit.html")
    tab.wait_until("document.querySelectorAll('.digit-picks button').length === 20")
    tab.value("document.querySelectorAll('.digit-picks button')[14].focus()")
    tab.press(ENTER)
    tab.wait_until("document.querySelector('.digit-result').innerText.includes('The network reads 7:')")
