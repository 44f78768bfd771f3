"""What a commit's message must be; the hook of ``.pre-commit-config.yaml`` asks with ``ee559 commit-message``."""

import re

LONGEST_SUBJECT = 72
SCISSORS = "# ------------------------ >8 ------------------------"
MADE_BY_GIT = re.compile(r"(Merge|Revert|fixup!|squash!|amend!) ")
TRAILER = re.compile(r"[A-Za-z-]+: \S")


def message_problems(text: str) -> list[str]:
    """List what is wrong with a commit's message; an empty list says that it keeps the rules of CONTRIBUTING.

    Messages that git writes itself, such as those of merges, are left alone.

    Args:
        text: what the editor leaves, with the lines that git strips.
    """
    lines = [line.rstrip() for line in text.partition(SCISSORS)[0].splitlines() if not line.startswith("#")]
    subject, *rest = "\n".join(lines).strip().split("\n")
    if MADE_BY_GIT.match(subject):
        return []
    body = [line for line in rest if line and not TRAILER.match(line)]
    found = {
        f"the subject has {len(subject)} characters: at most {LONGEST_SUBJECT}.": len(subject) > LONGEST_SUBJECT,
        "the subject has a semicolon: one topic a commit.": ";" in subject,
        "the subject ends with a full stop: leave it out.": subject.endswith("."),
        "the subject begins with a small letter.": subject[:1].islower(),
        "the line below the subject is not empty.": bool(rest and rest[0]),
        "there is no body: say below an empty line why.": not body,
    }
    return [problem for problem, there in found.items() if there]
