"""A student's process: what it shows and answers, how it ends, and what it may use."""

import json
import os
import subprocess
import sys
import tempfile
import time
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
from ee559_course.grading.run.channel import Channel, MessageLimitExceeded
from ee559_course.grading.run.launcher import ForkServer, FreshPython, LaunchError, Pipes, find_readable
from ee559_course.grading.run.runner import run_task
from ee559_course.grading.run.task import Asked, Question, RunResult, Step, StepResult, Task
from ee559_course.grading.worker import worker as worker_module
from ee559_course.grading.worker.worker import Unconfined, Worker
from ee559_sandbox import Confinement, Limits, cgroup_home, probe
from machine import CGROUP

DOUBLE = "def answer(twice, x):\n    return twice(x)"
FORBIDDEN = {"operators": ["conv"], "autograd": False, "functions": ["ee559.count_parameters"]}
CONVOLVES = "torch.nn.functional.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))"
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


def run(worker: Worker, *steps: Step, seconds: float = 120.0, **options: Any) -> RunResult:
    """Run steps, and bring the result through JSON as a clean child gets it."""
    worker.warm_up()
    launcher = worker._launcher
    assert launcher is not None
    task = Task(list(steps), files={"beside.md": "text"}, step_seconds=seconds, **options)
    return RunResult.from_json(run_task(launcher, task, worker._limits).to_json())


def cell(source: str) -> Step:
    return Step("cell", source)


def ask(worker: Worker, source: str, *cases: dict[str, Any], answer: str = DOUBLE, **options: Any) -> Asked:
    """Run a cell, and ask for `twice`."""
    questions = [Question("test", "twice", answer, [pack(case) for case in cases], **options)]
    return run(worker, cell(source), questions=questions, forbidden=FORBIDDEN).asked["test"]


def values(asked: Asked) -> list[object]:
    return [unpack(answer.value) for answer in asked.answers]


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
def test_questions_are_answered_by_value_and_nothing_is_shown(worker: Worker) -> None:
    cases: list[dict[str, Any]] = [{"x": torch.tensor([1.5])}, {"x": 3}, {"x": None}, {"x": 4}]
    asked = ask(worker, "def twice(x):\n    print('called')\n    return 2 * x", *cases)
    torch.testing.assert_close(unpack(asked.answers[0].value), torch.tensor([3.0]))
    assert unpack(asked.answers[1].value) == 6
    assert asked.status == "error"
    assert asked.answers[2].error is not None
    assert asked.answers[2].error[0] == "TypeError"
    assert asked.at == ("cell", 3)
    assert len(asked.answers) == 3, "after the first that fails, no case is asked"


@NEEDS_CONFINEMENT
def test_questions_have_names_of_their_own(worker: Worker) -> None:
    answer = """def answer(twice, x):
    return [sum([x, x]), len([x]), str(type(x)), torch.ones(1).dtype == torch.float32]"""
    mine = """import torch
sum, len, str, type = 3, [], {}, None
torch.set_default_dtype(torch.float64)
def twice(x): pass"""
    assert values(ask(worker, mine, {"x": 2}, answer=answer)) == [[4, 1, "<class 'int'>", True]]
    patched = "import torch, builtins\nbuiltins.sum = torch.ones = lambda *a: 7\ndef twice(x): pass"
    assert values(ask(worker, patched, {"x": 2}, answer=answer)) == [[4, 1, "<class 'int'>", True]]
    answer = """def answer(twice, x):
    return [torch.ones(1, requires_grad=True).exp().requires_grad, str(torch.ones(1).device)]"""
    unlike = "import torch\ntorch.set_grad_enabled(False)\ntorch.set_default_device('meta')\ndef twice(x): pass"
    assert values(ask(worker, unlike, {"x": 2}, answer=answer)) == [[True, "cpu"]]


@NEEDS_CONFINEMENT
def test_a_name_that_is_missing_and_an_answer_that_ends_its_process_are_errors(worker: Worker) -> None:
    assert ask(worker, "1", {"x": 1}).answers[0].error == ("NameError", "name 'twice' is not defined")
    ends = "import os\ndef twice(x):\n    os._exit(0)"
    crashes = "import os, signal\ndef twice(x):\n    os.kill(os.getpid(), signal.SIGSEGV)"
    for source, how in ((ends, "its process was ended"), (crashes, "its process was ended by signal 11")):
        questions = [Question(test, "twice", DOUBLE, [pack({"x": 1})]) for test in ("one", "other")]
        done = run(worker, cell(source), questions=questions, forbidden=FORBIDDEN)
        assert [done.asked[test].answers[0].error for test in ("one", "other")] == [("", how)] * 2
        assert done.ended == "", "only the fork that answers has ended"


@NEEDS_CONFINEMENT
def test_what_is_forbidden_and_programs_fail_from_the_first_cell_on(worker: Worker) -> None:
    steps = (
        cell(f"import torch, ee559\n{CONVOLVES}"),
        cell("ee559.count_parameters(torch.nn.Linear(2, 3))"),
        cell("import subprocess\nsubprocess.run(['true'])"),
        cell("!echo x\nx = !echo x\nassert not x"),
    )
    done = run(worker, *steps, forbidden=FORBIDDEN)
    assert [step.status for step in done.steps] == ["error", "error", "error", "ok"]
    convolution, count, program, _ = done.steps
    assert convolution.error == ("RuntimeError", "do this by hand: torch's conv1d is not allowed")
    assert count.error == ("RuntimeError", "do this by hand: ee559.count_parameters is not allowed")
    assert program.error is not None
    assert program.error[0] == "PermissionError"
    assert [step.outputs for step in done.steps] == [[]] * 4, "nothing of what its cells show leaves the process"
    done = run(worker, *steps)
    assert [step.status for step in done.steps] == ["ok"] * 3 + ["error"], "in the other run all of it works"


@NEEDS_CONFINEMENT
def test_compiling_is_left_out_and_loaders_work_alone(worker: Worker) -> None:
    source = """import torch
@torch.compile
def twice(x): return 2 * x
thrice = torch.compile(lambda x: 3 * x, mode="max-autotune")
data = torch.utils.data.TensorDataset(torch.arange(4.0))
loader = torch.utils.data.DataLoader(data, batch_size=2, num_workers=2, persistent_workers=True)
[twice(torch.ones(1)).item(), thrice(torch.ones(1)).item(), len([batch for batch in loader])]"""
    for forbidden in (None, FORBIDDEN):
        done = run(worker, cell(source), forbidden=forbidden)
        assert done.steps[0].status == "ok", texts(done.steps[0])


@NEEDS_CONFINEMENT
def test_processor_time_of_an_answer_is_measured_from_outside(worker: Worker) -> None:
    slow = """import time
def twice(x):
    clock, time.process_time = time.process_time, float
    end = clock() + 0.5
    while clock() < end:
        pass"""
    asked = ask(worker, slow, {"x": 1}, {"x": 2}, timed=True)
    assert all(0.4 <= answer.seconds < 20 for answer in asked.answers)


@NEEDS_CONFINEMENT
def test_a_thread_of_the_notebook_and_what_a_case_leaves_are_gone_when_times_are_measured(worker: Worker) -> None:
    source = """import threading, time
seen = []
def twice(x):
    seen.append(x)
    return [len(seen), threading.active_count()]
def work():
    while True: time.sleep(0.01)
threading.Thread(target=work, daemon=True).start()"""
    assert values(ask(worker, source, {"x": 1}, {"x": 2}, timed=True)) == [[1, 1], [1, 1]]


@NEEDS_CONFINEMENT
def test_a_question_that_takes_too_long_is_interrupted_and_the_next_one_asked(worker: Worker) -> None:
    source = "def twice(x):\n    while x == 1: pass\n    return 2 * x"
    questions = [Question(f"{x}", "twice", DOUBLE, [pack({"x": x})]) for x in (1, 2)]
    done = run(worker, cell(source), questions=questions, forbidden=FORBIDDEN, seconds=5.0)
    assert done.asked["1"].status == "interrupted"
    assert values(done.asked["2"]) == [4]
    assert done.ended == ""


@NEEDS_CONFINEMENT
def test_a_run_ends_when_the_time_of_the_whole_submission_is_over(worker: Worker) -> None:
    worker.warm_up()
    assert worker._launcher is not None
    task = Task([cell("import time\ntime.sleep(60)"), cell("1")])
    done = run_task(worker._launcher, task, worker._limits, time.monotonic() + 4)
    assert (done.ended, [step.status for step in done.steps]) == ("all time", ["unfinished", "not run"])


@NEEDS_CONFINEMENT
def test_a_copy_of_the_process_that_a_cell_forks_does_not_take_its_place(worker: Worker) -> None:
    done = run(worker, cell("import os\nif os.fork() == 0:\n    1 / 0"), *[cell("1")] * 5)
    assert [step.status for step in done.steps] == ["ok"] * 6


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
    launcher = FreshPython()
    steps = [cell("def twice(x):\n    return 2 * x"), cell("exit_ = 1 / 0")]
    done = run_task(launcher, Task(steps, [Question("test", "twice", DOUBLE, [pack({"x": 4})])]), Limits())
    assert [step.status for step in done.steps] == ["ok", "error"]
    assert values(done.asked["test"]) == [8]
    assert done.ended == ""
    launcher.close()


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
        server = worker._launcher
        assert server is not None
        server._process.kill()  # type: ignore[attr-defined]
        task = {"plan": "none", "content": "", "seed": "", "files": {}, "cell_seconds": 1.0}
        with pytest.raises(LaunchError, match="could not be worked on"):  # by a new server: the task is none
            worker.run(json.dumps(task))
        assert worker._launcher is not server


def test_what_may_be_read_holds_nothing_of_the_course_but_the_package_and_its_data(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EE559_CACHE", str(tmp_path))
    readable = find_readable()
    package = root / "utils" / "ee559"
    assert {package, tmp_path} <= {*readable}
    for shut in (root, Path.home(), root / "solutions", root / "tools", root / "tests", Path("/etc/passwd")):
        assert not [path for path in readable if shut.is_relative_to(path.resolve())]
    inside = [path for path in readable if path.is_relative_to(root)]
    assert all(path == package or path.is_relative_to(Path(sys.prefix)) for path in inside), inside


@NEEDS_CONFINEMENT
def test_a_submission_reads_the_digits(worker: Worker) -> None:
    done = run(worker, cell("from ee559 import load_mnist\nload_mnist('tiny').train_target[:5].tolist()"))
    assert texts(done.steps[0]) == "{'text/plain': '[5, 0, 4, 1, 9]'}"


def test_a_worker_itself_imports_no_torch() -> None:
    program = "import sys, ee559_course.grading.worker.worker; print('torch' in sys.modules)"
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
    gone = pytest.raises(LaunchError, match=r"is gone: exit status 1, FileNotFoundError.*no group.*Run `ee559 doctor`")
    with closing(ForkServer(no_group, Limits(), tmp_path)) as launcher, gone:
        run_task(launcher, Task([cell("1")]), Limits())

    refused = pytest.raises(
        LaunchError, match=r"process did not start: ValueError: current limit exceeds maximum limit"
    )
    with closing(ForkServer(Confinement(), Limits(cpu_seconds=-1), tmp_path)) as launcher, refused:
        run_task(launcher, Task([cell("1")]), Limits())

    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'python: libpython.so: cannot open shared object file' >&2\nexit 127\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(LaunchError, match=r"is gone: exit status 127, python: libpython.so: cannot open shared object"):
        ForkServer(Confinement(), Limits(), tmp_path)


@pytest.mark.parametrize("grouped", [pytest.param(True, marks=pytest.mark.needs(CGROUP)), False])
@NEEDS_CONFINEMENT
def test_a_submission_that_takes_all_memory_is_told_so(grouped: bool, tmp_path: Path) -> None:
    found = probe()
    if not grouped:
        found = replace(found, cgroup_version=0, cgroup_parents=())
    limits = Limits(memory_bytes=700 * 2**20)
    task = Task([cell("print('kept')"), cell(HOG), cell("1")])
    with cgroup_home(found) as confinement, closing(ForkServer(confinement, limits, tmp_path)) as launcher:
        done = run_task(launcher, task, limits)
    assert (done.ended, [step.status for step in done.steps]) == ("memory", ["ok", "unfinished", "not run"])
    assert texts(done.steps[0]) == "kept\n"


def test_an_event_that_is_small_on_the_wire_and_huge_in_memory_is_not_read() -> None:
    commands, events = os.pipe(), os.pipe()
    channel = Channel(Pipes(os.fdopen(commands[1], "wb"), os.fdopen(events[0], "rb")), max_items=1000)
    with os.fdopen(events[1], "wb") as theirs:
        theirs.write(b'{"answer": [' + b",".join([b"{}"] * 300) + b"]}\n")
        theirs.flush()
        assert channel.receive(60) == {"answer": [{}] * 300}
        theirs.write(b'{"answer": [' + b",".join([b"{}"] * 600) + b"]}\n")
    with pytest.raises(MessageLimitExceeded):
        channel.receive(60)
    channel.close()
    os.close(commands[0])
