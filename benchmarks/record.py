"""Run benchmarks and record what they print, for the site's page of benchmarks.

Run: python benchmarks/record.py import_time lecture_times. Each writes benchmarks/recorded/NAME.json.
"""

import argparse
import ast
import json
import os
import platform
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent


def machine() -> str:
    """Name the processor, its cores, how busy they are, the system, Python and torch; no person and no place."""
    found = None
    if (info := Path("/proc/cpuinfo")).exists():
        found = re.search(r"model name\s*: (.*)", info.read_text(encoding="utf-8"))
    processor = found[1] if found else platform.processor() or platform.machine()
    busy = f" (load {os.getloadavg()[0]:.1f} at the start)" if hasattr(os, "getloadavg") else ""
    return (
        f"{processor}, {os.cpu_count()} cores{busy}, {platform.system()}, Python {platform.python_version()}, "
        f"torch {version('torch')}"
    )


def record(name: str) -> int:
    """Run one benchmark, show and write what it prints; return its status."""
    script = HERE / f"{name}.py"
    title = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or name).splitlines()[0]
    where = machine()
    ran = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    print(ran.stdout, end="")
    run = {
        "title": title.rstrip("."),
        "command": f"python benchmarks/{name}.py",
        "date": date.today().isoformat(),
        "machine": where,
        "output": ran.stdout,
    }
    recorded = HERE / "recorded" / f"{name}.json"
    recorded.parent.mkdir(exist_ok=True)
    unfinished = recorded.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(unfinished, recorded)
    return ran.returncode


def main() -> int:
    """Record the benchmarks that are named."""
    not_recorded_here = {"record", "gpu"}
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in not_recorded_here)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    return max(record(name) for name in parser.parse_args().names)


if __name__ == "__main__":
    sys.exit(main())
