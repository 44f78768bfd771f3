"""Print the inodes of the sockets that whoever runs this could connect to or write to, one a line; Linux only."""

import os
from pathlib import Path

LISTENS = "0A"  # a state of TCP


def main() -> None:
    """Read what the kernel tells everybody."""
    for name in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in _lines(name):
            fields = line.split()
            if not name.startswith("tcp") or fields[3] == LISTENS:
                print(fields[9])
    for line in _lines("unix"):
        fields = line.split(maxsplit=7)
        if len(fields) == 8:  # it has a name
            path = fields[7]
            if path.startswith("@") or os.access(path, os.W_OK):
                print(fields[6])


def _lines(name: str) -> list[str]:
    path = Path("/proc/net", name)
    return path.read_text(errors="replace").splitlines()[1:] if path.exists() else []


if __name__ == "__main__":
    main()
