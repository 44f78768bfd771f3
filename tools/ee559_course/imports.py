"""What keeps the start of our processes short."""

import sys


def leave_out_iri_grammar() -> None:
    """Let jsonschema, which nbformat imports, do without its check of international addresses.

    It builds a grammar when it is imported, which takes two seconds and a half, and no notebook's schema asks for it.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as if it were not installed
