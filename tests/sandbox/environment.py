"""What exists outside of the sandbox, for these tests."""

import os
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attacks import SECRET
from users import become, own, temporary_folder

PROCESS_NAME = f"sandbox-{os.getpid()}"
"""What hostile processes call themselves; other runs of the tests have other ones."""
State = list[tuple[str, int, float, bytes]]


class Environment:
    """Files, sockets and a process of the one who calls."""

    def __init__(self, user: str, stack: ExitStack) -> None:
        self._user, self._stack = user, stack
        self._folder = Path(stack.enter_context(temporary_folder()))
        self._ports = self._open_sockets()
        self._make_files()
        self._start_victim()
        stack.callback(self._end_victim)

    @property
    def _outside(self) -> Path:
        return self._folder / "outside"

    def look(self) -> dict[str, Any]:
        """Put in order what a job has changed, and name all that there is."""
        if self.state() != self._pristine:
            shutil.rmtree(self._outside)
            shutil.rmtree(self._folder / "readable")
            self._make_files()
            self._end_victim()
            self._start_victim()  # its working folder is one of those that were made again
        assert self._victim.poll() is None
        readable = self._folder / "readable"
        return {
            "name": PROCESS_NAME,
            "outside": str(self._outside),
            "secret": str(self._outside / "secret.txt"),
            "victim_file": str(self._outside / "victim.txt"),
            "open_folder": str(self._outside / "open"),
            "readable": str(readable),
            "readable_file": str(readable / "read.txt"),
            "setuid_id": str(readable / "id"),
            "victim": self._victim.pid,
            **self._ports,
        }

    def is_well(self) -> bool:
        """Whether all is as it was."""
        return self.state() == self._pristine and self._victim.poll() is None

    def state(self) -> State:
        """Names, modes, times and contents of all files."""
        return [
            (str(path), path.lstat().st_mode, path.lstat().st_mtime, path.read_bytes() if path.is_file() else b"")
            for path in sorted(self._folder.rglob("*"))
        ]

    def _start_victim(self) -> None:
        self._victim = subprocess.Popen(
            ["sleep", "3600"],
            cwd=self._outside,
            env={"VICTIM": SECRET},
            preexec_fn=become(self._user),
            start_new_session=True,
        )

    def _end_victim(self) -> None:
        self._victim.kill()
        self._victim.wait()

    def _make_files(self) -> None:
        outside, readable = self._outside, self._folder / "readable"
        for path in (outside / "open" / "empty", readable):
            path.mkdir(parents=True)
        for path in (outside / "secret.txt", outside / "victim.txt", readable / "read.txt"):
            path.write_text(SECRET)
            path.chmod(0o644)
        shutil.copy("/usr/bin/id", readable / "id")
        (readable / "id").chmod(0o4755)
        for path in (outside, *outside.rglob("*"), readable, readable / "read.txt"):
            own(self._user, path)
        self._pristine = self.state()

    def _open_sockets(self) -> dict[str, Any]:
        streams = [socket.socket(socket.AF_INET), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
        datagrams = [socket.socket(kind, socket.SOCK_DGRAM) for kind in (socket.AF_INET, socket.AF_UNIX)]
        for opened in streams + datagrams:
            self._stack.enter_context(opened)
        abstract = f"sandbox-{os.getpid()}-{id(self)}"
        paths = [str(self._folder / name) for name in ("stream", "datagram")]
        addresses: list[Any] = [("127.0.0.1", 0), paths[0], "\0" + abstract, ("127.0.0.1", 0), paths[1]]
        for opened, address in zip(streams + datagrams, addresses, strict=True):
            opened.bind(address)
        for stream in streams:
            stream.listen(64)
        for path in paths:
            os.chmod(path, 0o777)
        return {
            "tcp": streams[0].getsockname()[1],
            "udp": datagrams[0].getsockname()[1],
            "stream_path": paths[0],
            "datagram_path": paths[1],
            "abstract": abstract,
        }
