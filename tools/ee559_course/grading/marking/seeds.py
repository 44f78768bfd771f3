"""What the cases of a course are drawn from: a secret, and for each submission a seed that follows from it."""

import hashlib
import hmac
import secrets

from ee559_course.files import replacing
from ee559_course.grading.course_folder import CourseFolder


def course_secret(course: CourseFolder) -> bytes:
    """Return what the cases of this course are drawn from; it is made once, and only its owner can read it."""
    path = course.root / "grading" / "secret"
    if not path.exists():
        with replacing(path) as unfinished:
            unfinished.touch(0o600, exist_ok=False)
            unfinished.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


def secret_seed(secret: bytes, practical: str, digest: str) -> str:
    """Return the seed of a submission's cases: nobody can know it before, and it is the same in every run.

    Args:
        secret: the course's.
        practical: its name.
        digest: of the submission.
    """
    return hmac.new(secret, f"{practical} {digest}".encode(), hashlib.sha256).hexdigest()
