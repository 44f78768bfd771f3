"""What the lectures import: images, counting, layers, timing, targets, MNIST, the network, training, checks."""

from ee559.checks import check_answer, check_function
from ee559.counting import ParameterCount, count_parameters
from ee559.images import save_2d_tensor_as_image, show_2d_tensors_as_images
from ee559.layers import LayerTable, layer_table
from ee559.mnist import Mnist, load_mnist
from ee559.network import Net
from ee559.pictures import show_figure
from ee559.targets import one_hot_targets
from ee559.timing import BatchVsLoop, Timings, batch_vs_loop, plot_batch_vs_loop, timing
from ee559.training import compute_nb_errors, select_device, train_model

__all__ = [
    "BatchVsLoop",
    "LayerTable",
    "Mnist",
    "Net",
    "ParameterCount",
    "Timings",
    "batch_vs_loop",
    "check_answer",
    "check_function",
    "compute_nb_errors",
    "count_parameters",
    "layer_table",
    "load_mnist",
    "one_hot_targets",
    "plot_batch_vs_loop",
    "save_2d_tensor_as_image",
    "select_device",
    "show_2d_tensors_as_images",
    "show_figure",
    "timing",
    "train_model",
]
