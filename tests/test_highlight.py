"""Code in colour keeps its text and its lines, lets no tag through, and takes no time that counts."""

import time

import pytest
from bs4 import BeautifulSoup
from ee559_course.grading.pages.highlight import KINDS, LONGEST, coloured_lines
from hypothesis import given, settings
from hypothesis import strategies as st

CODE = '''@cache
def f(x):
    """Of two
    lines."""

    return not x.sum() + 1.5  # why
%time f(1)
!ls
print(f"{x!r} <b>")
'''
PIECES = "(", "f'{", "'", '"""', "\\N{", "1_", "\n    ", "\n \t", "@", "a.", "def ", "%(", " \\\n", "x\n", "\u00e9", "}"


def shown(source: str) -> str:
    lines = [BeautifulSoup(f"<pre>{line}</pre>", "html.parser").get_text() for line in coloured_lines(source)]
    return "\n".join(lines)


def test_words_have_the_class_of_their_kind() -> None:
    page = BeautifulSoup("\n".join(coloured_lines(CODE)), "html.parser")
    kinds = {kind: [each.get_text() for each in page.select(f".{kind}")] for kind in set(KINDS.values()) - {""}}
    assert kinds["keyword"] == ["def", "return", "not"]
    assert kinds["name"] == ["@cache", "f"]
    assert kinds["comment"] == ["# why"]
    assert kinds["number"] == ["1.5", "1"]
    assert kinds["builtin"] == ["print"]
    assert '"""Of two' in kinds["string"]
    assert page.find("b") is None


@pytest.mark.parametrize("source", [CODE, "", "\n", "\n\nx\n\n", "x" * (LONGEST + 1), "<script>'<b>'\n# </span>"])
def test_text_and_lines_stay(source: str) -> None:
    assert shown(source) == source
    assert len(coloured_lines(source)) == source.count("\n") + 1


LETTERS = st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n'\"#{}()<>&\\ ")


@given(st.text(alphabet=LETTERS, max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text_stays_but_for_lines_of_spaces(source: str) -> None:
    assert shown(source) == "\n".join(line if line.strip() else "" for line in source.split("\n"))


@pytest.mark.parametrize("piece", PIECES)
def test_a_text_made_to_be_slow_is_coloured_in_time(piece: str) -> None:
    for source in (piece * (LONGEST // len(piece)), piece * 100_000):
        start = time.process_time()
        coloured_lines(source)
        assert time.process_time() - start < 5  # a tenth of a second, where nothing else runs
