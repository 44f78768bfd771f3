"""Parameters and products are those of the lecture's table, and those that torch counts."""

import copy
import math
import random
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
import torch
from bs4 import BeautifulSoup
from ee559 import LayerTable, Net, count_parameters, layer_table
from ee559.layers.formulas import Formula, product
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from machine import GPU
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

PROPERTY = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
LECTURE = [  # slide F3
    ("nn.Conv2d(1, 32, kernel_size=5)", (32, 24, 24), 832, "32 × (5² + 1)", 460_800, "32 × 24² × 5²"),
    ("F.max_pool2d(x, kernel_size=3)", (32, 8, 8), 0, "", 0, ""),
    ("F.relu", (32, 8, 8), 0, "", 0, ""),
    ("nn.Conv2d(32, 64, kernel_size=5)", (64, 4, 4), 51_264, "64 × (32 × 5² + 1)", 819_200, "32 × 64 × 4² × 5²"),
    ("F.max_pool2d(x, kernel_size=2)", (64, 2, 2), 0, "", 0, ""),
    ("F.relu", (64, 2, 2), 0, "", 0, ""),
    ("x.flatten(1)", (256,), 0, "", 0, ""),
    ("nn.Linear(256, 200)", (200,), 51_400, "200 × (256 + 1)", 51_200, "200 × 256"),
    ("F.relu", (200,), 0, "", 0, ""),
    ("nn.Linear(200, 10)", (10,), 2_010, "10 × (200 + 1)", 2_000, "10 × 200"),
]


class Calls(nn.Module):
    """A module whose forward is a given function of the module and its inputs."""

    def __init__(self, function: Callable[..., Any], **children: nn.Module | Tensor) -> None:
        super().__init__()
        self.function = function
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)


def parameter(*size: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*size))


def torchs_products(module: nn.Module, *sizes: tuple[int, ...]) -> int:
    with FlopCounterMode(display=False) as flops, torch.no_grad():
        copy.deepcopy(module).eval()(*(torch.zeros(1, *size) for size in sizes))
    return int(flops.get_total_flops()) // 2


def operations(table: LayerTable) -> list[str]:
    return [row.operation for row in table.rows]


def assert_consistent(table: LayerTable, module: nn.Module, *sizes: tuple[int, ...]) -> None:
    """Totals are torch's, and every number is the value of its formula."""
    assert table.total_parameters == sum(p.numel() for p in module.parameters())
    assert table.total_parameters == sum(row.parameters for row in table.rows)
    assert table.total_products == sum(row.products for row in table.rows) == torchs_products(module, *sizes)
    for row in table.rows:
        assert python_value(row.parameters_formula) == row.parameters
        assert python_value(row.products_formula) == row.products


def python_value(formula: Formula) -> int:
    """Work the formula's text out as Python does."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: f"**{int(unicodedata.normalize('NFKC', power[0]))}", str(formula))
    return int(eval(text.replace("×", "*") or "0"))


# The lecture's table


@pytest.mark.parametrize("row", range(len(LECTURE)))
def test_the_lectures_network_gives_each_row_of_the_lectures_table(row: int) -> None:
    got = layer_table(Net(), (1, 28, 28)).rows[row]
    expected = LECTURE[row]
    assert (got.operation, got.shape) == expected[:2]
    assert (got.parameters, str(got.parameters_formula)) == expected[2:4]
    assert (got.products, str(got.products_formula)) == expected[4:]


def test_the_lectures_network_gives_the_lectures_totals_and_nothing_more() -> None:
    table = layer_table(Net(), (1, 28, 28))
    assert len(table.rows) == len(LECTURE)
    assert table.input_shapes == ((1, 28, 28),)
    assert (table.total_parameters, table.total_products) == (105_506, 1_333_200)
    assert_consistent(table, Net(), (1, 28, 28))


def test_the_slides_own_spelling_of_the_forward_pass_is_listed_as_written() -> None:
    def forward(net: Any, x: Tensor) -> Any:
        x = F.relu(F.max_pool2d(net.conv1(x), kernel_size=3, stride=3))
        x = F.relu(F.max_pool2d(net.conv2(x), kernel_size=2, stride=2))
        x = x.view(-1, 256)
        return net.fc2(F.relu(net.fc1(x)))

    table = layer_table(Calls(forward, **dict(Net().named_children())), (1, 28, 28))
    assert operations(table) == [row[0].replace("x.flatten(1)", "x.view(-1, 256)") for row in LECTURE]
    assert [row.shape for row in table.rows] == [row[1] for row in LECTURE]
    assert table.total_products == 1_333_200


def test_a_batch_counts_as_its_first_sample() -> None:
    assert layer_table(Net(), torch.randn(7, 1, 28, 28)) == layer_table(Net(), (1, 28, 28))


def test_a_view_that_changes_the_number_of_samples_shows_it() -> None:
    table = layer_table(nn.Sequential(nn.Unflatten(1, (4, 2)), nn.Flatten(0, 1), nn.Linear(2, 3)), (8,))
    assert table.rows[-1].shape == (4, 3)
    assert str(table.rows[-1].products_formula) == "4 × 3 × 2"


# Any convolution, any linear layer


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    dimensions = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    channels, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))

    def sizes(low: int, high: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(low, high)] * dimensions))

    kernel, dilation, stride = sizes(1, 3), sizes(1, 2), sizes(1, 3)
    padding: Any = sizes(0, 2)
    if math.prod(stride) == 1:
        padding = draw(st.sampled_from([padding, "same", "valid"]))
    mode = draw(st.sampled_from(["zeros", "replicate"]))
    image = tuple(d * (k - 1) + draw(st.integers(1, 4)) for d, k in zip(dilation, kernel, strict=True))
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    bias = draw(st.booleans())
    layer: nn.Module = kind(channels, outputs, kernel, stride, padding, dilation, groups, bias, mode)
    return layer, (channels, *image)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@seed(559)
@PROPERTY
@given(convolutions())
def test_any_convolution_has_torchs_parameters_and_products(case: tuple[nn.Module, tuple[int, ...]]) -> None:
    layer, size = case
    table = layer_table(layer, size)
    assert len(table.rows) == 1
    assert table.rows[0].shape == tuple(layer(torch.zeros(1, *size)).shape[1:])
    assert_consistent(table, layer, size)
    again = eval(table.rows[0].operation, {"nn": nn})
    assert repr(again) == repr(layer)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@seed(559)
@PROPERTY
@given(convolutions())
def test_any_functional_convolution_has_torchs_products(case: tuple[Any, tuple[int, ...]]) -> None:
    layer, size = case
    name = f"conv{len(size) - 1}d"
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    positional = Calls(
        lambda m, x: getattr(F, name)(x, m.weight, m.bias, *options), weight=layer.weight, bias=layer.bias
    )
    names = ("stride", "padding", "dilation", "groups")
    keyword = Calls(
        lambda m, x: getattr(F, name)(weight=m.weight, input=x, bias=m.bias, **dict(zip(names, options, strict=True))),
        weight=layer.weight,
        bias=layer.bias,
    )
    tables = [layer_table(module, size) for module in (positional, keyword)]
    assert tables[0] == tables[1]
    assert_consistent(tables[0], positional, size)


@seed(559)
@PROPERTY
@given(st.lists(st.integers(1, 4), max_size=3), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_a_linear_layer_has_torchs_counts_on_any_leading_shape(
    leading: list[int], inputs: int, outputs: int, bias: bool
) -> None:
    layer = nn.Linear(inputs, outputs, bias=bias)
    size = (*leading, inputs)
    table = layer_table(layer, size)
    assert table.rows[0].shape == (*leading, outputs)
    assert table.rows[0].products == math.prod(leading) * inputs * outputs
    assert_consistent(table, layer, size)
    positional = Calls(lambda m, x: F.linear(x, m.weight, m.bias), weight=layer.weight, bias=layer.bias)
    keyword = Calls(lambda m, x: F.linear(weight=m.weight, bias=m.bias, input=x), weight=layer.weight, bias=layer.bias)
    assert layer_table(positional, size) == layer_table(keyword, size)
    assert_consistent(layer_table(positional, size), positional, size)


@seed(559)
@PROPERTY
@given(st.lists(st.integers(1, 4), max_size=2), st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_a_product_of_matrices_has_torchs_products_however_it_is_written(
    leading: list[int], rows: int, inner: int, columns: int
) -> None:
    sizes = (*leading, rows, inner), (*leading, inner, columns)
    functions: list[Callable[..., Any]] = [
        lambda m, a, b: a @ b,
        lambda m, a, b: a.matmul(b),
        lambda m, a, b: torch.matmul(other=b, input=a),
        lambda m, a, b: b.__rmatmul__(a),
    ]
    for function in functions:
        table = layer_table(Calls(function), *sizes)
        assert table.total_products == math.prod(leading) * rows * inner * columns
        assert_consistent(table, Calls(function), *sizes)


@pytest.mark.parametrize(
    ("function", "sizes", "name", "formula"),
    [
        (lambda m, a, b: torch.mm(a[0], b[0]), ((2, 3), (3, 5)), "mm", "2 × 5 × 3"),
        (lambda m, a, b: torch.bmm(a[0], b[0]), ((4, 2, 3), (4, 3, 5)), "bmm", "4 × 2 × 5 × 3"),
        (lambda m, a, b: torch.addmm(b[0], a[0], a[0]), ((2, 2), (2, 2)), "addmm", "2 × 2 × 2"),
        (lambda m, a, b: torch.mv(a[0], b[0]), ((2, 3), (3,)), "mv", "2 × 3"),
        (lambda m, a, b: a[0].matmul(b[0]), ((3,), (3,)), "matmul", "3"),
    ],
)
def test_each_product_of_matrices_is_a_row_with_its_formula(
    function: Callable[..., Any], sizes: tuple[tuple[int, ...], ...], name: str, formula: str
) -> None:
    (row,) = layer_table(Calls(function), *sizes).rows
    assert (row.operation, row.products, str(row.products_formula)) == (
        name,
        python_value(Formula(text=formula)),
        formula,
    )


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        (nn.ConvTranspose2d(3, 4, 3, stride=2, groups=1), [(3, 5, 6)]),
        (nn.ConvTranspose1d(4, 6, 3, groups=2), [(4, 7)]),
        (nn.MultiheadAttention(8, 2), [(3, 8)] * 3),
        (Calls(lambda m, a, b: torch.einsum("nij,njk->nik", a, b)), [(2, 3), (3, 4)]),
        (Calls(lambda m, a, b: torch.baddbmm(torch.zeros(1), a, b)), [(2, 3), (3, 4)]),
    ],
)
def test_operations_without_a_formula_have_the_products_that_torch_counts(
    module: nn.Module, sizes: list[tuple[int, ...]]
) -> None:
    table = layer_table(module, *sizes)
    assert table.total_products > 0
    assert_consistent(table, module, *sizes)


@pytest.mark.parametrize(
    ("module", "sizes", "products"),
    [
        # 2 heads × 3 queries × 3 keys × 8 channels, for the weights and for the values
        (Calls(lambda m, q, k, v: F.scaled_dot_product_attention(q, k, v)), [(2, 3, 8)] * 3, 2 * 2 * 3 * 3 * 8),
        # attention: queries, keys, values and output; weights and values; then two linear layers
        (
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            [(5, 8)],
            4 * 5 * 8 * 8 + 2 * 2 * 5 * 5 * 4 + 2 * 5 * 8 * 16,
        ),
        (nn.LSTM(3, 4, batch_first=True), [(5, 3)], 5 * 16 * (3 + 4)),
        (nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True), [(5, 3)], 5 * 2 * 12 * (3 + 4 + 8 + 4)),
        (nn.LSTMCell(3, 4), [(3,)], 16 * (3 + 4)),
    ],
)
def test_attention_and_recurrent_layers_have_the_products_that_torch_does_not_count_on_a_cpu(
    module: nn.Module, sizes: list[tuple[int, ...]], products: int
) -> None:
    table = layer_table(module, *sizes)
    assert table.total_products == products
    assert sum(row.parameters for row in table.rows) == count_parameters(module).total
    assert all(python_value(row.products_formula) == row.products for row in table.rows)


# Containers, functions, and how they are called


def test_containers_are_no_rows_but_their_leaves_are() -> None:
    inner = nn.Sequential(nn.Conv2d(1, 2, 3, padding="same"), nn.BatchNorm2d(2), nn.ReLU())
    module = nn.Sequential(inner, nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, 3))
    table = layer_table(module, (1, 4, 4))
    assert [name.split("(")[0] for name in operations(table)] == [
        "nn.Conv2d",
        "nn.BatchNorm2d",
        "nn.ReLU",
        "nn.Flatten",
        "nn.Dropout",
        "nn.Linear",
    ]
    assert [row.shape for row in table.rows] == [(2, 4, 4)] * 3 + [(32,)] * 2 + [(3,)]
    assert operations(table)[0] == "nn.Conv2d(1, 2, kernel_size=3, padding='same')"
    assert str(table.rows[1].parameters_formula) == "2 + 2"
    assert_consistent(table, module, (1, 4, 4))


def test_layers_of_a_users_own_class_are_rows_by_what_they_call() -> None:
    class Doubled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    table = layer_table(Doubled(3, 4), (3,))
    assert operations(table) == ["F.linear", "mul"]
    assert_consistent(table, Doubled(3, 4), (3,))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda m, x: F.relu(input=x), "F.relu"),
        (lambda m, x: F.relu(x, inplace=True), "F.relu(x, inplace=True)"),
        (lambda m, x: F.max_pool2d(x, 2), "F.max_pool2d(x, kernel_size=2)"),
        (lambda m, x: F.max_pool2d(kernel_size=2, input=x), "F.max_pool2d(x, kernel_size=2)"),
        (lambda m, x: F.max_pool2d(x, (2, 2), stride=1), "F.max_pool2d(x, kernel_size=2, stride=1)"),
        (lambda m, x: F.max_pool2d(x, (2, 1)), "F.max_pool2d(x, kernel_size=(2, 1))"),
        (lambda m, x: F.softmax(x, dim=1), "F.softmax(x, dim=1)"),
        (lambda m, x: F.avg_pool2d(x, 2), "F.avg_pool2d(x, 2)"),
        (lambda m, x: F.avg_pool2d(x, kernel_size=2), "F.avg_pool2d(x, kernel_size=2)"),
        (lambda m, x: F.avg_pool2d(input=x, kernel_size=2), "F.avg_pool2d(x, kernel_size=2)"),
        (lambda m, x: F.gelu(input=x), "F.gelu"),
        (lambda m, x: F.pad(x, (1, 1)), "F.pad(x, pad=(1, 1))"),
        (lambda m, x: F.unfold(x, 2, stride=2), "F.unfold(x, kernel_size=2, stride=2)"),
        (lambda m, x: F.conv2d(x, torch.ones(3, 2, 3, 3), None, 1, 1), "F.conv2d(x, padding=1)"),
        (lambda m, x: F.conv2d(x, torch.ones(2, 1, 3, 3), groups=2), "F.conv2d(x, groups=2)"),
        (lambda m, x: F.dropout(x, 0.3), "F.dropout(x, p=0.3)"),
        (lambda m, x: x.view(-1, 8), "x.view(-1, 8)"),
        (lambda m, x: x.reshape((1, 32)), "x.reshape((1, 32))"),
        (lambda m, x: torch.flatten(x, 1), "x.flatten(1)"),
        (lambda m, x: torch.flatten(input=x, start_dim=1), "x.flatten(start_dim=1)"),
        (lambda m, x: torch.cat([x, x], dim=1), "cat"),
        (lambda m, x: x + 1, "add"),
        (lambda m, x: 1 + x, "add"),
        (lambda m, x: F.max_pool2d(x, 2, return_indices=True), "F.max_pool2d(x, kernel_size=2, return_indices=True)"),
    ],
)
def test_functions_are_written_with_the_options_that_are_not_defaults(
    function: Callable[..., Any], expected: str
) -> None:
    assert operations(layer_table(Calls(function), (2, 4, 4))) == [expected]


@pytest.mark.parametrize("function", [lambda m, x: x.size(), lambda m, x: x.sum(), lambda m, x: x.shape])
def test_functions_that_are_no_operation_of_a_network_are_no_rows(function: Callable[..., Any]) -> None:
    assert layer_table(Calls(function), (2, 3)).rows == ()


def test_a_module_with_several_outputs_is_a_row_with_the_first() -> None:
    module = nn.Sequential(nn.MaxPool2d(2, return_indices=True))
    assert layer_table(module, (1, 4, 4)).rows[0].shape == (1, 2, 2)
    lstm = nn.LSTM(3, 4, batch_first=True)
    (row,) = layer_table(lstm, (5, 3)).rows
    assert (row.shape, row.parameters) == ((5, 4), count_parameters(lstm).total)


def test_every_input_is_given_to_the_module_and_shown() -> None:
    module = Calls(lambda m, a, b: m.left(a) + m.right(b), left=nn.Linear(3, 4), right=nn.Linear(5, 4))
    table = layer_table(module, (3,), torch.zeros(2, 5))
    assert table.input_shapes == ((3,), (5,))
    assert operations(table) == ["nn.Linear(3, 4)", "nn.Linear(5, 4)", "add"]
    assert "input            3, 5" in str(table)
    assert_consistent(table, module, (3,), (5,))


def test_a_tensor_of_integers_can_be_the_input() -> None:
    table = layer_table(nn.Embedding(10, 3), torch.tensor([[1, 2, 3]]))
    assert (table.rows[0].shape, str(table.rows[0].parameters_formula)) == ((3, 3), "10 × 3")


def test_a_scalar_tensor_is_given_whole() -> None:
    assert layer_table(Calls(lambda m, x: F.relu(x)), torch.tensor(2.0)).rows[0].shape == ()


def test_sizes_take_the_dtype_and_device_of_the_parameters() -> None:
    assert layer_table(Net().double(), (1, 28, 28)).total_products == 1_333_200
    with torch.device("meta"):
        assert layer_table(Net(), (1, 28, 28)).total_products == 1_333_200


# Parameters


def test_a_module_used_twice_has_its_products_twice_and_its_parameters_once() -> None:
    layer = nn.Linear(3, 3)
    module = nn.Sequential(layer, nn.ReLU(), layer)
    table = layer_table(module, (3,))
    assert operations(table) == ["nn.Linear(3, 3)", "nn.ReLU()", "nn.Linear(3, 3) (again)"]
    assert [row.parameters for row in table.rows] == [12, 0, 0]
    assert [row.products for row in table.rows] == [9, 0, 9]
    assert_consistent(table, module, (3,))


def test_a_parameter_that_two_modules_share_is_counted_once() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    assert count_parameters(module).by_submodule == {"0": 12, "1": 3}
    assert count_parameters(module).total == 15
    table = layer_table(module, (3,))
    assert [row.parameters for row in table.rows] == [12, 3]
    assert_consistent(table, module, (3,))


def test_counts_are_split_by_submodule_and_by_what_trains() -> None:
    net = Net()
    net.fc1.requires_grad_(False)
    module = Calls(lambda m, x: x, param=parameter(123, 456), net=net)
    count = count_parameters(module)
    assert count.by_submodule == {
        "(itself)": 56_088,
        "net.conv1": 832,
        "net.conv2": 51_264,
        "net.fc1": 51_400,
        "net.fc2": 2_010,
    }
    assert (count.total, count.trainable) == (161_594, 110_194)
    assert str(count).splitlines()[-3:] == [
        "net.fc2      2,010",
        "total      161,594",
        "trainable  110,194",
    ]


@seed(559)
@PROPERTY
@given(st.lists(st.tuples(st.lists(st.integers(1, 4), max_size=3), st.booleans()), max_size=5))
def test_any_parameters_are_counted(sizes: list[tuple[list[int], bool]]) -> None:
    parameters = [nn.Parameter(torch.zeros(size), requires_grad=trains) for size, trains in sizes]
    count = count_parameters(nn.ParameterList(parameters))
    assert count.total == sum(p.numel() for p in parameters) == sum(count.by_submodule.values())
    assert count.trainable == sum(p.numel() for p in parameters if p.requires_grad)


def test_a_module_without_parameters_has_none() -> None:
    assert count_parameters(nn.ReLU()).by_submodule == {}
    assert str(count_parameters(nn.ReLU())) == "total      0\ntrainable  0"


def test_parameters_that_no_row_uses_have_a_row_of_their_own() -> None:
    module = Calls(lambda m, x: m.used(x), used=nn.Linear(2, 2), unused=nn.Linear(3, 3), scale=parameter(5))
    table = layer_table(module, (2,))
    assert operations(table) == ["nn.Linear(2, 2)", "parameters of no row above"]
    assert table.rows[-1].parameters == 17
    assert_consistent(table, module, (2,))


@pytest.mark.parametrize("turn", [lambda w: w.t(), lambda w: w.T, lambda w: w.transpose(0, 1), lambda w: w.view(3, 4)])
def test_parameters_that_functions_get_are_counted_there_and_once(turn: Callable[[Tensor], Tensor]) -> None:
    module = Calls(lambda m, x: (x @ turn(m.weight) + m.bias) + m.bias, weight=parameter(4, 3), bias=parameter(4))
    table = layer_table(module, (3,))
    assert operations(table) == ["matmul", "add", "add"]
    assert [row.parameters for row in table.rows] == [12, 4, 0]
    assert_consistent(table, module, (3,))


def test_a_parameter_that_is_not_the_modules_is_not_counted() -> None:
    outside = parameter(4, 3)
    module = Calls(lambda m, x: F.linear(x, outside))
    assert layer_table(module, (3,)).total_parameters == layer_table(module, (3,)).rows[0].parameters == 0


# The model is left as it was


class Meddler(nn.Module):
    """Does to itself and to its input all that a forward pass can."""

    steps: Tensor

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.fails = fails
        self.calls = 0
        self.linear = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.steps = self.steps + 1
        self.last = x
        x.mul_(2)
        with torch.no_grad():
            self.linear.weight.add_(1)
        self.norm.train()
        self.norm(torch.randn(4, 3))
        self.register_forward_hook(lambda *_: None)
        x = F.dropout(self.dropout(self.linear(x)))
        if self.fails:
            raise RuntimeError("forward fails")
        return x


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_its_input_and_the_random_numbers_are_left_as_they_were(fails: bool) -> None:
    module = Meddler(fails)
    module.linear.bias.requires_grad_(False)
    module.linear.eval()
    module.linear(torch.ones(1, 3)).sum().backward()
    gradient = module.linear.weight.grad
    handle = module.linear.register_forward_hook(lambda *_: None)
    x = torch.randn(2, 3, requires_grad=True)
    before = x.detach().clone()
    state = copy.deepcopy(module.state_dict())
    buffers = {name: id(buffer) for name, buffer in module.named_buffers()}
    modes = [m.training for m in module.modules()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()]
    everywhere = nn.modules.module
    global_hooks = len(everywhere._global_forward_hooks), len(everywhere._global_forward_pre_hooks)
    random_state, python_state = torch.get_rng_state(), random.getstate()

    if fails:
        with pytest.raises(RuntimeError, match="forward fails"):
            layer_table(module, x)
    else:
        layer_table(module, x)

    assert torch.equal(torch.get_rng_state(), random_state)
    assert random.getstate() == python_state
    assert (module.calls, hasattr(module, "last")) == (0, False)
    assert torch.equal(x, before)
    assert x.requires_grad
    assert x.grad is None
    assert not x._backward_hooks
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert {name: id(buffer) for name, buffer in module.named_buffers()} == buffers
    assert [m.training for m in module.modules()] == modes == [True, False, True, True]
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()] == hooks
    assert (len(everywhere._global_forward_hooks), len(everywhere._global_forward_pre_hooks)) == global_hooks
    assert module.linear.weight.grad is gradient
    assert [p.requires_grad for p in module.linear.parameters()] == [True, False]
    handle.remove()
    assert not module.linear._forward_hooks
    assert torch.is_grad_enabled()


def test_a_module_that_fails_inside_torchs_own_leaves_nothing_behind() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer_table(Net(), (1, 40, 40))
    assert layer_table(Net(), (1, 28, 28)).total_products == 1_333_200


def test_a_failure_that_the_forward_pass_survives_is_no_row() -> None:
    def forward(module: Any, x: Tensor) -> Any:
        try:
            module.wrong(x)
        except RuntimeError:
            return module.right(x)

    table = layer_table(Calls(forward, wrong=nn.Linear(9, 1), right=nn.Linear(3, 1)), (3,))
    assert operations(table) == ["nn.Linear(3, 1)", "parameters of no row above"]


@pytest.mark.needs(GPU)
def test_the_state_of_an_accelerators_random_numbers_is_kept_too() -> None:
    device = torch.accelerator.current_accelerator()
    assert device is not None
    states = torch.get_device_module(device)
    module = nn.Sequential(nn.Linear(3, 3), Calls(lambda m, x: F.dropout(x))).to(device)
    before = states.get_rng_state()
    layer_table(module, (3,))
    assert torch.equal(states.get_rng_state(), before)


# Errors


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ((), r"expected the size of an input without the batch dimension, such as \(1, 28, 28\), got none"),
        (((1, 0, 28),), r"positive integers such as \(1, 28, 28\), got \(1, 0, 28\)"),
        (((1, -28, 28),), r"got \(1, -28, 28\)"),
        (((1, 28.0, 28),), r"got \(1, 28\.0, 28\)"),
        ((784,), r"expected a size .* got 784"),
        (("28",), r"got '28'"),
        ((torch.zeros(0, 1, 28, 28),), r"at least one sample, got a tensor of shape \(0, 1, 28, 28\)"),
    ],
)
def test_sizes_that_are_none_are_named(inputs: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layer_table(Net(), *inputs)


# Text and HTML


def test_the_text_is_an_aligned_table_with_formulas_and_totals() -> None:
    table = layer_table(Net(), (1, 28, 28))
    lines = str(table).splitlines()
    assert repr(table) == str(table)
    assert lines[0].split() == ["operation", "output", "parameters", "products"]
    assert lines[2].split("  ")[0] == "input"
    assert lines[3].endswith("32 × 24 × 24  32 × (5² + 1) = 832          32 × 24² × 5² = 460,800")
    assert lines[-1].split() == ["total", "105,506", "1,333,200"]
    assert set(lines[1]) == set(lines[-2]) == {"─"}
    assert len(lines[1]) == max(map(len, lines))
    for column in ("output", "parameters", "products"):
        start = lines[0].index(column)
        assert all(line[start - 2 : start] in ("", "  ") for line in (*lines[2:-2], lines[-1]))


def test_the_html_is_a_table_with_headers_for_rows_and_columns() -> None:
    table = layer_table(Net(), (1, 28, 28))
    page = BeautifulSoup(table._repr_html_(), "html.parser")
    assert page.caption is not None
    assert "order of execution" in page.caption.text
    assert [th.text for th in page.select("thead th[scope=col]")] == ["operation", "output", "parameters", "products"]
    rows = [(tr.select_one("th[scope=row]"), tr.select("td")) for tr in page.select("tbody tr")]
    cells = [(head.text, *(td.text for td in tds)) for head, tds in rows if head is not None]
    assert cells == table.cells()
    assert cells[-1] == ("total", "", "105,506", "1,333,200")


def test_the_html_escapes_what_a_module_calls_itself() -> None:
    class Strange(nn.Identity):
        def __repr__(self) -> str:
            return "<script>alert('&')</script>"

    Strange.__module__ = "torch.nn.strange"
    html = layer_table(Strange(), (3,))._repr_html_()
    assert "<script" not in html
    assert "nn.&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    ("formula", "text", "value"),
    [
        (Formula(), "", 0),
        (product([7]), "7", 7),
        (product(), "1", 1),
        (32 * (product([5, 5]) + product([1])), "32 × (5² + 1)", 832),
        (product([2] * 12) + product([3], [4]), "2¹² + 3 × 4", 4108),
        (64 * (product([32], [5, 5]) + product([1])) + product([8]), "64 × (32 × 5² + 1) + 8", 51_272),
    ],
)
def test_a_formulas_text_and_value_say_the_same(formula: Formula, text: str, value: int) -> None:
    assert (str(formula), formula.value) == (text, value)
    assert python_value(formula) == value
