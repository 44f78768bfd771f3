"""The built site shows every lecture, asks nothing of any other place, is light, and works in a real browser."""

import gzip
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

LECTURES = sorted(path.stem for path in (Path(__file__).resolve().parents[1] / "lectures").glob("*.ipynb"))
FIGURES_DATA = re.compile(r'data:image/png;base64,[^"]*|data-state="[^"]*"')
BYTES, REQUESTS = 300_000, 20


@pytest.fixture(scope="module")
def site(built_site: Path) -> Path:
    return built_site


def watch(context: BrowserContext) -> list[str]:
    """Collect what the pages of a context complain about: errors, violations of the policy, files that are missing."""
    complaints: list[str] = []
    context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    context.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error(e.violatedDirective, e.blockedURI))"
    )
    return complaints


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_lecture_has_a_page_with_its_results(site: Path, root: Path) -> None:
    for notebook in sorted((root / "lectures").glob("*.ipynb")):
        page = site / "lectures" / f"{notebook.stem}.html"
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        assert soup.select(".cell_output"), f"{page} shows no result"
        assert soup.select("details summary"), f"{page} has no folded answer"


def test_map_has_every_row_of_the_ledger(site: Path, root: Path) -> None:
    text = (site / "map.html").read_text(encoding="utf-8")
    for row in re.findall(r'^id = "(\w+)"', (root / "lectures" / "ledger.toml").read_text(encoding="utf-8"), re.M):
        assert re.search(rf"\b{row}\b", text), f"row {row} is not on the map"


def test_formulas_are_rendered_at_build_without_a_script(site: Path) -> None:
    text = (site / "lectures" / "10-batch-processing.html").read_text(encoding="utf-8")
    assert "<math" in text
    assert not BeautifulSoup(text, "html.parser").select("script[src*=mathjax i]")


def test_the_courses_font_has_every_character_of_every_formula(site: Path) -> None:
    characters = set(TTFont(site / "_static" / "fonts" / "stix-two-math.woff").getBestCmap())
    for page in pages(site):
        for formula in BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select("math"):
            missing = {letter for letter in formula.get_text() if ord(letter) not in characters and letter != "\n"}
            assert not missing, f"{page.name}: {missing} in {formula.get_text()}: add them to the font"


def test_api_page_documents_all_public_names(site: Path) -> None:
    import ee559

    text = (site / "api.html").read_text(encoding="utf-8")
    assert [name for name in ee559.__all__ if f'id="ee559.{name}"' not in text] == []


def test_pages_ask_their_origin_alone_break_no_policy_and_fit_a_phone(
    site: Path, origin: str, browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    complaints, asked = watch(context), []
    context.on("request", lambda request: asked.append(request.url))
    for path in pages(site):
        page = context.new_page()
        page.goto(f"{origin}/{path.relative_to(site).as_posix()}", wait_until="networkidle")
        policy = page.locator('meta[http-equiv="Content-Security-Policy"]').get_attribute("content")
        assert policy is not None
        assert "default-src 'self';" in policy
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{path.name} scrolls sideways on a phone ({width} px)"
        page.close()
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []
    assert complaints == []
    context.close()


def test_the_policy_stops_an_inline_script(origin: str, browser: Browser) -> None:
    context = browser.new_context()
    watch(context)  # it lets the page say on its console what the policy stops
    page = context.new_page()
    page.goto(f"{origin}/credits.html")
    script = "const s = document.createElement('script'); s.text = 'window.ran = true'; document.body.append(s)"
    with page.expect_console_message(lambda said: said.type == "error" and "script-src" in said.text):
        page.evaluate(script)
    assert page.evaluate("window.ran") is None
    context.close()


@pytest.mark.parametrize("lecture", LECTURES)
def test_a_lecture_is_light(site: Path, origin: str, browser: Browser, lecture: str) -> None:
    answers: list[Response] = []
    page = browser.new_page()
    page.on("response", lambda response: answers.append(response))
    page.goto(f"{origin}/lectures/{lecture}.html", wait_until="networkidle")
    page.mouse.wheel(0, 100_000)  # for what is loaded when it is seen
    page.wait_for_load_state("networkidle")
    sizes = {answer.url: len(gzip.compress(without_figures_data(answer.body()))) for answer in answers}
    assert len(answers) <= REQUESTS, sizes
    assert sum(sizes.values()) <= BYTES, sizes


def without_figures_data(body: bytes) -> bytes:
    return FIGURES_DATA.sub("", body.decode("utf-8")).encode() if body.lstrip().startswith(b"<!DOCTYPE html>") else body


def test_the_theme_switch_turns_the_page_dark_and_it_stays_so(origin: str, browser: Browser) -> None:
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(f"{origin}/lectures/06-losses.html")
    assert page.locator("html").get_attribute("data-theme") == "light"
    light = background(page)
    page.get_by_role("button", name="Color mode").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert background(page) != light
    page.goto(f"{origin}/map.html", wait_until="commit")
    page.wait_for_selector("body", state="attached")
    assert page.locator("html").get_attribute("data-mode") == "dark", "before the page is drawn"
    context.close()


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_icons_of_buttons_and_admonitions_are_drawn(site: Path, origin: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{origin}/lectures/01-torch-nn-and-relu.html")
    page.evaluate("document.fonts.ready")
    drawn = page.evaluate("""[...document.querySelectorAll('.fa-solid')].map(icon => {
        const style = getComputedStyle(icon, '::before');
        return [icon.className, style.content, style.fontFamily];
    })""")
    assert len(drawn) >= 8
    assert [icon for icon in drawn if not re.search(r"[\ue000-\uf8ff]", icon[1]) or "Font Awesome" not in icon[2]] == []
    page.wait_for_function("[...document.fonts].some(f => f.family.includes('Awesome') && f.status == 'loaded')")
    (font,) = site.glob("_static/vendor/**/fa-solid-900.woff2")
    assert font.stat().st_size < 20_000


def test_code_is_copied_as_it_stands(origin: str, browser: Browser) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{origin}/lectures/06-losses.html")
    cell = page.locator(".cell_input").first
    cell.hover()
    cell.locator("button.copybtn").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.length > 0)")
    assert page.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()
    assert page.locator(".cell_output button.copybtn").count() == 0
    context.close()


def test_lectures_lead_to_the_next_and_the_one_before(origin: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{origin}/lectures/{LECTURES[0]}.html")
    for lecture in LECTURES[1:]:
        page.locator("a.right-next").click()
        expect(page).to_have_url(f"{origin}/lectures/{lecture}.html")
    page.locator("a.left-prev").click()
    expect(page).to_have_url(f"{origin}/lectures/{LECTURES[-2]}.html")


def test_paper_shows_the_text_with_answers_unfolded_and_nothing_to_click(origin: str, browser: Browser) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{origin}/lectures/01-torch-nn-and-relu.html")
    page.emulate_media(media="print")
    for gone in (
        "#pst-primary-sidebar",
        ".bd-header-article",
        ".prev-next-footer",
        "#pst-back-to-top",
        ".copybtn >> nth=0",
    ):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("article h1")).to_be_visible()
    expect(page.locator("details.above-input").first).to_be_hidden()  # code that draws, folded on the page
    for answer in page.locator("article details:not(.above-input)").all():
        assert answer.get_attribute("open") is None
        assert answer.evaluate("e => e.getBoundingClientRect().height > 1.5 * e.firstElementChild.offsetHeight")
    assert page.evaluate("getComputedStyle(document.querySelector('article p')).color") in ("rgb(0, 0, 0)", "#000")
    context.close()


def test_the_site_works_when_it_is_opened_as_a_file(site: Path, browser: Browser) -> None:
    context = browser.new_context()
    complaints = watch(context)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.locator("article a", has_text="Losses").first.click()
    expect(page.locator("article h1")).to_contain_text("Losses")
    page.get_by_role("button", name="Color mode").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert complaints == []
    context.close()


def test_answers_open_with_the_keyboard_alone(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((site / "lectures" / "01-torch-nn-and-relu.html").as_uri())
    answer = page.locator("article details").filter(has=page.locator("summary", has_text="Answer")).first
    assert answer.get_attribute("open") is None
    answer.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(answer).to_have_attribute("open", "")
