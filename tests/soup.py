"""Pages as tests look at them."""

from typing import Any

from bs4 import BeautifulSoup


def parse(page: str) -> Any:
    """Parse a page. Nothing of it is typed: bs4 has it that each look-up may find nothing, and a test fails if so."""
    return BeautifulSoup(page, "html.parser")
