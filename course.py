#!/usr/bin/env python3
"""Set the course up and run its tasks: ``python3 course.py lab | site | test | doctor``.

Standard library only: this file runs before anything is installed. Everything it makes lies in ``.venv``
(and ``build`` for the site), so deleting those two folders undoes it.
"""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        "The course needs Python 3.11, 3.12 or 3.13, and this is Python %d.%d (%s). "
        "Install one of them and run this command with it, for example: python3.12 course.py lab"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("EE559_VENV") or ROOT / ".venv").resolve()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "ee559-installed.json"
INSTALL_LOG = VENV / "ee559-install.log"
TORCH_INDEX = VENV / "ee559-torch-index.txt"
KERNEL = VENV / "share" / "jupyter" / "kernels" / "ee559" / "kernel.json"
LAB_PAGE = VENV / "share" / "jupyter" / "lab" / "static" / "index.html"
SITE = ROOT / "build" / "site"

NEWS = "@jupyterlab/apputils-extension:announcements"  # asks a question at the first start, and then the network

# Each task installs what its own users need, and no more.
EXTRAS = {
    "lab": {"student"},
    "doctor": set(),
    "site": {"student", "instructor"},
    "test": {"student", "instructor", "test"},
}
NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "Failed to establish a new connection",
    "Network is unreachable",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "nodename nor servname",
    "ConnectTimeoutError",
    "ProxyError",
    "Cannot connect to proxy",
    "(from versions: none)",  # all that pip says when the build's own requirements cannot be fetched
)


def installed_extras(key: str) -> set[str]:
    """Return the extras that a finished installation with this key has; empty when there is none."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    extras = set(stamp["extras"])
    whole = PYTHON.exists() and ("student" not in extras or (KERNEL.exists() and LAB_PAGE.exists()))
    return extras if whole and stamp.get("key") == key else set()


def environment_key(torch_index: str | None) -> str:
    """Fingerprint all that an installation depends on, so that a change of any of it installs again."""
    digest = hashlib.sha256()
    for part in (ROOT / "pyproject.toml", LOCK):
        digest.update(part.read_bytes())
    digest.update("\n".join([str(ROOT), sys.version, torch_index or ""]).encode())
    return digest.hexdigest()


def remembered_torch_index() -> str | None:
    """Return the index that PyTorch was installed from last time, so that it is said only once."""
    return TORCH_INDEX.read_text(encoding="utf-8").strip() or None if TORCH_INDEX.exists() else None


def pip_install(*arguments: str, index: str | None = None) -> None:
    """Run pip, show what it prints and keep it in a log; exit with one sentence if it fails."""
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--retries",
        "2",
        *(("--index-url", index) if index else ()),
        *arguments,
    ]
    with INSTALL_LOG.open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            log.write(line)
            printed.append(line)
            if line.startswith(("Collecting", "Downloading", "Installing", "Successfully")):
                print("   ", line.rstrip()[:110], flush=True)
        if process.wait() == 0:
            return
    text = "".join(printed)
    if any(sign in text for sign in NO_NETWORK):
        sys.exit(
            "There is no network, or it does not reach %s, and the course is not installed yet. "
            "Connect once and run this command again: it goes on where it stopped. After that the course works offline."
            % (index or "the package index")
        )
    if index:
        sys.exit(
            "PyTorch was not found at %s: give --torch-index the address that pytorch.org, Get Started, shows after "
            "--index-url. The whole log is in %s." % (index, INSTALL_LOG)
        )
    errors = [line.strip() for line in printed if line.startswith("ERROR")]
    sys.exit(
        "The installation stopped: %s\nThe whole log is in %s. Run the command again; if it stops at the same "
        "place, delete %s and try once more." % (errors[0] if errors else "pip gave no reason.", INSTALL_LOG, VENV)
    )


def make_environment() -> None:
    """Make ``.venv``, or make it again when it is half-made or belongs to another Python."""
    works = PYTHON.exists() and subprocess.run(
        [str(PYTHON), "-c", "import sys, pip; print(*sys.version_info[:2])"], capture_output=True, text=True
    ).stdout.split() == [str(part) for part in sys.version_info[:2]]
    if works:
        return
    if VENV.exists() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists():
        sys.exit(f"{VENV} exists and is not a Python environment. Move it away, then run this command again.")
    print(f"Making the environment in {VENV} …", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True)


def set_up(task: str, torch_index: str | None) -> None:
    """Install what the task needs through the lock; do nothing when it is all there.

    The stamp is written last, so an interrupted set-up is taken up again by the next run.
    """
    torch_index = torch_index or remembered_torch_index()
    key = environment_key(torch_index)
    there = installed_extras(key)
    wanted = EXTRAS[task] | there
    if there and wanted <= there:
        return
    STAMP.unlink(missing_ok=True)
    make_environment()
    print("Installing the course (a few minutes the first time) …", flush=True)
    if torch_index:
        TORCH_INDEX.write_text(torch_index, encoding="utf-8")  # remembered even if what follows is interrupted
        pip_install("--constraint", str(LOCK), "torch", "torchvision", index=torch_index)
    target = f".[{','.join(sorted(wanted))}]" if wanted else "."
    pip_install("--constraint", str(LOCK), "--editable", target)
    if "student" in wanted:
        if not LAB_PAGE.exists():  # lost since it was installed, and pip does not notice
            pip_install("--constraint", str(LOCK), "--force-reinstall", "--no-deps", "jupyterlab")
        register_kernel()
        quiet = [str(PYTHON), "-m", "jupyter", "labextension", "disable", "--level=sys_prefix", NEWS]
        subprocess.run(quiet, check=True, capture_output=True)
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps({"key": key, "extras": sorted(wanted)}), encoding="utf-8")
    os.replace(fresh, STAMP)


def register_kernel() -> None:
    """Register the kernel that the notebooks name; it keeps warnings of its own to itself."""
    register = [str(PYTHON), "-m", "ipykernel", "install", "--sys-prefix", "--name", "ee559"]
    subprocess.run([*register, "--display-name", "EE-559 (Python)"], check=True, capture_output=True)
    specification = json.loads(KERNEL.read_text(encoding="utf-8"))
    specification["argv"].append("--log-level=ERROR")
    KERNEL.write_text(json.dumps(specification, indent=1), encoding="utf-8")


def run(*command: str | Path, **environment: str) -> int:
    """Run a program of the environment in the repository's root and return its exit status."""
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    env = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(VENV), "PYTHONUTF8": "1", **environment}
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=env)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the program got Ctrl+C as well, and may want to ask before it stops
            continue


def lab(arguments: Sequence[str]) -> int:
    """Open JupyterLab, the lectures first; the practicals are beside them."""
    return run(
        PYTHON, "-m", "jupyterlab", "--notebook-dir", ROOT, "--LabApp.default_url=/lab/tree/lectures", *arguments
    )


def site(serve: bool) -> int:
    """Build the site, say which file to open, and serve it on the loopback address if asked."""
    print("Running the lectures and building the site (a minute or two) …", flush=True)
    status = run(PYTHON, "-m", "ee559_course", "site", "--output", SITE)
    if status == 0:
        print(f"\nThe site is built. Open {SITE / 'index.html'}")
    if status == 0 and serve:
        port = free_port(8559)
        print(f"Serving it on http://127.0.0.1:{port}/ (Ctrl+C stops it)", flush=True)
        run(PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", SITE)
    return status


def free_port(wanted: int) -> int:
    """Return the port that is wanted, or any other if it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")


def test(arguments: Sequence[str]) -> int:
    """Run every check: style, types, then the tests with their coverage of the package."""
    if arguments:
        return run(PYTHON, "-m", "pytest", *arguments)
    checks: list[list[str]] = [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        [
            "pytest",
            "--numprocesses=2",
            "--dist=loadfile",
            "--no-loadscope-reorder",
            "--durations=20",
            "--cov=ee559",
            "--cov-report=term-missing:skip-covered",
            "--cov-fail-under=95",
        ],
    ]
    failed = []
    for check in checks:
        print(f"\n── {' '.join(check)}", flush=True)
        if run(PYTHON, "-m", *check, OMP_NUM_THREADS="1") != 0:  # two processes test, and each has a core
            failed.append(" ".join(check[:2]))
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return 1 if failed else 0


def doctor() -> int:
    """Say what is found, line by line, each with its remedy."""
    print(f"✓ Python {sys.version.split()[0]} ({sys.executable})")
    if not STAMP.exists():
        print("✗ environment: the course is not installed. Remedy: python3 course.py lab")
        return 1
    print(f"✓ environment: {VENV}")
    if KERNEL.exists():
        print("✓ kernel: EE-559 (Python)")
    else:
        print("✗ kernel: not registered. Remedy: python3 course.py lab")
    return run(PYTHON, "-m", "ee559.doctor") or (0 if KERNEL.exists() else 1)


def main() -> int:
    """Read the command line, set up, and run the task."""
    parser = argparse.ArgumentParser(
        prog="course.py",
        description="Set the course up and run its tasks.",
        epilog="With lab and test, any other option goes to JupyterLab or pytest.",
    )
    parser.add_argument(
        "task", choices=list(EXTRAS), help="open JupyterLab, build the site, run all tests, say what is here"
    )
    parser.add_argument("--serve", action="store_true", help="with site: serve it on 127.0.0.1 once it is built")
    parser.add_argument(
        "--torch-index",
        metavar="URL",
        default=os.environ.get("EE559_TORCH_INDEX"),
        help="install PyTorch from this package index, for example the one of the CPU wheels (see README); remembered",
    )
    options, others = parser.parse_known_args()
    if others and options.task in ("site", "doctor"):
        parser.error(f"{options.task} knows no {others[0]}")
    if options.task == "doctor":
        return doctor()
    if options.task in ("site", "test") and not (ROOT / "tools").exists():
        parser.error(
            f"{options.task} is for the whole repository, and this is the students' bundle: it has lab, doctor"
        )
    set_up(options.task, options.torch_index)
    if options.task == "lab":
        return lab(others)
    if options.task == "site":
        return site(options.serve)
    return test(others)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except KeyboardInterrupt:
        sys.exit("Interrupted. Run the same command again: it goes on where it stopped.")
