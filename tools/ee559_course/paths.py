"""Where the parts of the repository lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LECTURES = ROOT / "lectures"
LEDGER = LECTURES / "ledger.toml"
SITE_SOURCES = ROOT / "site"
BUILT_SITE = ROOT / "build" / "site"
SOLUTIONS = ROOT / "solutions"
PRACTICALS = ROOT / "practicals"
