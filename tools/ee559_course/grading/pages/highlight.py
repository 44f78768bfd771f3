"""Code in colour, as lines of HTML: few kinds of words, each a class of ``templates/page.css``."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from markupsafe import Markup
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token

KINDS = {
    Keyword: "keyword",
    Operator.Word: "keyword",
    String: "string",
    Number: "number",
    Comment: "comment",
    Name.Function: "name",
    Name.Class: "name",
    Name.Decorator: "name",
    Name.Builtin: "builtin",
    Token: "",
}
LONGEST = 8_000
"""Characters; Pygments needs the square of them for some texts, and no answer is that long."""


def coloured_lines(source: str) -> list[Markup]:
    """Colour Python code; what is too long stays plain.

    Args:
        source: text that may go onto a page.

    Returns:
        Its lines, as HTML.
    """
    lines = [line if line.strip() else "" for line in source.split("\n")]  # Pygments is slow in lines of spaces
    if len(source) > LONGEST:
        return [Markup(escape(line)) for line in lines]
    shown: list[list[str]] = [[]]
    for kind, pieces in groupby(_pieces("\n".join(lines)), key=lambda piece: piece[0]):
        for number, text in enumerate(escape("".join(text for _, text in pieces)).split("\n")):
            if number:
                shown.append([])
            shown[-1].append(f'<span class="{kind}">{text}</span>' if kind and text else text)
    return [Markup("".join(line)) for line in shown]


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    for token, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        yield next(KINDS[each] for each in reversed(token.split()) if each in KINDS), text
