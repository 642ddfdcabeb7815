"""The sandbox's AWS: ``python -m genai_platform.sandbox.aws.server --place ROOT``."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

# Read when moto is imported, which the next lines do.
os.environ |= {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_DISABLE_GLOBAL_CORS": "true", "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true"}

import moto.backends as services
import moto.iam.models as iam
from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from genai_platform.sandbox.aws import (
    acm,
    ec2,
    eks,
    elasticache,
    instance_profiles,
    policy_simulation,
    quotas,
    rds,
    s3,
    secretsmanager,
    snapshot,
    sts,
    tagging,
)
from genai_platform.sandbox.aws.authorization import Guard
from genai_platform.sandbox.aws.stand_in import AwsStandIn, NoEngines
from genai_platform.sandbox.data.engines import Engines
from genai_platform.sandbox.layout import SandboxLayout

log = logging.getLogger("genai.sandbox.aws")
_PATCHES = (acm, ec2, eks, instance_profiles, elasticache, policy_simulation, quotas, rds, s3, secretsmanager, sts, tagging)
_SERVICES: tuple[Any, ...] = (
    "acm", "autoscaling", "cloudwatch", "ec2", "eks", "elasticache", "elb", "elbv2", "iam", "kms", "logs", "rds",
    "resourcegroupstaggingapi", "route53", "s3", "s3control", "secretsmanager", "servicequotas", "ssm", "sts",
)  # fmt: skip
"""Read at the start, so that a request never pays for an import and saved state finds its classes."""
_PAUSE = 15.0
"""Seconds between two looks at whether there is something to save."""


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    """Writes no access log: addresses carry signatures."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class Server:
    """The API on loopback, with its state."""

    def __init__(self, stand_in: AwsStandIn) -> None:
        self.file = stand_in.layout.folder("aws") / "state"
        self._saving = threading.Lock()
        self._stopped = threading.Event()
        for patch in _PATCHES:
            patch.patch(stand_in)
        stand_in.endpoint  # noqa: B018 - a client that asks before there is a cluster finds its kubeconfig
        # moto would make its thousand managed policies for six partitions, and look through all for every request.
        iam.PARTITION_NAMES = ["aws"]
        held = {name: services.get_backend(name) for name in _SERVICES}
        if snapshot.load(self.file, {service.service_name: service for service in held.values()}):
            rds.resume(stand_in)
            elasticache.resume(stand_in)
            eks.resume(stand_in)
        self._guard, port = Guard(stand_in, _dispatcher(), self.save), stand_in.layout.ports["aws"]
        self._server: BaseWSGIServer = make_server("127.0.0.1", port, self._guard, threaded=True, request_handler=_Handler)
        self._server.daemon_threads = True

    def keep_saving(self) -> None:
        """Save now and then what has changed, so that little is lost when the machine goes down. Runs until the process ends."""
        seen, pause = self._guard.changes, _PAUSE
        while not self._stopped.wait(pause):
            if self._guard.changes != seen:
                seen, began = self._guard.changes, time.monotonic()
                try:
                    self.save()
                except Exception:
                    log.exception("the state could not be saved; it is tried again when something changes")
                pause = max(_PAUSE, 20 * (time.monotonic() - began))

    def save(self) -> None:
        """Write the state down. Tried again when a request changes something meanwhile."""
        with self._saving:
            for attempt in range(5):
                try:
                    snapshot.save(self.file)
                    return
                except RuntimeError:  # a dictionary changed size while it was read
                    if attempt == 4:
                        raise

    def serve(self) -> None:
        """Answer until ``stop``."""
        threading.Thread(target=self.keep_saving, daemon=True).start()
        self._server.serve_forever(poll_interval=0.1)
        self._stopped.set()
        self._server.server_close()

    def stop(self) -> None:
        """End ``serve``, from another thread."""
        self._server.shutdown()


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, then save and end."""
    parser = argparse.ArgumentParser(prog="genai_platform.sandbox.aws.server")
    parser.add_argument("--layout", type=Path, required=True)
    parser.add_argument("--without-engines", action="store_true", help="answer for databases without running them")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    layout = SandboxLayout.open(options.layout)
    engines = NoEngines() if options.without_engines else Engines(layout)
    server = Server(AwsStandIn(layout, engines))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.stop).start())
    log.info("ready on port %s", layout.ports["aws"])
    try:
        server.serve()
    finally:
        server.save()
        engines.stop()
    return 0


def _dispatcher() -> Any:
    """moto's own application, with a memory: for each request it lists its folder with two hundred entries, tries as many
    patterns, and looks through a class for the names of its methods."""
    responses.method_names_from_class = functools.cache(method_names_from_class)
    dispatcher = DomainDispatcherApplication(create_backend_app)
    dispatcher.get_backend_for_host = functools.cache(dispatcher.get_backend_for_host)
    return dispatcher


if __name__ == "__main__":
    sys.exit(main())
