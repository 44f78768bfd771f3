"""Find out what confines a process on this machine, by trying it."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ee559_sandbox.bubblewrap import OWN_PACKAGE, server_command
from ee559_sandbox.confinement import Confinement
from ee559_sandbox.environment import default_readable, server_environment
from ee559_sandbox.kernel_calls import LINUX, MACHINE

SELF_TEST = (
    f"import sys; sys.path.insert(0, {str(OWN_PACKAGE.parent)!r}); from {__package__}.self_test import main; main()"
)
PATIENCE = 60.0  # seconds; a busy machine answers late, and is no less able to confine


def probe() -> Confinement:
    """Try each part in a process that is thrown away; takes a fraction of a second and never raises.

    On other systems than Linux nothing holds.
    """
    if not (LINUX and MACHINE):
        return Confinement()
    try:
        with tempfile.TemporaryDirectory() as folder:
            said = _run([sys.executable, "-I", "-S", "-c", SELF_TEST], Path(folder))
            if said is None:
                return Confinement()
            return _with_namespaces(Confinement.from_dict(said), Path(folder))
    except Exception:
        return Confinement()


def _with_namespaces(found: Confinement, folder: Path) -> Confinement:
    """Add bubblewrap if a server can start in it, and its children can confine themselves further."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return found
    for fixed_scratch in dict.fromkeys((found.fixed_scratch, False)):
        tried = replace(found, bwrap=bwrap, fixed_scratch=fixed_scratch)
        argv = [sys.executable, "-I", "-S", "-c", SELF_TEST, json.dumps(asdict(tried))]
        said = _run(server_command(tried, argv, folder, default_readable()), folder)
        if said is not None and said["holds"] and said["pid"] == 1:
            return tried if said["groups"] else replace(tried, cgroup_version=0, cgroup_parents=())
    return found


def _run(command: Sequence[str], folder: Path) -> dict[str, Any] | None:
    """Run a self-test and read what it prints; None if it fails."""
    try:
        done = subprocess.run(
            command,
            env=server_environment(folder) | {"TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        said = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return said if isinstance(said, dict) else None
