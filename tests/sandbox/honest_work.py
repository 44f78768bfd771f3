"""What honest code does, for these tests: each piece of work returns true if it succeeds."""

import asyncio
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Environment = dict[str, Any]
DATA = "SANDBOX_TEST_DATA"
"""The variable that names a folder with data, which code in the sandbox may read."""
NUMBERS = "5 0 4 1 9"


def trains(environment: Environment) -> bool:
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(torch.ones(8, 1, 8, 8)), torch.zeros(8, dtype=torch.int64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[-1] < losses[0]


def draws(environment: Environment) -> bool:
    import matplotlib.pyplot as plt

    plt.plot([1, 2])
    plt.title("$x^2$ and text")
    plt.savefig("figure.png")
    return Path("figure.png").stat().st_size > 1000


def starts_threads(environment: Environment) -> bool:
    done: list[int] = []
    threads = [threading.Thread(target=done.append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done) == list(range(8))


def uses_temporary_files(environment: Environment) -> bool:
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        Path(folder, "a").write_text("a")
        file.write(b"b")
        os.rename(Path(folder, "a"), "a")
        os.chmod("a", 0o644)
        return str(Path.cwd()) in folder and os.path.expanduser("~") == str(Path.cwd())


def starts_programs(environment: Environment) -> bool:
    Path("hello").touch()
    listed = subprocess.run(["ls"], capture_output=True, text=True, check=True).stdout.split()
    shell = subprocess.run("echo $((6 * 7)) | cat", shell=True, capture_output=True, text=True, start_new_session=True)
    return "hello" in listed and shell.stdout == "42\n"


def starts_python(environment: Environment) -> bool:
    code = "import json, numpy; print(json.dumps(1))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"


def ends_its_own(environment: Environment) -> bool:
    sleeping = subprocess.Popen(["sleep", "60"])
    sleeping.terminate()
    return sleeping.wait(5) == -signal.SIGTERM


async def waits() -> bool:
    process = await asyncio.create_subprocess_exec("echo", "hello", stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    return await asyncio.to_thread(lambda: out == b"hello\n")


def reads_data(environment: Environment) -> bool:
    return Path(os.environ[DATA], "numbers.txt").read_text() == NUMBERS


def imports_lazily(environment: Environment) -> bool:
    import sqlite3
    import ssl
    import wave

    return sqlite3.connect("data.db").execute("select 1").fetchone() == (1,) and bool(ssl.OPENSSL_VERSION and wave)


def shares_memory_with_a_fork(environment: Environment) -> bool:
    shared = mmap.mmap(-1, 4096)
    pid = os.fork()
    if pid == 0:
        shared[:2] = b"ok"
        os._exit(0)
    os.waitpid(pid, 0)
    return shared[:2] == b"ok"


HONEST: dict[str, Callable[[Environment], Any]] = {
    "train": trains,
    "draw": draws,
    "threads": starts_threads,
    "temporary files": uses_temporary_files,
    "programs": starts_programs,
    "another Python": starts_python,
    "asyncio": lambda e: asyncio.run(waits()),
    "data": reads_data,
    "lazy imports": imports_lazily,
    "fork": shares_memory_with_a_fork,
    "end a program": ends_its_own,
}
PROGRAMS = {"programs", "another Python", "asyncio", "end a program"}
"""Work that starts programs."""
SLOW = {"train", "another Python"}
