"""Compare `import ee559` with `import torch` alone, in turn, each in a fresh process.

Run: python benchmarks/import_time.py. Exits with 1 if importing the package costs over a tenth more than torch.
"""

import statistics
import subprocess
import sys
import time

RUNS = 7
LIMIT = 1.10


def seconds(statement: str) -> float:
    """Return the wall time of a fresh interpreter that runs the statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> int:
    """Print the medians and the ratio pair by pair."""
    seconds("import ee559")
    pairs = [(seconds("import ee559"), seconds("import torch")) for _ in range(RUNS)]
    ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"import ee559 {ours:.2f} s   import torch {peer:.2f} s   ratio {ratio:.3f} (limit {LIMIT}), {RUNS} pairs")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
