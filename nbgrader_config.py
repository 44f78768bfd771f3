"""nbgrader's settings for this course: its own commands work as they are, for example `nbgrader autograde sizes`."""

import os
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.converters.autograde import Autograde
from nbgrader.converters.generate_assignment import GenerateAssignment
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor

# nbgrader starts alembic by its bare name, and the environment need not be activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
# JupyterLab reads these settings too, and its kernels are to stay as they are.
if "nbgrader" in (Path(sys.argv[0]).stem, Path(sys.argv[0]).parent.name):
    # On a busy machine the threads of one kernel wait for each other in loops, and a training of seconds takes minutes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Kernels start warm where that is possible, see tools/ee559_course/grading/run/provisioner.py.
    if hasattr(os, "fork") and entry_points(group="jupyter_client.kernel_provisioners", name="ee559-warm"):
        os.environ.setdefault("JUPYTER_DEFAULT_PROVISIONER_NAME", "ee559-warm")
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.DOTALL)


class HideTests(NbGraderPreprocessor):
    """Take hidden tests, and every output line that repeats one, out of the feedback; keep each test's message."""

    def preprocess(self, notebook, resources):
        """Blank the tests' regions, reduce their tracebacks to the message, and hide their lines elsewhere."""
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        regions = "".join(found[1] for cell in code for found in HIDDEN.finditer(cell.source))
        secrets = {line.strip() for line in regions.splitlines() if len(line.strip()) > 14}
        for cell in code:
            hidden = HIDDEN.search(cell.source)
            cell.source = HIDDEN.sub("# hidden tests", cell.source)
            for output in cell.outputs:
                if output.output_type == "error":
                    if hidden:
                        output.traceback = [f"{output.ename}: {output.evalue}"]
                    output.traceback = [_redacted(text, secrets) for text in output.traceback]
                elif "text" in output:
                    output.text = _redacted(output.text, secrets)
                for kind in output.get("data", {}):
                    if isinstance(output.data[kind], str):
                        output.data[kind] = _redacted(output.data[kind], secrets)
        return notebook, resources


def _redacted(text, secrets):
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    if not any(secret in plain for secret in secrets):
        return text
    return "\n".join("…" if any(secret in line for secret in secrets) else line for line in plain.splitlines())


c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.CourseDirectory.course_id = "ee559"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "practicals"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.pyc", "answers.toml", "hidden_tests.py"]
# A practical's tests lie beside its notebook, in plain Python.
HIDDEN_TESTS = "ee559_course.practicals.release.AddHiddenTests"
c.GenerateAssignment.preprocessors = [HIDDEN_TESTS, *GenerateAssignment.preprocessors.default_args[0]]
c.ClearSolutions.code_stub = {"python": "# your code here"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
c.ExecutePreprocessor.timeout = 120
c.ExecutePreprocessor.startup_timeout = 120
c.ExecutePreprocessor.iopub_timeout = 60  # after 4 s, its default, it goes on without what a busy kernel has to show
c.ExecutePreprocessor.shutdown_kernel = "immediate"  # a kernel has nothing to save, and to ask it takes a second
# What students write and show is rendered in the grader's browser, which may change marks: nothing of it is to act.
HARMLESS = "ee559_course.grading.harmless.MakeHarmless"
c.Autograde.autograde_preprocessors = [*Autograde.autograde_preprocessors.default_args[0], HARMLESS]
c.GenerateFeedback.preprocessors = [HideTests, GetGrades, CSSHTMLHeaderPreprocessor]
# A student's file in a downloaded archive is called student_practical.ipynb: ada_sizes.ipynb, or "ada_sizes (1).ipynb".
# An id begins with a letter or digit, so that none is a folder's "..".
c.FileNameCollectorPlugin.named_regexp = (
    r"(?:.*[/\\])?(?P<student_id>[^\W_][^/\\]*)_(?P<file_id>[a-z]+)(?: ?\(\d+\))?\.ipynb$"
)
c.ZipCollectApp.extractor_plugin = "ee559_course.grading.collecting.CheckedExtractor"
