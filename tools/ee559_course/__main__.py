"""Run the authors' and instructors' commands: ``python -m ee559_course``, or ``ee559``."""

from ee559_course.cli import app

app()
