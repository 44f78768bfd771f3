"""Has imported the grading, and forks a process that grades for each line that it reads: a cheap start.

Arguments: the course folder, and a folder of results that workers have returned before. A line is ``rest``, to grade
what is not graded yet, or ``again``, to grade all. It prints the id of each process that it forks, what happens in its
grading, and how it ended.
"""

import os
import sys
from pathlib import Path

from canned_pools import Canned, grading_on
from ee559_course.grading.batch.grade import Options, grade
from ee559_course.grading.course_folder import CourseFolder


def main() -> None:
    """Fork for each line, and wait for the end of each before the next."""
    course, results = map(Path, sys.argv[1:])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
            options = Options(again=line.strip() == "again")
            with grading_on(Canned(results)):
                grade(CourseFolder(course), "tiny", options, lambda event: print(event.kind, flush=True))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("ended", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
