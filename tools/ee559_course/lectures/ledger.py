"""The ledger: which slide says what, what holds today, and which lecture teaches it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

NOTEBOOKS = (
    "01-torch-nn-and-relu",
    "02-padding-stride-kernel",
    "03-max-pooling",
    "04-linear-and-convolutional-layers",
    "05-filters-on-mnist",
    "06-losses",
    "07-one-hot-targets",
    "08-the-network",
    "09-registering-parameters",
    "10-batch-processing",
)


class LedgerError(ValueError):
    """The ledger is not what the course expects; the message says where and what to do."""


@dataclass(frozen=True)
class LedgerRow:
    """One idea of the slides, where the course teaches it, and which parts of the practicals exercise it."""

    id: str
    slide: str
    today: str
    notebook: str
    objective: str
    exercises: tuple[str, ...] = ()


def load_ledger(path: Path) -> list[LedgerRow]:
    """Read the ledger and check each of its rows.

    Raises:
        LedgerError: the file is not TOML, or a row lacks a key, has an unknown one, repeats an id, or names an
            unknown notebook.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("row", [])
    except tomllib.TOMLDecodeError as error:
        raise LedgerError(f"{path.name}: not valid TOML: {error}.") from error
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise LedgerError(f"{path.name}: no rows: expected an array of tables [[row]].")
    rows: list[LedgerRow] = []
    for number, table in enumerate(tables, start=1):
        row = _row(table, f"{path.name}, row {number} ({table.get('id', 'no id')})")
        if any(row.id == other.id for other in rows):
            raise LedgerError(f"{path.name}, row {number}: the id {row.id} is taken: give each row its own.")
        rows.append(row)
    return rows


def _row(table: dict[str, object], where: str) -> LedgerRow:
    keys = [field.name for field in fields(LedgerRow)]
    texts = [key for key in keys if key != "exercises"]
    for key in texts:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            raise LedgerError(f"{where}: expected a text for the key '{key}', got {value!r}: add {key} = \"…\".")
    if unknown := sorted(set(table) - set(keys)):
        raise LedgerError(f"{where}: unknown key '{unknown[0]}': expected {', '.join(keys)}.")
    exercises = table.get("exercises", [])
    if not isinstance(exercises, list) or not all(re.fullmatch(r"[a-z]+/part-[a-z0-9-]+", str(it)) for it in exercises):
        raise LedgerError(f'{where}: expected exercises such as ["sizes/part-relu"], got {exercises!r}.')
    row = LedgerRow(**{key: str(table[key]) for key in texts}, exercises=tuple(exercises))
    if not re.fullmatch(r"[A-H][1-9]\d*", row.id):
        raise LedgerError(f"{where}: expected an id such as A1, got '{row.id}'.")
    if row.notebook not in NOTEBOOKS:
        raise LedgerError(f"{where}: unknown notebook '{row.notebook}': expected one of {', '.join(NOTEBOOKS)}.")
    return row


def ledger_as_markdown(rows: Sequence[LedgerRow], titles: Mapping[str, str], parts: Mapping[str, str]) -> str:
    """Make Markdown of the ledger: for each lecture its title with a link, and its rows, each an entry with an anchor.

    Args:
        rows: the ledger's.
        titles: the title of each notebook.
        parts: the title of each part of the practicals, by its name in the ledger.
    """
    lines: list[str] = []
    for notebook, group in groupby(rows, key=lambda row: row.notebook):
        lines += [f"## [{_text(titles[notebook])}](lectures/{notebook}.ipynb)", ""]
        for row in group:
            lines += [f"({row.id.lower()})=", f"**{row.id}** {_text(row.slide)}", ""]
            if row.today != "same":
                lines += [f"- *Today:* {_text(row.today)}"]
            lines += [f"- *Afterwards you can:* {_text(row.objective)}"]
            if row.exercises:
                links = [f"[{_text(parts[name])}](#{exercise_anchor(name)})" for name in row.exercises]
                lines += [f"- *Exercise:* {'; '.join(links)}"]
            lines += [""]
    return "\n".join(lines)


def changes_as_markdown(rows: Sequence[LedgerRow]) -> str:
    """Make Markdown of what is no longer as the slides say: first what changed, then what was added.

    Args:
        rows: the ledger's.
    """
    changed = [row for row in rows if not row.today.startswith("same")]
    added = [row for row in rows if row.today.startswith("same") and row.today != "same"]
    lines: list[str] = []
    for heading, group in (("What changed", changed), ("What stayed, with something to add", added)):
        lines += [f"## {heading}", ""]
        for row in group:
            lines += [f"**{row.id}** · [lecture {row.notebook[:2]}](lectures/{row.notebook}.ipynb)", ""]
            lines += [f"- *2018:* {_text(row.slide)}", f"- *Today:* {_text(row.today)}", ""]
    return "\n".join(lines)


def exercise_anchor(name: str) -> str:
    """Return the anchor of a part of a practical, such as ``sizes-part-relu``, for its name in the ledger."""
    return name.replace("/", "-")


def _text(text: str) -> str:
    """Protect the characters that Markdown would take for its own."""
    return re.sub(r"([\\|*_\[\]<>$`])", r"\\\1", text)
