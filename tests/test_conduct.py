"""Code that reaches into the machinery is named; what honest students write is not."""

import nbformat
import pytest
from course_copies import released
from ee559_course.grading.conduct import what_reaches_beyond
from ee559_course.practicals.answer_bank import load_answers
from ee559_course.practicals.release import PRACTICAL_NAMES

BEYOND = {
    "exec": "exec('x = 1')",
    "a private name": "torch._C._nn.relu(x)",
    "a method of all objects": "x.__class__ = int",
    "the classes above": "Net.__subclasses__()",
    "the order of classes": "nn.Module.mro()",
    "another method for torch": "nn.Module.parameters = lambda self: []",
    "another method by another name": "M = nn.Module\nM.parameters = lambda self: []",
    "another method out of a list": "for M in [nn.Module]:\n    M.parameters = lambda self: []",
    "another method of a type": "type(x).relu = None",
    "another method of what a call gives": "make().relu = None",
    "another method with setattr": "setattr(torch.Tensor, 'relu', None)",
    "a method taken away": "del torch.Tensor.relu",
    "setattr handed on": "list(map(setattr, [torch], ['relu'], [None]))",
    "a hidden name": "getattr(torch, '_' + 'C')",
    "a private name by getattr": "getattr(x, '__class__')",
    "compiled code": "torch.compile(my_relu)",
    "the dispatcher": "torch.ops.aten.relu(x)",
    "the overrides": "from torch.overrides import TorchFunctionMode",
    "a foreign module": "import ctypes",
    "a module through another": "random._os.getpid()",
    "a module inside another": "import warnings\nwarnings.sys.path",
    "the loaded modules": "import sys\nsys.modules['ee559'] = None",
    "sys by another name": "import sys as s",
    "parts of sys": "from sys import modules",
    "the course's own watch": "import ee559.practicals.practical",
    "all practicals": "from ee559 import practicals",
    "the wire": "from ee559.practicals.wire import pack",
    "the shell": "get_ipython().ast_transformers",
    "the shell through its module": "from IPython import get_ipython",
    "a magic that runs code": "%run other.py",
    "unpickling": "torch.load('x', weights_only=False)",
    "unpickling arrays": "np.load('x.npy', allow_pickle=True)",
    "a protocol of torch": "class T:\n    def __torch_function__(self, *a): pass",
    "an attribute protocol": "class T:\n    def __getattr__(self, name): pass",
    "a metaclass": "class T(metaclass=type): pass",
    "code in a magic": "%%time\nexec('x = 1')",
    "code in a magic's line": "%timeit -n 1 exec('x = 1')",
    "code in braces of a command": "!echo {exec('x = 1')}",
    "code in braces of a magic": "%pip install {exec('x = 1')}",
    "more magic than can be read": "!x\n" * 30,
    "another thread": "from tqdm.contrib.concurrent import thread_map",
    "another thread of a loop": "import asyncio\nawait asyncio.to_thread(f)",
    "another thread out of a module": "from asyncio import to_thread",
    "the watch through its package": "ee559.practicals.practical",
    "a change of what a function is given": "def put(x, f):\n    x.by_hand = f",
    "a change of what a block is given": "with nullcontext(x) as y:\n    y.by_hand = f",
    "attributes copied": "import functools\nfunctools.update_wrapper(x, f)",
    "attributes copied by a decorator": "functools.wraps(f, assigned=['by_hand'])",
    "a module out of a hub": "torch.hub.load('.', 'go', source='local')",
    "unpickling by place": "np.load('p.npy', None, True)",
    "unpickling out of a dict": "torch.load('p', **options)",
    "another program": "import os\nos.system('python burn.py &')",
    "an open file": "os.write(4, b'')",
    "os by another name": "import os as o",
    "parts of os": "from os import fork",
    "an open file by its number": "open(4, 'wb')",
    "an open file by its place": "np.save('/proc/self/fd/4', x)",
}
PLAIN = {
    "a module": "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.f = f",
    "the old way to begin": "class Net(nn.Module):\n    def __init__(self):\n        nn.Module.__init__(self)",
    "layers by number": "for k in (1, 2):\n    setattr(self, f'fc{k}', nn.ReLU())\n    getattr(self, f'fc{k}')(x)",
    "an attribute of what one made": "model = nn.Module()\nmodel.fc = nn.ReLU()\nmade = [model]\nmade[0].fc = None",
    "its own private names": "class Net(nn.Module):\n    def forward(self, x):\n        return self._middle(x)",
    "what lecture 09 shows": "print(model._modules, model._parameters)",
    "magics": "%matplotlib inline\n%timeit f(x)\n!pip list",
    "stderr": "import sys\nprint('x', file=sys.stderr)",
    "pictures and numbers": "import matplotlib.pyplot as plt, numpy as np, math, time, random, copy, itertools",
    "a cell that is not Python": "this is no code",
    "the name of a class": "print(model.__class__.__name__, type(model).__name__)",
    "time of a cell": "%%time\nf(x)",
    "time of a line": "%timeit -n 10 -r 3 f(x)",
    "files": "import os\nos.makedirs('pictures', exist_ok=True)\nopen('x.txt').read()",
    "an argument's gradient": "def step(p):\n    p.grad = None\n    p.data -= eta",
    "a gradient": "x.grad = None\nmodel.weight.data = w\nwith torch.no_grad():\n    p -= eta * p.grad",
}


def beyond(source: str) -> list[str]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="mine")])
    return what_reaches_beyond(notebook, released())


@pytest.mark.parametrize("name", BEYOND)
def test_reaching_beyond_is_named_with_its_cell(name: str) -> None:
    found = beyond(BEYOND[name])
    assert found
    assert all(line.startswith("mine: ") for line in found)


def test_what_is_nested_too_deeply_to_be_read_is_named() -> None:
    assert beyond("x = a" + ".a" * 1500) == ["code that is nested too deeply to be read"]


@pytest.mark.parametrize("name", PLAIN)
def test_what_students_write_is_not_named(name: str) -> None:
    assert beyond(PLAIN[name]) == []


@pytest.mark.parametrize("practical", PRACTICAL_NAMES)
def test_no_answer_of_the_banks_is_named(practical: str) -> None:
    assert {answer.name: found for answer in load_answers(practical) if (found := beyond(answer.source))} == {}


def test_the_practicals_own_cells_are_not_named_and_cannot_be_imitated() -> None:
    for practical in PRACTICAL_NAMES:
        assert what_reaches_beyond(released(practical), released(practical)) == []
    assert beyond("### BEGIN HIDDEN TESTS\nexec('x')")
