"""A clean child of the fork server: it runs none of a student's code, and takes apart what a student wrote or showed.

It gets one line of JSON, does one job with it, and answers with one line.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ee559_course.grading.marking.judge import judge
from ee559_course.grading.worker.prepare import read

JOBS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {"read": read, "judge": judge}


def serve(job: str, commands: BinaryIO, events: BinaryIO, scratch: Path) -> None:
    """Do a job.

    Args:
        job: name of one of `JOBS`.
        commands: has a line of JSON, what the job is to be done with.
        events: takes a line of JSON, its result.
        scratch: a folder of the process's own.
    """
    torch.set_num_threads(1)  # several threads would wait for each other beside busy workers
    try:
        result = JOBS[job](json.loads(commands.readline()), scratch)
    except MemoryError:
        return  # no answer: the submission is too large
    except Exception as error:  # a fault of ours, or of the practical's author
        result = {"failed": f"{type(error).__name__}: {error}"}
    events.write(json.dumps(result).encode() + b"\n")


def main() -> None:
    """Do the job that the argument names through stdin and stdout: for systems that cannot fork."""
    with tempfile.TemporaryDirectory() as scratch:
        serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer, Path(scratch))


if __name__ == "__main__":
    main()
