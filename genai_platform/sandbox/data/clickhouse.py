"""ClickHouse for a pod: the real engine in this process, behind ClickHouse's own HTTP interface.

Started with the pod's environment and in its mount namespace: ``CLICKHOUSE_ADMIN_USER`` and ``…_PASSWORD`` (or
``…_PASSWORD_FILE``), the claim at ``/bitnami/clickhouse``, configuration files under ``/etc/clickhouse-server``, and
``AWS_ROLE_ARN`` with ``AWS_WEB_IDENTITY_TOKEN_FILE`` where the service account has a role.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn

from genai_platform.sandbox.data import clickhouse_files, clickhouse_identity
from genai_platform.sandbox.data.clickhouse_http import Access, Front


def main() -> int:
    """``python -m genai_platform.sandbox.data.clickhouse --address 127.N.x.y``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--data", type=Path, help="instead of the image's folder")
    parser.add_argument("--configuration", type=Path, action="append", help="folder of XML files, instead of the image's")
    options = parser.parse_args()
    data = options.data or clickhouse_files.data_folder()
    folders = options.configuration or clickhouse_files.FOLDERS
    data.mkdir(parents=True, exist_ok=True)
    # Before the engine: it reads credentials from this process's environment.
    clickhouse_identity.follow(_say)
    with tempfile.TemporaryDirectory(prefix="clickhouse-") as scratch:
        try:
            configuration = clickhouse_files.write(Path(scratch), folders)
            front = Front(data, configuration, Access.from_environment(os.environ))
        except Exception as error:
            _say(f"Application: {error}")
            return 1
        _listen(options.address, int(os.environ.get("CLICKHOUSE_TCP_PORT") or 9000))
        port = int(os.environ.get("CLICKHOUSE_HTTP_PORT") or 8123)
        _say(f"ready for connections at {options.address}:{port}")
        uvicorn.run(
            front.application(), host=options.address, port=port, log_level="warning", access_log=False,
            timeout_graceful_shutdown=3, server_header=False,
        )  # fmt: skip
        front.close()
    return 0


def _listen(address: str, port: int) -> None:
    """The native port answers a connection and hangs up: enough for a probe, and a client learns at once."""
    listener = socket.create_server((address, port))

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            client.close()

    threading.Thread(target=serve, daemon=True).start()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
