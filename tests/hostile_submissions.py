"""Submissions that attack the grading or break under it, and what each may earn in the practical `tiny`.

In each of them `double` is wrong, so that a hidden test is lost unless the attack works.
"""

from dataclasses import dataclass

WRONG = "def double(x):\n    return x * x\n"
LOST = frozenset({"test-doubled-values"})


@dataclass(frozen=True)
class Hostile:
    """One submission.

    Attributes:
        name: what it does.
        code: runs first.
        double: the answer for `double`.
        ended: why a run of it is ended early, if one is.
        may_end: whether it may also not be ended: walls differ from machine to machine.
        says: what its own output must contain, so that the attack is known to have run.
        harms_itself: whether it may lose more than its answers are worth.
    """

    name: str
    code: str = ""
    double: str = WRONG
    ended: str = ""
    may_end: bool = False
    says: str = ""
    harms_itself: bool = False


REFUSED = """
def attempt():
{body}
try:
    print("DONE", attempt())
except BaseException as error:
    print("REFUSED", type(error).__name__)
"""


def refused(name: str, *lines: str) -> Hostile:
    """Make a submission that tries something and prints whether it was refused."""
    body = "\n".join(f"    {line}" for line in lines)
    return Hostile(name, REFUSED.format(body=body), says="REFUSED")


def ends(name: str, why: str, *lines: str) -> Hostile:
    """Make a submission whose run is ended in double's cell; all other points stay."""
    return Hostile(name, double="\n".join(lines), ended=why, may_end=why == "disk")


# COURSE stands for the course folder, GRADER for the process id of the grader.
HOSTILE = (
    # The machine and its files.
    refused("reads the gradebook", "return open('COURSE/gradebook.db', 'rb').read(16)"),
    refused("overwrites the gradebook", "return open('COURSE/gradebook.db', 'r+b').write(b'0' * 100)"),
    refused("deletes the sources", "import shutil", "return shutil.rmtree('COURSE/solutions')"),
    refused("reads the hidden tests", "return open('COURSE/solutions/tiny/hidden_tests.py').read(10)"),
    refused("reads the plan", "return open('COURSE/grading/tiny/plan.json').read(10)"),
    refused("reads another submission", "import os", "return os.listdir('COURSE/submitted')"),
    refused(
        "reads the repository's sources", "return open('REPOSITORY/tools/ee559_course/grading/marking/judge.py').read()"
    ),
    refused("reads the secret of the draws", "return open('COURSE/grading/secret', 'rb').read()"),
    refused("reads the users' passwords", "return open('/etc/shadow').read()"),
    refused(
        "writes into the package",
        "import ee559",
        "return open(ee559.__path__[0] + '/__init__.py', 'a')",
    ),
    refused("writes into the home of the grader", "return open('HOME/.bashrc', 'a').write('#')"),
    refused(
        "follows a link out of its folder",
        "import os",
        "os.symlink('COURSE', 'link')",
        "return os.listdir('link')",
    ),
    Hostile(
        "leaves links for the one who cleans up",
        "import os\nos.symlink('COURSE/solutions', 'a')\nos.symlink('/etc', 'b')\nos.makedirs('c/d')\n"
        "os.chmod('c', 0)\n"
        "print('LEFT')",
        says="LEFT",
    ),
    Hostile(
        "hides files under strange names",
        "open('..\\n\\t\\u202e<script>', 'w').close()\nopen('-rf', 'w').close()\nprint('LEFT')",
        says="LEFT",
    ),
    # The network.
    refused("connects by TCP", "import socket", "return socket.create_connection(('127.0.0.1', PORT), 2)"),
    refused(
        "sends by UDP",
        "import socket",
        "return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
    ),
    refused("opens a Unix socket", "import socket", "return socket.socket(socket.AF_UNIX)"),
    refused("downloads", "import urllib.request", "return urllib.request.urlopen('http://127.0.0.1:PORT')"),
    # Other processes.
    refused("kills the grader", "import os", "return os.kill(GRADER, 9)"),
    refused("reads the grader's environment", "return open('/proc/GRADER/environ', 'rb').read()"),
    refused(
        "writes the memory of its parent",
        "import os",
        "return open(f'/proc/{os.getppid()}/mem', 'r+b').read(1)",
    ),
    refused(
        "traces its parent",
        "import ctypes, os",
        "libc = ctypes.CDLL(None, use_errno=True)",
        "assert libc.ptrace(16, os.getppid(), 0, 0) == 0",
    ),
    Hostile(
        "kills all that it can",
        "import os, signal\nos.kill(-1, signal.SIGTERM)",
    ),
    Hostile(
        "leaves a daemon behind",
        "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        MARK = 'LEFT_BEHIND'\n"
        "        time.sleep(600)\n"
        "    time.sleep(600)\nprint('LEFT')",
        says="LEFT",
    ),
    Hostile(
        "bombs with forks",
        "import os\nmade = 0\ntry:\n    while made < 5000:\n        if os.fork() == 0:\n            while True:\n"
        "                os.fork()\n        made += 1\nexcept OSError:\n    print('REFUSED')",
        harms_itself=True,
    ),
    # Using things up.
    Hostile("loops for ever", double="while True: pass"),
    ends(
        "loops for ever and does not listen",
        "time",
        "import signal",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "while True: pass",
    ),
    ends(
        "sleeps for ever, and never gives way",
        "time",
        "import time",
        "while True:",
        "    try: time.sleep(600)",
        "    except BaseException: pass",
    ),
    ends(
        "takes all memory",
        "memory",
        "import contextlib",
        "kept = []",
        "while True:",
        "    with contextlib.suppress(MemoryError):",  # at its limit it holds on, until somebody looks
        "        kept.append(bytearray(20_000_000))",
    ),
    ends(
        "fills the disk",
        "disk",
        "import time",
        "k = 0",
        "while True:",
        "    k += 1",
        "    open(f'f{k}', 'wb').write(bytes(50_000_000))",
        "    time.sleep(0.05)",
    ),
    ends("makes files without end", "disk", "k = 0", "while True:", "    k += 1", "    open(f'f{k}', 'w').close()"),
    Hostile("prints without end", double=WRONG + "for _ in range(300_000): print('x' * 1000)\n", says="is cut"),
    Hostile(
        "shows pictures without end",
        double=WRONG + "from IPython.display import display\nfor _ in range(5000):\n"
        "    display({'image/png': 'A' * 100_000}, raw=True)\n",
        says="is cut",
    ),
    Hostile(
        "returns a giant tensor",
        double="import torch\ndef double(x):\n    return torch.zeros(400_000_000)\n",
    ),
    Hostile(
        "returns more than an answer may have",
        double="import torch\ndef double(x):\n    return torch.zeros(60_000_000, dtype=torch.uint8)\n",
        ended="output",
    ),
    Hostile("ends when it is asked", double="import os\ndef double(x):\n    os._exit(0)\n", ended="itself"),
    ends("ends its process", "itself", "import os", "os._exit(0)"),
    ends("crashes", "signal 11", "import ctypes", "ctypes.string_at(0)"),
    # Marks that are not earned.
    Hostile(
        "replaces what compares tensors",
        "import torch\ntorch.allclose = torch.equal = lambda *a, **k: True\n"
        "torch.testing.assert_close = lambda *a, **k: None",
    ),
    Hostile(
        "drops assertions",
        "import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(Drop())",
    ),
    Hostile(
        "rewrites what is run",
        "get_ipython().input_transformers_cleanup.append(lambda lines: [l.replace('assert', 'True #') for l in lines])",
    ),
    Hostile(
        "equals everything",
        double="class Yes:\n    def __eq__(self, other): return True\n    def __getattr__(self, name): return Yes()\n"
        "    def __call__(self, *a, **k): return self\n    __hash__ = None\ndef double(x):\n    return Yes()\n",
    ),
    Hostile(
        "returns a tensor that equals everything",
        double="import torch\nclass Yes(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, f, t, a=(), k=None):\n"
        "        return True\ndef double(x):\n    return x.abs().as_subclass(Yes)\n",
    ),
    Hostile(
        "shows the maximum",
        double="def double(x):\n    get_ipython().displayhook(3.0)\n    return x.abs()\n",
    ),
    Hostile(
        "marks its own answers",
        "import sys, json\nfor module in list(sys.modules.values()):\n    if hasattr(module, 'pack'):\n"
        "        module.pack = lambda value: {'list': []}\n",
        harms_itself=True,
    ),
    Hostile(
        "writes events of its own",
        'import os\nfor fd in range(3, 40):\n    try:\n        os.write(fd, b\'{"done": "ok", "value": 1}\\n\' * 50)\n'
        "    except OSError: pass",
        harms_itself=True,
    ),
    Hostile(
        "closes all its files",
        double=WRONG + "import os\nos.closerange(3, 200)\n",
        ended="itself",
    ),
    Hostile(
        "puts modules of its own before others",
        "for name in ('torch', 'ee559', 'random', 'json', 'copy', 'sitecustomize', 'usercustomize'):\n"
        "    open(name + '.py', 'w').write('raise SystemExit')",
    ),
    Hostile(
        "looks for the references in its memory",
        "import gc\n"
        "found = [each for each in gc.get_objects() if isinstance(each, type) and each.__name__ == 'DoubledValues']\n"
        "print('FOUND', len(found))",
        says="FOUND 0",
    ),
    Hostile(
        "looks for the tests in what it imports",
        "import os, ee559_course.practicals.hidden as hidden\n"
        "print('SEED', os.environ.get('EE559_SEED'), hidden.HiddenTest.__subclasses__())",
        says="SEED None []",
    ),
    Hostile(
        "goes on in a thread after its cell",
        "import threading, time\ndef later():\n    while True:\n        time.sleep(0.01)\n"
        "threading.Thread(target=later, daemon=True).start()\nthreading.Thread(target=later).start()",
    ),
    Hostile(
        "registers exit handlers",
        "import atexit, os\natexit.register(lambda: os.kill(os.getppid(), 9))",
    ),
    Hostile(
        "loads a pickle that acts",
        "import pickle\npickle.loads(b\"cposix\\nsystem\\n(S'touch COURSE/x'\\ntR.\")",
    ),
    Hostile("recurses without end", double="def double(x):\n    return double(x)\n"),
    Hostile("returns a list in itself", double="def double(x):\n    r = []\n    r.append(r)\n    return r\n"),
    Hostile(
        "raises strange errors",
        double="class E(BaseException):\n    def __str__(self): raise self\ndef double(x):\n    raise E()\n",
    ),
    Hostile("writes broken text", "print('\\ud800 \\x1b[2J \\u202e')"),
    Hostile(
        "shows active content",
        "from IPython.display import HTML, display\ndisplay(HTML('<script>fetch(\"/\")</script>'))",
    ),
)

HONEST = {
    "warns": "import warnings\nwarnings.warn('careful')",
    "writes to stderr": "import sys\nprint('so far so good', file=sys.stderr)",
    "shows progress": "from tqdm import tqdm\nimport time\nfor _ in tqdm(range(3)):\n    time.sleep(0.01)",
    "ends with exit": "exit()",
    "lists its folder": "!ls",
    "plots": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "switches gradients off": "import torch\ntorch.set_grad_enabled(True)",
    "seeds": "import torch, random, numpy as np\ntorch.manual_seed(3); random.seed(3); np.random.seed(3)",
    "has a cell that fails": "1 / 0",
    "has a cell that is not Python": "this is not code",
    "waits": "import asyncio\nawait asyncio.sleep(0.01)",
}
