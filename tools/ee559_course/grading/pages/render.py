"""Pages that are one file: nothing in them runs, and nothing leaves them."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values: object) -> str:
    """Fill a template of this package; whatever is not Markup is escaped.

    The page's policy lets only its own style sheet in, by its hash, and pictures that are in the page. A script, a
    style or an address that got into the page all the same would do nothing.
    """
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
    policy += "base-uri 'none'; form-action 'none'"
    return _environment().get_template(template).render(style=Markup(style), policy=policy, **values)


def number(value: float) -> str:
    """Write points: at most two decimals, with a point, and no zeros at the end."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


@cache
def _style() -> str:
    return (files("ee559_course.grading.pages") / "templates" / "page.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ee559_course.grading.pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["number"] = number
    return environment
