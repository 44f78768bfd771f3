"""A student's process: what it shows and answers, how it ends, and what it may use."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from course_copies import NEEDS_CONFINEMENT
from ee559.practicals.wire import pack, unpack
from ee559_course.grading.confinement import Confinement, Limits, cgroup_home, probe
from ee559_course.grading.run import worker as worker_module
from ee559_course.grading.run.host import ForkServer, FreshPython, HostError
from ee559_course.grading.run.supervise import run_task
from ee559_course.grading.run.task import RunResult, Step, StepResult, Task
from ee559_course.grading.run.worker import Unconfined, Worker
from machine import CGROUP

DOUBLE = "def answer(x):\n    return twice(x)"
HOG = """
import contextlib
kept = []
while True:
    with contextlib.suppress(MemoryError):  # at its limit it holds on
        kept.append(bytearray(20_000_000))
"""


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """Put the environment back: a worker sets EE559_CACHE for its whole process."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker(Limits(cpu_seconds=30, memory_bytes=2 * 2**30))
    yield made
    made.close()


def run(worker: Worker, *steps: Step, seconds: float = 120.0) -> RunResult:
    task = Task("key", list(steps), {"beside.md": "text"}, seconds)
    return RunResult.from_json(worker.run(Task.from_json(task.to_json())))


def cell(source: str) -> Step:
    return Step("cell", source)


def texts(result: StepResult) -> str:
    return "".join(str(output.get("text") or output.get("data") or output.get("ename")) for output in result.outputs)


@NEEDS_CONFINEMENT
def test_cells_share_a_namespace_and_show_what_notebooks_show(worker: Worker) -> None:
    done = run(
        worker,
        cell("import torch\nx = torch.ones(2)\nx"),
        cell("print('one'); print('two'); x + 1"),
        cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"),
        cell("1 / 0"),
        cell("open('beside.md').read()"),
        cell("import subprocess\nsubprocess.run(['echo', 'from below'])"),
    )
    first, second, plot, failed, beside, below = done.steps
    assert first.outputs[0]["data"] == {"text/plain": "tensor([1., 1.])"}
    assert [output["output_type"] for output in second.outputs] == ["stream", "execute_result"]
    assert second.outputs[0]["text"] == "one\ntwo\n"
    assert "image/png" in plot.outputs[0]["data"]
    assert (failed.status, failed.outputs[0]["ename"]) == ("error", "ZeroDivisionError")
    assert texts(beside) == "{'text/plain': \"'text'\"}"
    assert "from below" in texts(below)
    assert done.ended == ""
    assert done.cpu_seconds > 0
    assert done.peak_memory > 2**20


@NEEDS_CONFINEMENT
def test_questions_are_answered_by_value_in_the_students_namespace(worker: Worker) -> None:
    cases: list[Any] = [pack({"x": torch.tensor([1.5])}), pack({"x": 3}), pack({"x": None})]
    done = run(worker, cell("def twice(x):\n    print('called')\n    return 2 * x"), Step("ask", DOUBLE, cases))
    answers = done.steps[1].answers
    torch.testing.assert_close(unpack(answers[0].value), torch.tensor([3.0]))
    assert unpack(answers[1].value) == 6
    assert answers[2].error is not None
    assert answers[2].error[0] == "TypeError"
    assert texts(done.steps[1]) == "called\n" * 3
    after = run(worker, cell("'answer' in globals()"))
    assert texts(after.steps[0]) == "{'text/plain': 'False'}"


@NEEDS_CONFINEMENT
def test_processor_time_of_an_answer_is_measured_from_outside(worker: Worker) -> None:
    slow = """def answer():
    import time
    clock, time.process_time = time.process_time, float
    end = clock() + 0.5
    while clock() < end:
        pass"""
    done = run(worker, Step("ask", slow, [pack({})], timed=True))
    assert 0.4 <= done.steps[0].answers[0].seconds < 20


@NEEDS_CONFINEMENT
def test_submissions_know_nothing_of_each_other(worker: Worker) -> None:
    run(worker, cell("import torch\ntorch.seen = 1\nopen('left', 'w').write('x')\nimport os\nos.environ['LEFT'] = 'x'"))
    done = run(worker, cell("import os\n[hasattr(torch, 'seen'), os.path.exists('left'), os.environ.get('LEFT')]"))
    assert done.steps[0].status == "error", "torch is not in the namespace"
    done = run(
        worker, cell("import os, torch\n[hasattr(torch, 'seen'), os.path.exists('left'), os.environ.get('LEFT')]")
    )
    assert texts(done.steps[0]) == "{'text/plain': '[False, False, None]'}"


@NEEDS_CONFINEMENT
def test_draws_of_two_submissions_differ(worker: Worker) -> None:
    draw = cell("import random, numpy as np\n[random.random(), np.random.rand()]")
    assert texts(run(worker, draw).steps[0]) != texts(run(worker, draw).steps[0])


@NEEDS_CONFINEMENT
def test_cell_that_runs_too_long_is_interrupted_and_the_next_ones_run(worker: Worker) -> None:
    done = run(worker, cell("print('begun')\nwhile True: pass"), cell("print('next')"), seconds=5.0)
    assert [step.status for step in done.steps] == ["interrupted", "ok"]
    assert texts(done.steps[0]).startswith("begun\n")
    assert done.ended == ""
    idle = run(worker, cell("import time\ntime.sleep(600)"), seconds=5.0)
    assert idle.waited, "it used little of the processor: a loaded machine, perhaps"


@NEEDS_CONFINEMENT
def test_steps_after_the_end_of_the_process_are_told_as_not_run(worker: Worker) -> None:
    done = run(worker, cell("print('kept')"), cell("import os\nos.kill(os.getpid(), 9)"), cell("print('lost')"))
    assert [step.status for step in done.steps] == ["ok", "unfinished", "not run"]
    assert texts(done.steps[0]) == "kept\n"
    assert done.ended == "signal 9"


def test_without_a_fork_a_fresh_python_does_the_same() -> None:
    host = FreshPython()
    task = Task(
        "key", [cell("def twice(x):\n    return 2 * x"), Step("ask", DOUBLE, [pack({"x": 4})]), cell("exit_ = 1 / 0")]
    )
    done = run_task(host, task, Limits())
    assert [step.status for step in done.steps] == ["ok", "ok", "error"]
    assert unpack(done.steps[1].answers[0].value) == 8
    assert done.ended == ""
    host.close()


def test_where_nothing_confines_it_refuses_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "probe", Confinement)
    with pytest.raises(Unconfined, match="Nothing here keeps students' code from the rest of the machine"):
        Worker(Limits())
    worker = Worker(Limits(), unconfined=True)
    try:
        done = run(worker, cell("1 + 1"))
        assert texts(done.steps[0]) == "{'text/plain': '2'}"
    finally:
        worker.close()


@NEEDS_CONFINEMENT
def test_worker_starts_another_server_when_its_own_is_gone() -> None:
    with closing(Worker(Limits())) as worker:
        run(worker, cell("1"))
        server = worker._host
        assert server is not None
        server._process.kill()  # type: ignore[attr-defined]
        assert run(worker, cell("2")).steps[0].status == "ok"
        assert worker._host is not server


def test_a_worker_itself_imports_no_torch() -> None:
    program = "import sys, ee559_course.grading.run.worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_worker_removes_what_killed_ones_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    nobody = 2**31 - 1  # no process gets so large an id
    left, fresh, alive = (tmp_path / f"ee559-grading-{pid}-x" for pid in (nobody, f"{nobody}-", os.getpid()))
    for folder in (left, fresh, alive):
        (folder / "printed").mkdir(parents=True)
    for folder in (left, alive):
        os.utime(folder, (0, 0))
    Worker(Limits(), unconfined=True).close()
    assert [folder.exists() for folder in (left, fresh, alive)] == [False, True, True]


@NEEDS_CONFINEMENT
def test_a_server_or_a_process_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_group = replace(probe(), bwrap="", cgroup_version=1, cgroup_parents=(str(tmp_path / "no group"),) * 2)
    gone = pytest.raises(HostError, match=r"is gone: exit status 1, FileNotFoundError.*no group.*Run `ee559 doctor`")
    with closing(ForkServer(no_group, Limits(), tmp_path)) as host, gone:
        run_task(host, Task("key", [cell("1")]), Limits())

    refused = pytest.raises(HostError, match=r"process did not start: ValueError: current limit exceeds maximum limit")
    with closing(ForkServer(Confinement(), Limits(cpu_seconds=-1), tmp_path)) as host, refused:
        run_task(host, Task("key", [cell("1")]), Limits())

    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: libpython.so: cannot open shared object file' >&2\nexit 127\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(HostError, match=r"is gone: exit status 127, python: libpython.so: cannot open shared object"):
        ForkServer(Confinement(), Limits(), tmp_path)


@pytest.mark.parametrize("grouped", [pytest.param(True, marks=pytest.mark.needs(CGROUP)), False])
@NEEDS_CONFINEMENT
def test_a_submission_that_takes_all_memory_is_told_so(grouped: bool, tmp_path: Path) -> None:
    found = probe()
    if not grouped:
        found = replace(found, cgroup_version=0, cgroup_parents=())
    limits = Limits(memory_bytes=700 * 2**20)
    task = Task("key", [cell("print('kept')"), cell(HOG), cell("1")], step_seconds=120)
    with cgroup_home(found) as confinement, closing(ForkServer(confinement, limits, tmp_path)) as host:
        done = run_task(host, task, limits)
    assert (done.ended, [step.status for step in done.steps]) == ("memory", ["ok", "unfinished", "not run"])
    assert texts(done.steps[0]) == "kept\n"
