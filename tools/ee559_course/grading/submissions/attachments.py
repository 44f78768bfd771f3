"""Pictures that a program such as Colab pastes into the words of a cell: taken out of them, and put beside."""

import re
from typing import Any

KINDS = ("image/png", "image/jpeg")
ADDRESS = re.compile(r"data:([\w.+/-]{1,60})(?:;[\w=-]{1,60})?;base64,((?:[\w+/=%-]|\r?\n(?=[\w+/=]{40}))*)")
TAG = re.compile(r"<img\b[^<>]{0,500}?\bsrc=[\"']?(attachment:[\w.-]+)[^<>]{0,500}>")


def with_pictures_beside(words: str, attachments: Any) -> tuple[str, dict[str, dict[str, str]]]:
    """Take the pictures out of a text.

    Args:
        words: Markdown, in which a picture's address may hold its bytes.
        attachments: those that the cell came with, if it is a dict.

    Returns:
        The text, whose pictures are attachments now, and all attachments that are pictures of a kind that is shown.
    """
    beside = _pictures(attachments) if isinstance(attachments, dict) else {}

    def put_beside(found: re.Match[str]) -> str:
        name = f"pasted-{len(beside) + 1}"
        beside[name] = {found[1]: "".join(found[2].split())} if found[1] in KINDS else {}
        return f"attachment:{name}"

    if "base64," in words:
        words = TAG.sub(r"![](\1)", ADDRESS.sub(put_beside, words))
    return words, beside


def _pictures(attachments: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        name.encode(errors="replace").decode(): {
            mime: data for mime, data in attached.items() if mime in KINDS and type(data) is str
        }
        for name, attached in attachments.items()
        if isinstance(attached, dict)
    }
