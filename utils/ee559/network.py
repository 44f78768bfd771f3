"""The network of the lecture."""

from torch import Tensor, nn
from torch.nn import functional as F


class Net(nn.Module):
    """Two convolutions and two linear layers: MNIST images (N, 1, 28, 28) to outputs (N, 10).

    Args:
        nb_hidden: units of the hidden linear layer; 200 in the lecture, which gives 105,506 parameters.

    Source: slides F3 and F5.
    """

    def __init__(self, nb_hidden: int = 200) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=5)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=5)
        self.fc1 = nn.Linear(256, nb_hidden)
        self.fc2 = nn.Linear(nb_hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs (N, 10) of images (N, 1, 28, 28)."""
        x = F.relu(F.max_pool2d(self.conv1(x), kernel_size=3))
        x = F.relu(F.max_pool2d(self.conv2(x), kernel_size=2))
        x = F.relu(self.fc1(x.flatten(1)))
        output: Tensor = self.fc2(x)
        return output
