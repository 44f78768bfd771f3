"""Workers on other machines: Dask's, which all show the same keys to each other, and talk to nobody else."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from distributed import Client, Security

from ee559_course.grading.errors import GradingError
from ee559_course.grading.worker.worker import Unconfined, warm_up

SECONDS_TO_ANSWER = 10
NO_HTTP = ["def dask_setup(server): server.http_server.stop()"]  # Dask starts it in any case
KEYS = (
    "Make keys once with `ee559 cluster-keys keys.yaml`, start scheduler, workers and grader with "
    "DASK_CONFIG=keys.yaml, and give the address that begins with tls://."
)


def write_keys(path: Path) -> None:
    """Write a configuration of Dask's that has a new key and the settings that a grading needs, for its owner alone.

    Raises:
        GradingError: there is no openssl, or the file cannot be written or is there already.
    """
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "365", "-subj", "/CN=ee559"]
        try:
            subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
            with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump(_settings(key.read_text(encoding="ascii"), certificate.read_text(encoding="ascii")), file)
        except (OSError, subprocess.SubprocessError) as error:
            raise GradingError(
                f"no keys were made: {error}. It takes the program openssl, and a file that is not there yet."
            ) from None


def _settings(key: str, certificate: str) -> dict[str, Any]:
    """Return Dask's settings. One certificate, which is its own authority, is everybody's: who has its key is in."""
    pair = {"key": key, "cert": certificate}
    tls = {"ca-file": certificate, "client": pair, "scheduler": pair, "worker": pair}
    quiet = {"http": {"routes": []}, "preload": NO_HTTP}
    scheduler = {
        **quiet,
        "allowed-failures": 1,  # a submission whose worker dies is tried once more
        "worker-saturation": 1.0,  # and none waits on a worker that another one kills
    }
    comm = {"default-scheme": "tls", "require-encryption": True, "tls": tls}
    return {"distributed": {"comm": comm, "scheduler": scheduler, "worker": quiet}}


@contextlib.contextmanager
def connect_cluster(address: str, settings: str) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler's workers; yield what runs functions on them, and how many at the same time.

    Args:
        address: of the scheduler.
        settings: see `ee559_course.grading.worker.worker.run_submission`.

    Raises:
        GradingError: it is open to everybody, it does not answer, or a worker of its cannot confine.
    """
    if not address.startswith("tls://"):
        raise GradingError(
            f"{address} is not encrypted: whoever reaches such a scheduler can run code as you, and read marks. {KEYS}"
        )
    security = Security(require_encryption=True)
    if not all(security.get_tls_config_for_role("client")[each] for each in ("ca_file", "cert", "key")):
        raise GradingError(f"there are no keys for {address}. {KEYS}")
    try:
        client = Client(address, security=security, timeout=SECONDS_TO_ANSWER)
    except (OSError, ValueError) as error:
        raise GradingError(f"no scheduler with these keys answers at {address}: {error}") from None
    with client, client.get_executor(pure=False) as executor:
        threads = client.nthreads()
        if not threads:
            raise GradingError(f"the scheduler at {address} has no workers: start some.")
        for worker, ready in {each: executor.submit(warm_up, settings, workers=[each]) for each in threads}.items():
            try:
                ready.result()
            except Unconfined as error:
                raise GradingError(f"{worker}: {error}") from None
        try:
            yield executor, sum(threads.values())
        except BaseException:
            executor.shutdown(wait=False)  # do not finish what nobody waits for
            raise
