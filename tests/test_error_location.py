"""The line of a cell in which an error arose is found, whichever cell called it."""

import json
import subprocess
import sys

PROGRAM = """
import json
from ee559_course.grading.run.error_location import ErrorLocator
from ee559_course.grading.run.shell import OutputCapture, make_shell

shell = make_shell()
shell.screen = OutputCapture(lambda output: None)
places = ErrorLocator(shell)
for number, source in enumerate([
    "def inner(x):\\n    y = x + 1\\n    return y.foo",
    "",
    "def outer(x):\\n    return inner(x)",
    "%%capture\\ndef magic(x):\\n    return x / 0",
    "import json\\ndef of_a_library(x):\\n    return json.loads(x)",
]):
    shell.run_cell(source, store_history=True)
    places.ran(number)
found = {}
for call in ("outer(1)", "magic(1)", "of_a_library('{')", "int('x')", "outer()"):
    try:
        eval(call, shell.user_ns)
    except BaseException as error:
        found[call] = places.of(error)
print(json.dumps(found))
"""


def test_the_line_is_that_of_the_cell_reached_last() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["outer(1)"] == [0, 3]
    assert found["of_a_library('{')"] == [4, 3]
    assert found["int('x')"] is None
    assert found["outer()"] is None
    assert found["magic(1)"] in ([3, 2], [3, 3])  # a magic's own text begins behind its line
