"""Say what this machine has for the course, each line with its remedy: ``python3 course.py doctor``."""

import importlib.util
import os
import sys
import webbrowser
from collections.abc import Callable

Finding = tuple[bool | None, str]
"""Whether it is there, None for what one can do without, and the line to print."""


def find_torch() -> Finding:
    """Report PyTorch's version and the threads that it uses."""
    import torch

    return True, f"torch {torch.__version__}, {torch.get_num_threads()} threads on {os.cpu_count()} cores"


def find_accelerator() -> Finding:
    """Report the device that the lectures will choose; the processor alone is enough."""
    import torch

    from ee559.training import select_device

    device = select_device()
    if device.type == "cuda":
        return True, f"accelerator: CUDA, {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return True, "accelerator: MPS (Apple)"
    return True, (
        "accelerator: none found; every lecture runs on the processor. With an NVIDIA card, its driver and "
        "a CUDA build of PyTorch are needed: see pytorch.org, Get Started"
    )


def find_mnist() -> Finding:
    """Read the complete MNIST, repairing the unpacked files if need be."""
    from ee559.mnist import load_mnist

    data = load_mnist("full", normalize=False)
    return True, f"MNIST: {len(data.train_input):,} training and {len(data.test_input):,} test images"


def find_lab() -> Finding:
    """Report whether JupyterLab is installed."""
    if importlib.util.find_spec("jupyterlab") is None:
        return False, "JupyterLab: not installed. Remedy: python3 course.py lab"
    from importlib.metadata import version

    return True, f"JupyterLab {version('jupyterlab')}"


def find_browser() -> Finding:
    """Report whether Python can open a web browser."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return None, (
            "browser: none that Python can open. Run `python3 course.py lab --no-browser` and open the address that it "
            "prints in a browser on this machine"
        )
    return True, f"browser: {getattr(browser, 'name', type(browser).__name__)}"


FINDINGS: tuple[Callable[[], Finding], ...] = (
    find_torch,
    find_accelerator,
    find_mnist,
    find_lab,
    find_browser,
)


def main() -> int:
    """Print one line for each finding; return 1 if something that the course needs is missing."""
    missing = False
    for find in FINDINGS:
        try:
            found, line = find()
        except Exception as error:  # a broken part must not hide the lines after it
            subject = find.__name__.removeprefix("find_")
            found, line = False, f"{subject}: {error} Remedy: delete .venv, then python3 course.py lab"
        print({True: "✓", False: "✗", None: "–"}[found], line)
        missing |= found is False
    return int(missing)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
