"""The practicals' checks: ``from ee559.practicals import sizes``, and so for each JSON file in this folder."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ee559.practicals.practical import Practical


@cache
def _read(name: str) -> "Practical | None":
    from ee559.practicals.practical import Practical

    path = Path(__file__).with_name(f"{name}.json")
    return Practical.read(path) if path.exists() else None


def __getattr__(name: str) -> "Practical":
    """Read the practical of a name."""
    practical = None if name.startswith("_") else _read(name)
    if practical is None:
        raise AttributeError(f"there is no practical called {name}")
    return practical
