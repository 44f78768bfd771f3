"""nbgrader's settings of a course folder; nothing here imports torch, which takes seconds."""

from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from ee559_course.paths import ROOT


def nbgrader_config(root: Path, **directories: Path) -> Config:
    """Load the nbgrader settings of a course folder, its own or this course's, with a gradebook of its own.

    Args:
        root: where the gradebook and all folders lie that are not named.
        directories: such as ``source_directory=…``, in place of the settings' own.
    """
    own = root if (root / "nbgrader_config.py").exists() else ROOT
    config: Config = PyFileConfigLoader("nbgrader_config.py", path=str(own)).load_config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    for name, folder in directories.items():
        config.CourseDirectory[name] = str(folder)
    return config
