"""The sandbox is a package of its own: it needs nothing of the course, and its README is true."""

import ast
import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import ee559_sandbox
import pytest
from ee559_sandbox import probe
from machine import CONFINEMENT

PACKAGE = Path(ee559_sandbox.__file__).parent
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_no_module_imports_or_names_the_course(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    imported: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    outside = {name.partition(".")[0] for name in imported} - {"ee559_sandbox"}
    assert outside <= sys.stdlib_module_names | {"psutil"}
    assert not re.search(r"ee559(?![_-]sandbox)|student|submission|notebook|grad(e|ing)", text, re.IGNORECASE)


def test_it_finds_out_the_same_with_the_standard_library_alone(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "ee559_sandbox")
    code = f"""
import json, sys
from dataclasses import asdict
from importlib.util import find_spec
sys.path.insert(0, {str(tmp_path)!r})
from ee559_sandbox import probe
assert find_spec("ee559") is find_spec("ee559_course") is None
print(json.dumps(asdict(probe())))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json.loads(json.dumps(asdict(probe())))


def test_readme_names_all_of_the_api() -> None:
    (table,) = re.findall(r"^## The API$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    calls = [row.split("|")[2] for row in table.strip().splitlines()]
    assert {name for call in calls for name in re.findall(r"`(\w+)`", call)} == {*ee559_sandbox.__all__}
    for name in ee559_sandbox.__all__:
        assert getattr(ee559_sandbox, name).__doc__, name


@pytest.mark.needs(CONFINEMENT)
def test_readmes_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    example = tmp_path / "example.py"
    example.write_text(code)

    def run(untrusted: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, example, untrusted], capture_output=True, text=True)

    worked = run("open('mine', 'w'); print(6 * 7)")
    assert worked.stdout.startswith("42\nProcessExit(status=0, "), worked
    for refused in ("open('/etc/passwd')", f"open({str(example)!r}, 'a')", "import socket; socket.socket()"):
        done = run(refused)
        assert re.search(r"^(PermissionError|FileNotFoundError|OSError): ", done.stderr, re.MULTILINE), done
        assert done.stdout.startswith("ProcessExit(status=1, "), done
    assert (out := run("while True: pass").stdout).startswith(f"ProcessExit(status={-signal.SIGXCPU}, "), out
