"""A kernel provisioner of jupyter_client, ``ee559-warm``: kernels of this environment are forked, and start warm.

``nbgrader_config.py`` makes it the default for nbgrader's own commands.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner


class _Server:
    """The process that forks kernels; it ends when this process does."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "ee559_course.grading.run.kernel_server", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        theirs.close()
        self._channel, self._answers = ours, ours.makefile("rb")
        self._lock = threading.Lock()

    def ask(self, **command: Any) -> int | None:
        """Ask, and return the answer."""
        with self._lock:
            self._channel.sendall(json.dumps(command).encode() + b"\n")
            answer: int | None = json.loads(self._answers.readline())
            return answer


@cache
def _server() -> _Server:
    return _Server()


class _Kernel:
    """A forked kernel, with what LocalProvisioner uses of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid, self._status = pid, None

    _status: int | None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = _server().ask(do="poll", child=self.pid)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        while (status := self.poll()) is None:
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class WarmProvisioner(LocalProvisioner):
    """Forks kernels of this environment from a process that has imported torch; starts all others as ever."""

    process: Any

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Launch a kernel."""
        python, *options = cmd
        same = os.path.abspath(python) == os.path.abspath(sys.executable) and "ipykernel_launcher" in options
        if not same or not hasattr(os, "fork"):
            return await super().launch_kernel(cmd, **kwargs)
        arguments = options[options.index("ipykernel_launcher") + 1 :]
        env = kwargs.get("env") or dict(os.environ)
        pid = _server().ask(do="fork", arguments=arguments, cwd=str(kwargs.get("cwd") or os.getcwd()), env=env)
        assert pid is not None
        self.process = _Kernel(pid)
        self.pid = self.pgid = pid
        return self.connection_info
