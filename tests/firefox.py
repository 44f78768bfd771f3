"""A real Firefox, asked in WebDriver BiDi: the language that it speaks itself, so that no driver stands between."""

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websocket
from ee559_course.browser import end

NAMES = (
    "firefox-esr",
    "firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    r"C:\Program Files\Mozilla Firefox\firefox.exe",
)
SECONDS = 120
LEFT = "NS_BINDING_ABORTED"  # the page was left before its icon came
EVENTS = ["log.entryAdded", "network.beforeRequestSent", "network.fetchError"]
ARROW_RIGHT, ENTER = "\ue014", "\ue006"


@dataclass
class Firefox:
    """One tab.

    Attributes:
        complaints: errors that pages logged, and requests that failed.
        asked: addresses that pages asked for.
    """

    connection: websocket.WebSocket
    tab: str = ""
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def tell(self, method: str, **params: Any) -> Any:
        """Send a command and return its result; what the page says meanwhile is kept."""
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self.connection.recv())
            if said["type"] == "event":
                self._keep(said["method"], said["params"])
            elif said["id"] == number:
                assert said["type"] == "success", f"{method}: {said.get('message')}"
                return said["result"]

    def _keep(self, event: str, params: Any) -> None:
        if event == "network.beforeRequestSent":
            self.asked.append(params["request"]["url"])
        elif event == "network.fetchError":
            if params["errorText"] != LEFT:
                self.complaints.append(f"failed: {params['request']['url']}: {params['errorText']}")
        elif params["level"] == "error":
            self.complaints.append(params["text"])

    def open(self, address: str) -> None:
        """Open an address and wait until all of it is loaded."""
        self.tell("browsingContext.navigate", context=self.tab, url=address, wait="complete")

    def value(self, expression: str) -> Any:
        """Evaluate JavaScript in the page."""
        text = f"Promise.resolve({expression}).then(value => JSON.stringify(value ?? null))"
        said = self.tell("script.evaluate", expression=text, target={"context": self.tab}, awaitPromise=True)
        assert said["type"] == "success", said["exceptionDetails"]["text"]
        return json.loads(said["result"]["value"])

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        until = time.monotonic() + SECONDS
        while not self.value(f"!!({expression})"):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        keys = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": keys}
        self.tell("input.performActions", context=self.tab, actions=[source])


def find_firefox() -> str | None:
    """The path of an installed Firefox, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait until Firefox has said where it listens."""
    until = time.monotonic() + SECONDS
    while not (found := re.search(rb"BiDi listening on (ws://\S+)\s", said := log.read_bytes())):
        waits = process.poll() is None and time.monotonic() < until
        assert waits, f"Firefox does not listen (status {process.poll()}). It said: {said.decode(errors='replace')}"
        time.sleep(0.05)
    return found[1].decode()


@contextmanager
def firefox() -> Iterator[Firefox]:
    """Start the installed Firefox without a window, with a profile of its own."""
    program = find_firefox()
    assert program is not None, f"no Firefox (looked for {', '.join(NAMES)})"
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        log = Path(profile) / "stderr.log"  # and no pipe: one that nobody goes on reading would stop it once full
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file, stdout=subprocess.DEVNULL)
        try:
            address = f"{_address_in(log, process)}/session"
            connection = websocket.create_connection(address, timeout=SECONDS, suppress_origin=True)
            browser = Firefox(connection)
            browser.tell("session.new", capabilities={})
            browser.tell("session.subscribe", events=EVENTS)
            browser.tab = browser.tell("browsingContext.create", type="tab")["context"]  # the first has no focus
            yield browser
            browser.tell("browser.close")
        finally:
            end(process)
