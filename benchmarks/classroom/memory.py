"""The memory of a grading with one worker: who holds how much, when it is most."""

from collections import Counter
from dataclasses import dataclass, field

import psutil

MIB = 2**20


@dataclass
class Peak:
    """The most that was seen at one moment, in MiB.

    Attributes:
        pss: proportional: what several processes share is divided among them, so that the numbers add up.
        rss: resident: what is shared counts in each.
    """

    pss: Counter[str] = field(default_factory=Counter)
    rss: Counter[str] = field(default_factory=Counter)

    def look(self, grader: psutil.Process) -> None:
        """Measure all processes below the grader's, and keep what is most."""
        pss, rss = Counter[str](), Counter[str]()
        for process in (grader, *grader.children(recursive=True)):
            try:
                part, memory = _part_of(process, grader), process.memory_full_info()
            except psutil.Error:
                continue
            pss[part] += round(memory.pss / MIB)
            rss[part] += round(memory.rss / MIB)
        if "submission" in pss and pss.total() > self.pss.total():
            self.pss, self.rss = pss, rss

    @property
    def of_workers(self) -> int:
        """What the workers take, the submissions that they run included."""
        return sum(self.pss[part] for part in ("worker", "server", "submission"))

    def told(self) -> str:
        """Say it in a line."""
        parts = [f"{part} {self.pss[part]} ({self.rss[part]})" for part in ("worker", "server", "submission")]
        return f"{self.of_workers} MiB: {', '.join(parts)}; the grader's own process {self.pss['grader']} MiB"


def _part_of(process: psutil.Process, grader: psutil.Process) -> str:
    if process == grader:
        return "grader"
    command = " ".join(process.cmdline())
    if "grading.run.fork_server" not in command:
        return "worker" if "spawn_main" in command else "other"
    if process.name() == "bwrap":
        return "other"
    parent = process.parent()
    above = parent is not None and parent.name() != "bwrap" and "fork_server" in " ".join(parent.cmdline())
    return "submission" if above else "server"
