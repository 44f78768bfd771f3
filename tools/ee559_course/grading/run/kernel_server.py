"""A process that has imported what notebooks import, and forks into Jupyter kernels: plain nbgrader starts them warm.

It does what `ee559_course.grading.run.provisioner` asks through a socket: ``fork`` a kernel, ``poll`` one. It is for
programs that run kernels as they always did, and confines nothing.
"""

import json
import os
import signal
import socket
import sys
from typing import Any

from ee559_course.grading.run.preload import FOR_SOME, preload


def _fork(channel: socket.socket, arguments: list[str], cwd: str, env: dict[str, str]) -> int:
    """Fork, and become a kernel in the child; return its process id in the parent."""
    child = os.fork()
    if child:
        return child
    try:
        channel.close()
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        parent = f"--IPKernelApp.parent_handle={os.getppid()}"  # the kernel ends when this server is gone
        sys.argv = ["ipykernel_launcher", *arguments, parent]
        sys.path.insert(0, "")
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance()
    finally:
        os._exit(1)


def _poll(child: int) -> int | None:
    """Return the exit status of a kernel, as subprocess has it; None while it runs."""
    try:
        ended, status = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:  # it was asked for before
        return 0
    return os.waitstatus_to_exitcode(status) if ended else None


def main() -> None:
    """Serve on the socket whose number is the argument, until its other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload(*FOR_SOME)
    from ipykernel import ipkernel, kernelapp  # noqa: F401  # imported, not started

    with socket.socket(fileno=int(sys.argv[1])) as channel:
        for line in channel.makefile("rb"):
            command: dict[str, Any] = json.loads(line)
            if command.pop("do") == "fork":
                answer: int | None = _fork(channel, **command)
            else:
                answer = _poll(**command)
            channel.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
