"""A fork server, for these tests: it takes orders as lines of JSON, and answers so."""

import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from attacks import AGAINST_PARENT, ATTACKS, LIBC
from ee559_sandbox import (
    Cgroup,
    Confinement,
    Limits,
    confine,
    find_usage,
    kill_process_tree,
    make_scratch,
    prepare_server,
    probe,
    remove_scratch,
)
from exhaustion import EXHAUSTING
from honest_work import DATA, HONEST
from program_starts import STARTING

ALL = ATTACKS | HONEST | EXHAUSTING | STARTING | {f"parent's {name}": job for name, job in AGAINST_PARENT.items()}


def find_living() -> list[psutil.Process]:
    """Descendants of this server that do something yet."""
    return [each for each in psutil.Process().children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]


def has_children() -> bool:
    """Whether anything is left: orphans of a child become this server's own children."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def run(order: dict[str, Any], root: Path) -> dict[str, Any]:
    confinement = Confinement.from_dict(order["confinement"]) if order["confinement"] is not None else None
    limits = Limits(**order["limits"])
    scratch = make_scratch(root)
    reading, writing = os.pipe()
    answer: dict[str, Any] = {}
    with Cgroup((order["grouped"] and confinement) or Confinement(), limits) as group:
        began = time.perf_counter()
        child = os.fork()
        if child == 0:
            be_the_child(order, confinement, limits, scratch, group, writing)
        os.close(writing)
        deadline = time.monotonic() + order["seconds"]
        said = b""
        while (left := deadline - time.monotonic()) > 0:
            if order["look"]:
                answer["exceeded"] = find_usage(scratch, child, limits).exceeded(limits)
                if answer["exceeded"]:
                    break
            if select.select([reading], [], [], min(left, 0.05 if order["look"] else left))[0]:
                said += (some := os.read(reading, 1 << 20))
                if not some or (order["until"].encode() in said and said.endswith(b"\n")):
                    break
        os.close(reading)
        answer["seconds"] = time.perf_counter() - began
        time.sleep(order["longer"])
        if order["spare"]:
            os.kill(child, signal.SIGKILL)
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
            answer["spared"] = len(find_living())
        answer["processes"] = len(group.processes())
        began = time.perf_counter()
        ended = kill_process_tree(child, group)
        answer |= {"kill_seconds": time.perf_counter() - began, "ended": asdict(ended)}
        answer |= {"peak": group.peak_bytes(), "killed_for_memory": group.nb_killed_for_memory()}
    remove_scratch(scratch)
    answer["left"] = has_children() + scratch.exists()
    for line in said.decode().splitlines():
        answer |= json.loads(line)
    return answer


def be_the_child(
    order: dict[str, Any], confinement: Confinement | None, limits: Limits, scratch: Path, group: Cgroup, writing: int
) -> None:
    def report(said: dict[str, Any]) -> None:
        os.write(writing, json.dumps(said).encode() + b"\n")

    try:
        group.add(os.getpid())
        began = time.perf_counter()
        if confinement is None:
            os.setsid()
            os.chdir(scratch)
        else:
            readable = [Path(path) for path in order["readable"]]
            confine(
                confinement,
                scratch,
                readable,
                limits,
                {writing},
                keep_variables=[DATA],
                programs=order["programs"],
            )
        report({"confine_seconds": time.perf_counter() - began})
        try:
            report({"said": ALL[order["job"]](order["environment"] | {"report": report})})
        except (OSError, MemoryError) as error:
            report({"said": False, "error": repr(error)})
    except BaseException as error:
        report({"said": None, "error": repr(error)})
    finally:
        os._exit(0)


def main() -> None:
    prepare_server()
    root = Path(sys.argv[1])
    if "warm" in sys.argv:
        import asyncio  # noqa: F401

        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot
        import torch._dynamo  # noqa: F401
        import torchvision.datasets  # noqa: F401
    secret = os.open(sys.argv[2], os.O_RDONLY)  # an open file that no child must inherit
    os.set_inheritable(secret, True)
    os.environ["SECRET_IN_PYTHON"] = "secret"
    LIBC.setenv(b"SECRET_IN_C", b"secret", 1)
    print(json.dumps({"threads": len(os.listdir("/proc/self/task")), "pid": os.getpid()}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = asdict(probe()) if order["do"] == "probe" else run(order, root)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
