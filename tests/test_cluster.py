"""Where code is run: by a scheduler's workers only behind keys, and on this machine without a door for others."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, solved
from ee559_course.grading.batch.grade import Event, Options, grade
from ee559_course.grading.batch.workers import WorkerOptions, connect
from ee559_course.grading.errors import GradingError
from machine import LINUX, OPENSSL
from users import become

BIN = Path(sys.executable).parent
UNCONFINED = (
    "import ee559_course.grading.worker.worker as worker\n"
    "from ee559_sandbox import Confinement\n"
    "worker.probe = Confinement\n"
)
SECONDS_TO_START = 120
FIND_DOORS = Path(__file__).with_name("find_doors.py")
SQUARES = {"double": "def double(x):\n    return x * x"}


@dataclass(frozen=True)
class Cluster:
    """A scheduler: its address, its keys, and its process."""

    address: str
    keys: Path
    process: subprocess.Popen[bytes]

    @contextlib.contextmanager
    def worker(self, **env: str) -> Iterator[psutil.Process]:
        """Start a worker as the guide says."""
        command: list[str | Path] = [
            BIN / "dask",
            "worker",
            self.address,
            "--nthreads",
            "1",
            "--local-directory",
            self.keys.parent,
        ]
        with started(command, self.keys, **env) as process:
            yield psutil.Process(process.pid)

    def grade(self, root: Path, keys: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Grade as the guide says, as soon as there is a worker."""
        command: list[str | Path] = [
            BIN / "ee559",
            "grade",
            "tiny",
            "--scheduler",
            self.address,
            "--json",
            "--course",
            root,
        ]
        env = {**os.environ, "DASK_CONFIG": str(keys or self.keys)}
        end = time.monotonic() + SECONDS_TO_START
        while True:
            done = subprocess.run(command, env=env, capture_output=True, text=True)
            if "has no workers" not in done.stdout or time.monotonic() > end:
                return done


@contextlib.contextmanager
def started(command: list[str | Path], keys: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    with (
        open(keys.with_suffix(".log"), "ab") as log,
        subprocess.Popen(command, env={**os.environ, "DASK_CONFIG": str(keys), **env}, stderr=log) as process,
    ):
        yield process
        process.terminate()


def keys_at(path: Path) -> Path:
    subprocess.run([BIN / "ee559", "cluster-keys", path], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    OPENSSL.require()
    keys = keys_at(tmp_path_factory.mktemp("cluster") / "keys.yaml")
    found = keys.with_name("scheduler.json")
    command: list[str | Path] = [
        BIN / "dask",
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--scheduler-file",
        found,
    ]
    with started(command, keys) as process:
        end = time.monotonic() + SECONDS_TO_START
        while not found.exists():
            assert time.monotonic() < end, keys.with_suffix(".log").read_text()
            time.sleep(0.1)
        yield Cluster(json.loads(found.read_text())["address"], keys, process)


@NEEDS_CONFINEMENT
def test_a_schedulers_workers_grade_and_answer_nobody_without_the_keys(cluster: Cluster, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    hand_in(course, "grace", solved(SQUARES))
    assert cluster.address.startswith("tls://")
    with cluster.worker() as worker:
        done = cluster.grade(course.root)
        doors = listening(psutil.Process(cluster.process.pid)) | listening(worker)
        answers = [answer_to_http(address) for address in doors]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    points = {event["student"]: event["points"] for event in events if event["event"] == "graded"}
    assert (done.returncode, points) == (0, {"ada": FULL, "grace": FULL - 2}), done.stdout + done.stderr
    assert len(answers) >= 2
    assert not any(b"HTTP" in answer for answer in answers)


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    everyone = [process, *process.children(recursive=True)]
    found = [each for one in everyone for each in one.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    return {(each.laddr.ip.replace("0.0.0.0", "127.0.0.1").replace("::", "::1"), each.laddr.port) for each in found}


def answer_to_http(address: tuple[str, int]) -> bytes:
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=2) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(1000)
    return b""


def test_other_keys_are_not_let_in(cluster: Cluster, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    done = cluster.grade(course.root, keys_at(tmp_path / "others.yaml"))
    assert (done.returncode, "no scheduler with these keys answers" in done.stdout) == (1, True), done.stdout


def test_a_worker_on_which_nothing_confines_ends_it_before_anything_runs(cluster: Cluster, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    with cluster.worker(DASK_DISTRIBUTED__WORKER__PRELOAD=json.dumps([UNCONFINED])):
        done = cluster.grade(course.root)
    assert (done.returncode, "Nothing here keeps students' code" in done.stdout) == (1, True), done.stdout


def test_an_open_scheduler_is_refused_with_what_to_do() -> None:
    with (
        pytest.raises(GradingError, match=r"tcp://127.0.0.1:1 is not encrypted.*ee559 cluster-keys keys.yaml"),
        connect(WorkerOptions(scheduler="tcp://127.0.0.1:1")),
    ):
        pass


def test_without_keys_it_is_said_how_to_make_some() -> None:
    with (
        pytest.raises(GradingError, match=r"no keys for tls://127.0.0.1:1.*ee559 cluster-keys keys.yaml"),
        connect(WorkerOptions(scheduler="tls://127.0.0.1:1")),
    ):
        pass


def test_keys_are_for_their_owner_and_never_overwritten(tmp_path: Path) -> None:
    OPENSSL.require()
    keys = keys_at(tmp_path / "keys.yaml")
    assert keys.stat().st_mode & 0o077 == 0
    before = keys.read_bytes()
    again = subprocess.run([BIN / "ee559", "cluster-keys", keys], capture_output=True, text=True)
    assert (again.returncode, keys.read_bytes()) == (1, before)
    assert "a file that is not there yet" in " ".join(again.stdout.split())


def doors_that_another_user_finds() -> set[str]:
    """List the inodes of sockets that a user could reach, as an ordinary user where the tests may become one."""
    look: list[str | Path] = [sys.executable, "-S", FIND_DOORS]
    done = subprocess.run(look, preexec_fn=become("ordinary"), cwd="/", check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def sockets_of(process: psutil.Process) -> set[str]:
    """List the inodes of the sockets that a process and its children have."""
    found = set()
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(OSError):
            for file in Path(f"/proc/{each.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    found.add(os.readlink(file).removeprefix("socket:[").removesuffix("]"))
    return {each for each in found if each.isdecimal()}


def test_doors_of_every_kind_are_found(tmp_path: Path) -> None:
    LINUX.require()
    before = doors_that_another_user_finds()
    with contextlib.ExitStack() as stack:
        for family, kind, address in (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0ee559-{os.getpid()}"),
        ):
            door = stack.enter_context(socket.socket(family, kind))
            door.bind(address)
            if kind == socket.SOCK_STREAM:
                door.listen()
        mine = sockets_of(psutil.Process()) & (doors_that_another_user_finds() - before)
    assert len(mine) == 4


@NEEDS_CONFINEMENT
def test_a_grading_on_this_machine_opens_no_door(tmp_path: Path) -> None:
    LINUX.require()
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    hand_in(course, "grace", solved())
    before, looks, found = sockets_of(psutil.Process()), [], set()

    def look(event: Event) -> None:
        looks.append(event.kind)
        mine = sockets_of(psutil.Process())
        found.update((mine - before) & doors_that_another_user_finds())

    grade(course, "tiny", Options(pool=WorkerOptions(workers=1)), look)
    assert looks.count("graded") == 2  # the second submission is under way when the first is graded
    assert not found
