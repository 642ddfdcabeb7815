"""An API server that knows pods and their logs, as Kubernetes' answers about them are: chunked, and cut anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import yaml

RUNNING: dict[str, Any] = {"running": {}}


@dataclass
class Pod:
    """A pod with one container, ``main``."""

    lines: list[str] = field(default_factory=list)
    previous: list[str] | None = None
    """What its last run wrote; ``None``: it has had no other run."""
    state: dict[str, Any] = field(default_factory=lambda: dict(RUNNING))
    phase: str = "Running"
    uid: str = "1"
    open: bool = True
    """Whether its container goes on: a log that is followed does not end."""
    breaks: int = 0
    """How many connections will break once they gave what there is."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The queries for its log."""


class PodsApi:
    """What exists, to be changed while others look."""

    def __init__(self, **pods: Pod) -> None:
        self.pods = {name.replace("_", "-"): pod for name, pod in pods.items()}
        self.changed = threading.Condition()

    @contextmanager
    def change(self) -> Iterator[dict[str, Pod]]:
        """Change something, and let those that follow a log know."""
        with self.changed:
            yield self.pods
            self.changed.notify_all()

    @contextmanager
    def serving(self, folder: Path) -> Iterator[Path]:
        """The kubeconfig of a server that answers so."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.api = self
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        made = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [cluster], "contexts": [context],
                "users": [{"name": "u", "user": {"token": "t"}}]}  # fmt: skip
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(made))
        try:
            yield path
        finally:
            with self.change() as pods:
                for pod in pods.values():
                    pod.open = False
            server.shutdown()
            server.server_close()

    def document(self, name: str) -> dict[str, Any]:
        pod = self.pods[name]
        last = {} if pod.previous is None else {"terminated": {"exitCode": 1, "reason": "Error"}}
        status = {"name": "main", "state": pod.state, "lastState": last, "restartCount": int(pod.previous is not None)}
        return {
            "metadata": {"name": name, "uid": pod.uid},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"phase": pod.phase, "containerStatuses": [status]},
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: PodsApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away while it follows is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        api = cast(_Server, self.server).api
        url = urlsplit(self.path)
        parts = url.path.strip("/").split("/")[4:]
        with api.changed:
            if url.path == "/api/v1":
                self._answer(200, {"resources": [{"kind": "Pod", "name": "pods", "namespaced": True}]})
            elif parts == ["pods"] or not parts[1:]:
                self._answer(200, {"items": [api.document(name) for name in api.pods]})
            elif parts[1] not in api.pods:
                self._answer(404, {"message": f'pods "{parts[1]}" not found'})
            elif parts[2:] != ["log"]:
                self._answer(200, api.document(parts[1]))
            else:
                self._log(api, parts[1], dict(parse_qsl(url.query)))

    def _log(self, api: PodsApi, name: str, query: dict[str, str]) -> None:
        pod = api.pods[name]
        pod.asked.append(query)
        assert query["container"] == "main"
        if query.get("previous") == "true" and pod.previous is None:
            self._answer(400, {"message": f'previous terminated container "main" in pod "{name}" not found'})
            return
        if "waiting" in pod.state:
            self._answer(400, {"message": f'container "main" in pod "{name}" is waiting to start: {pod.state["waiting"]["reason"]}'})
            return
        lines = (pod.previous or []) if query.get("previous") == "true" else pod.lines
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        given = max(len(lines) - int(query["tailLines"]), 0) if "tailLines" in query else 0
        follow = query.get("follow") == "true"
        while True:
            for number in range(given, len(lines)):
                # The API goes back to the whole second: all of these lines are of one.
                stamp = f"2026-11-29T10:00:00.{number // 2:09d}Z " if query.get("timestamps") == "true" else ""
                self._chunks(f"{stamp}{lines[number]}\n".encode())
            given = len(lines)
            if pod.breaks:
                pod.breaks -= 1
                self.close_connection = True
                return
            if not follow or not pod.open or api.pods.get(name) is not pod:
                self.wfile.write(b"0\r\n\r\n")
                return
            api.changed.wait()

    def _chunks(self, text: bytes) -> None:
        for start in range(0, len(text), 5):
            piece = text[start : start + 5]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None: ...
