"""What all interactive figures share: their module, their state, and what a page without a kernel holds of them."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from json import dumps
from typing import Any, ClassVar

import anywidget

from ee559.palette import PALETTE
from ee559.pictures import Picture


@cache
def module_source(name: str) -> str:
    """Return a figure's module: the palette, what all figures share, and then its own source."""
    sources = [(files(__package__) / f"{part}.js").read_text(encoding="utf-8") for part in ("shared", name)]
    return "\n".join([f"const PALETTE = {dumps(PALETTE)};", *sources])


def page_script(name: str) -> str:
    """Turn a figure's module into a script, which a page that is opened as a file may load too.

    The script puts the figure's functions into ``window.ee559Figures``.

    Raises:
        ValueError: the module does not end as all figures' modules do.
    """
    module, end = module_source(name), "export default { render };\n"
    if not module.endswith(end):
        raise ValueError(f"{name}.js: expected it to end with {end.strip()!r}.")
    body = module.removesuffix(end) + "return { render, compute };\n"
    return f"(window.ee559Figures ??= {{}}).{name} = (() => {{\n{body}}})();\n"


class InteractiveFigure(anywidget.AnyWidget):
    """A figure that the reader changes; where no kernel is, the page's own script brings it to life.

    Attributes:
        module: name of the JavaScript module beside this file.
        state: names of the traits that the page's address keeps.
        data: names of the traits that only the figure needs, such as pictures.
    """

    module: ClassVar[str]
    state: ClassVar[tuple[str, ...]] = ()
    data: ClassVar[tuple[str, ...]] = ()

    def __init__(self, still: Picture, **traits: Any) -> None:
        """Show a picture where nothing can move: on paper, and without JavaScript.

        Args:
            still: a picture with alt text of the figure as it begins.
            traits: the figure's state.
        """
        super().__init__(**traits)
        self.still = still

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made, {})
        return {**(bundle or {}), "text/html": self.page_html(), "text/plain": repr(self.still)}, metadata

    def page_html(self) -> str:
        """Write what a page holds in the figure's place: its state, and the still picture."""
        state = escape(dumps({name: getattr(self, name) for name in self.state}), quote=True)
        data = escape(dumps({name: getattr(self, name) for name in self.data}), quote=True)
        return (
            f'<div class="interactive-figure" data-figure="{self.module}" data-state="{state}" data-values="{data}">'
            f'<div class="still">{self.still.html}</div></div>'
        )
