"""The hidden tests of a plan, loaded: for the clean processes that ask and judge, where torch is."""

from pathlib import Path

from ee559.practicals.forbidding import Forbidden

from ee559_course.grading.plan.grading_plan import GradingPlan
from ee559_course.practicals.hidden import HiddenTest
from ee559_course.practicals.practical import TESTS, load_tests, tests_in


def load_hidden_tests(plan: GradingPlan, scratch: Path) -> tuple[dict[str, type[HiddenTest]], Forbidden]:
    """Load the hidden tests of a practical, and what it forbids.

    Args:
        plan: has their code.
        scratch: the folder where it is written, for `inspect` reads sources from files.

    Returns:
        The tests by id, in the order of the plan.
    """
    path = scratch / plan.practical / TESTS
    path.parent.mkdir(exist_ok=True)
    path.write_text(plan.code, encoding="utf-8")
    module = load_tests(path, plan.digest)
    found = {test.id(): test for test in tests_in(module)}
    return {test.cell: found[test.cell] for test in plan.tests}, getattr(module, "FORBIDDEN", Forbidden())
