"""Run each lecture in a fresh kernel and print how long it takes, kernel start included.

Run: python benchmarks/lecture_times.py. Exits with 1 if one takes over 20 s or all ten over 90 s (2 cores).
"""

import sys
import tempfile
import time

import nbformat
from ee559_course.paths import LECTURES
from nbclient import NotebookClient

ONE, ALL = 20.0, 90.0


def main() -> int:
    """Print a line for each lecture, then the sum."""
    times = {}
    for path in sorted(LECTURES.glob("[0-9][0-9]-*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            NotebookClient(notebook, kernel_name="ee559", resources={"metadata": {"path": folder}}).execute()
            times[path.stem] = time.perf_counter() - start
        print(f"{path.stem:40} {times[path.stem]:6.1f} s", flush=True)
    print(f"{'all':40} {sum(times.values()):6.1f} s   (limits: one {ONE:g} s, all {ALL:g} s)")
    return int(max(times.values()) > ONE or sum(times.values()) > ALL)


if __name__ == "__main__":
    sys.exit(main())
