"""The load balancer front: one process that watches the cluster and listens where its ingresses say.

Run as ``python -m genai_platform.sandbox.load_balancer.server --layout FOLDER``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

from genai_platform.sandbox.cluster.api import Api
from genai_platform.sandbox.cluster.control_plane import ADMIN
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.load_balancer.balancers import AwsBalancers, Certificates
from genai_platform.sandbox.load_balancer.controller import Controller
from genai_platform.sandbox.load_balancer.listeners import Listeners
from genai_platform.sandbox.load_balancer.part import READY
from genai_platform.sandbox.load_balancer.services import Services
from genai_platform.sandbox.load_balancer.watch import Mirror
from genai_platform.sandbox.part import told_layout

log = logging.getLogger("load-balancer")


async def _serve(layout: SandboxLayout) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    api = Api.connect(layout, ADMIN)
    mirror = Mirror(api)
    listeners = Listeners(Certificates(layout), layout.loopback, pace=layout.pace)
    balancers = AwsBalancers(layout)
    controller, services = Controller(api, listeners, balancers), Services(api, balancers)
    mirror.start()
    ending = asyncio.create_task(stop.wait())
    settled = True
    try:
        while not stop.is_set():
            woken = asyncio.create_task(mirror.changed.wait())
            await asyncio.wait({woken, ending}, timeout=10 if settled else 1, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            mirror.changed.clear()
            if stop.is_set() or not mirror.complete:
                continue
            try:
                # Each has its turn, whatever became of the other's.
                settled = all([await controller.turn(mirror.cluster()), await services.turn(mirror.cluster())])
            except Exception:
                log.exception("a turn failed; the next one starts over")
                settled = False
            (layout.folder("load-balancer") / READY).touch()
            await asyncio.sleep(0.05)  # several changes at once make one turn
    finally:
        mirror.end()
        with contextlib.suppress(Exception):
            await listeners.close()


def main() -> None:
    """Until SIGTERM."""
    layout = told_layout()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for noisy in ("httpx", "httpcore", "botocore", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    asyncio.run(_serve(layout))


if __name__ == "__main__":
    main()
