"""Train the lecture's network ten times, and at five widths three times each; print the table of practical 4.

python benchmarks/trainings.py > solutions/network/recorded.md
"""

import platform
import statistics
import time

import torch
from ee559 import Net, compute_nb_errors, load_mnist, train_model

WIDTHS = (10, 50, 200, 500, 1000)


def error_rate(nb_hidden: int, seed: int) -> float:
    """Train one network on the first 1,000 images for 25 epochs; return its error on 1,000 test images in percent."""
    torch.manual_seed(seed)
    data = load_mnist("small", one_hot=True)
    model = Net(nb_hidden)
    train_model(model, data.train_input, data.train_target, mini_batch_size=100, nb_epochs=25, eta=0.1)
    return 100 * compute_nb_errors(model, data.test_input, data.test_target) / len(data.test_input)


def main() -> None:
    """Print the table as Markdown."""
    start = time.perf_counter()
    ten = [error_rate(200, seed) for seed in range(10)]
    widths = {nb_hidden: [error_rate(nb_hidden, 100 + seed) for seed in range(3)] for nb_hidden in WIDTHS}
    print("# Recorded trainings of the lecture's network\n")
    print("1,000 training and 1,000 test images, 25 epochs, mini-batches of 100, step size 0.1, targets −1/+1; test")
    print(f"errors in percent. torch {torch.__version__}, {platform.machine()}, {torch.get_num_threads()} threads.")
    print(
        "Made by `python benchmarks/trainings.py` in the course's repository, "
        f"in {time.perf_counter() - start:.0f} s.\n"
    )
    print(
        f"Ten trainings with 200 hidden units: {', '.join(f'{rate:.1f}' for rate in ten)}; mean "
        f"{statistics.mean(ten):.1f}, standard deviation {statistics.stdev(ten):.1f}.\n"
    )
    print("| hidden units | three trainings |\n|---|---|")
    for nb_hidden, rates in widths.items():
        print(f"| {nb_hidden} | {', '.join(f'{rate:.1f}' for rate in rates)} |")


if __name__ == "__main__":
    main()
