"""Pictures with words: each comes with the text that a screen reader says in its place."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """Pictures that a notebook shows, and in text their alt texts."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        """Say what the pictures show."""
        return self.text


def image_tag(png: bytes, alt: str, style: str = "max-width: 100%; height: auto") -> str:
    """Write PNG bytes as an HTML image that needs no file."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt, quote=True)}" style="{style}">'


def picture_row(pictures: Sequence[tuple[str, bytes]], alt: str) -> Picture:
    """Lay small pictures out in a row, a pixel grown to a square, each with its name below.

    Args:
        pictures: name and PNG bytes of each; the name may be empty.
        alt: what there is to see; each picture's alt text is this and its name.

    Raises:
        ValueError: the alt text is empty.
    """
    if not alt.strip():
        raise ValueError("expected an alt text that says what the pictures show, got an empty one.")
    longest = max(48, min(150, 640 // max(1, len(pictures)) - 14))  # up to ten fit the site's column
    parts = []
    for name, png in pictures:
        width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))  # as a PNG file begins
        grown = [max(1, round(longest * side / max(width, height))) for side in (width, height)]
        style = f"width: {grown[0]}px; height: {grown[1]}px; image-rendering: pixelated; border: 1px solid #767676"
        caption = (
            f'<figcaption style="text-align: center; overflow-wrap: anywhere">{escape(name)}</figcaption>'
            if name
            else ""
        )
        tag = image_tag(png, f"{alt}: {name}" if name else alt, style)
        wide = max(grown[0] + 2, min(130, 8 * len(name)))  # a long name needs some width to break well
        parts.append(f'<figure style="margin: 0; width: {wide}px">{tag}{caption}</figure>')
    row = '<div style="display: flex; flex-wrap: wrap; gap: 12px">'
    return Picture(f"{row}{''.join(parts)}</div>", f"{alt} ({len(pictures)} pictures)")


def show_picture_files(paths: Sequence[Path], alt: str) -> Picture:
    """Show PNG files in a row, their names below.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: the alt text is empty.

    Source: slide D8.
    """
    return picture_row([(path.name, path.read_bytes()) for path in paths], alt)


def show_figure(figure: "Figure", alt: str) -> Picture:
    """Show a matplotlib figure with alt text, on white, and close it. On a phone it scrolls, and stays readable.

    Args:
        figure: what to show.
        alt: what there is to see, for readers who do not see it.

    Raises:
        ValueError: the alt text is empty.
    """
    if not alt.strip():
        raise ValueError("expected an alt text that says what the figure shows, got an empty one.")
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    plt.close(figure)
    tag = image_tag(
        buffer.getvalue(), alt, f"max-width: none; width: {round(64 * figure.get_figwidth())}px; height: auto"
    )
    return Picture(f'<div tabindex="0" style="overflow-x: auto">{tag}</div>', alt)
