"""The authors' and instructors' side of the course."""

import sys

# jsonschema, which nbformat loads, would compile a grammar of web addresses for some seconds; no notebook needs it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # to import, None means: not installed
