"""Grade with otter-grader, in an environment of its own, the same submissions with the same hidden tests.

Each hidden test becomes a file of otter's, which runs the test's cell after the notebook. Submissions go one after the
other through otter's own interface for Python, without containers: nothing is built or started for each but a kernel.
"""

import json
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from ee559_course.grading.course_folder import CourseFolder

from classroom.clock import COLD, Run, run

RELEASE = "otter-grader==7.0.0"
SECONDS_TO_INSTALL = 240
TEST_FILE = """from otter.test_files import test_case

OK_FORMAT = False
name = {name!r}
points = {points!r}


@test_case(points={points!r}, hidden=True)
def test(env):
    exec({source!r}, {{**env}})
"""
GRADE_ALL = """
import json, sys, warnings
warnings.simplefilter("ignore")
from otter.api import grade_submission

scores = {}
for student, path in json.loads(sys.argv[2]).items():
    found = grade_submission(path, sys.argv[1], quiet=True)
    scores[student] = {result.name: result.score for result in found.results.values()}
print(json.dumps(scores))
"""


class NotInstalled(Exception):
    """otter-grader cannot be installed here; the message says why."""


@dataclass(frozen=True)
class OtterGrader:
    """An environment with otter-grader, which finds torch and the course's package in ours.

    Attributes:
        python: its interpreter.
        folder: where it lies, and where it grades.
    """

    python: Path
    folder: Path

    def grade(self, course: CourseFolder, practical: str) -> tuple[Run, dict[str, dict[str, float]]]:
        """Grade all that was handed in; return what it took, and each student's points for each test."""
        archive = self._write_tests(course, practical)
        submitted = sorted(course.root.glob(f"submitted/*/{practical}/{practical}.ipynb"))
        submissions = {path.parts[-3]: str(path) for path in submitted}
        done = run([self.python, "-c", GRADE_ALL, archive, json.dumps(submissions)], self.folder, COLD)
        if done.status or not done.lines:
            raise NotInstalled((self.folder / "standard-error.log").read_text(encoding="utf-8")[-300:])
        scores: dict[str, dict[str, float]] = json.loads(done.lines[-1].text)
        return done, scores

    def _write_tests(self, course: CourseFolder, practical: str) -> Path:
        source = nbformat.read(course.root / "solutions" / practical / f"{practical}.ipynb", as_version=4)
        path = self.folder / f"{practical}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("otter_config.json", json.dumps({"lang": "python"}))
            for cell in source.cells:
                marks = cell.metadata.get("nbgrader", {})
                if marks.get("grade") and not marks.get("solution"):
                    text = TEST_FILE.format(name=cell.id, points=marks["points"], source=cell.source)
                    archive.writestr(f"tests/{cell.id}.py", text)
            for file in sorted((course.root / "solutions" / practical).glob("*.md")):
                archive.write(file, f"files/{file.name}")
        return path


def install(folder: Path) -> OtterGrader:
    """Make the environment.

    Raises:
        NotInstalled: there is no network, or it takes too long.
    """
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=60)
        own = next(folder.glob("lib/python*/site-packages"))
        line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (own / "with-ours.pth").write_text(line, encoding="utf-8")
        python = folder / "bin" / "python"
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", RELEASE]
        subprocess.run(pip, check=True, capture_output=True, timeout=SECONDS_TO_INSTALL)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        raise NotInstalled(said.decode(errors="replace").strip().splitlines()[-1][:200]) from None
    kernel = folder / "share" / "jupyter" / "kernels" / "ee559"
    kernel.mkdir(parents=True)
    spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "EE-559"}
    (kernel / "kernel.json").write_text(json.dumps({**spec, "language": "python"}), encoding="utf-8")
    return OtterGrader(python, folder)
