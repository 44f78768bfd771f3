"""The checks of the built pages find each mistake, name its page and line, and pass what is right."""

from pathlib import Path

import pytest
from ee559_course.site.page_checks import page_problems

FINE = """<!DOCTYPE html>
<html lang="en"><head><link rel="icon" href="icon.svg" /><script src="a.js"></script></head><body>
<h1 id="title">Title</h1><h2>Part</h2><h3>Detail</h3><h2>Part</h2>
<img src="icon.svg" alt="a three"><a href="#title">up</a> <a href="sub/other.html#caf%C3%A9">other</a>
<a href="https://pytorch.org/docs">elsewhere</a> <a href="sub/other.html?x=1">state</a> <a href="#">top</a>
<script type="application/json">{}</script>
</body></html>"""
OTHER = '<html lang="en"><body>\n<h1 id="café">Other</h1><a href="../page.html#title">back</a></body></html>'


def problems_of(folder: Path, page: str) -> list[str]:
    (folder / "sub").mkdir()
    for name, text in {"page.html": page, "sub/other.html": OTHER, "icon.svg": "<svg/>", "a.js": ""}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return page_problems(folder)


def test_right_pages_have_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, FINE) == []


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            'href="sub/other.html?x=1"',
            'href="gone.html"',
            "page.html, line 5: <a> leads to gone.html: there is no such",
        ),
        (
            'href="#title"',
            'href="#gone"',
            "page.html, line 4: <a> leads to #gone: page.html has no element with the id",
        ),
        ("#caf%C3%A9", "#coffee", "page.html, line 4: <a> leads to sub/other.html#coffee: sub/other.html has no"),
        (
            'href="#"',
            'href="../outside.html"',
            "page.html, line 5: <a> leads to ../outside.html: there is no such file",
        ),
        ('src="a.js"', 'src="b.js"', "page.html, line 2: <script> leads to b.js"),
        ('alt="a three"', "", "page.html, line 4: the picture icon.svg has no alt text"),
        ('alt="a three"', 'alt=" "', "page.html, line 4: the picture icon.svg has no alt text"),
        ("<h2>Part</h2><h3>", "<h3>", "page.html, line 3: <h3> follows <h1>: expected at most <h2>"),
        ("<h2>Part</h2>\n", "<h1>Part</h1>\n", "page.html, line 3: a second <h1>"),
        ('<h1 id="title">Title</h1>', '<p id="title">Title</p>', "page.html: no <h1>"),
        (' lang="en"', "", "page.html, line 2: <html> has no lang attribute"),
        ("<h3>", '<h3 id="title">', "page.html, line 3: the id 'title' is taken"),
        ("<h3>", '<h3 onclick="go()">', "page.html, line 3: <h3 onclick=…> is forbidden"),
        ('<script src="a.js">', "<script>", "page.html, line 2: an inline script is forbidden"),
        ('href="#"', 'href="javascript:go()"', "page.html, line 5: a javascript: link is forbidden"),
        ('src="a.js"', 'src="https://cdn.example/a.js"', "page.html, line 2: <script> loads https://cdn.example/a.js"),
        ('href="icon.svg"', 'href="//cdn.example/i.svg"', "page.html, line 2: <link> loads //cdn.example/i.svg"),
    ],
)
def test_each_mistake_is_found_and_its_place_is_named(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    assert right in FINE
    problems = problems_of(tmp_path, FINE.replace(right, wrong, 1))
    assert any(problem.startswith(message) for problem in problems), problems
