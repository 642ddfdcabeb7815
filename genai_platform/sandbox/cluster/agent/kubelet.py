"""The part of a kubelet's own API that the API server needs: container logs, over TLS with client certificates."""

from __future__ import annotations

import contextlib
import logging
import re
import ssl
import urllib.parse
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from select import select as select_sockets
from threading import Thread

from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.agent.context import NODE, NODE_ADDRESS
from genai_platform.sandbox.cluster.agent.pods import Pods
from genai_platform.sandbox.cluster.agent.process import Log
from genai_platform.sandbox.layout import SandboxLayout

_LOGS = re.compile(r"^/containerLogs/([^/]+)/([^/]+)/([^/]+)/?$")
_log = logging.getLogger(__name__)


class Kubelet(ThreadingHTTPServer):
    """Listens at the sandbox's port "kubelet". Clients without a certificate of the sandbox's authority are refused."""

    def __init__(self, layout: SandboxLayout, pods: Pods) -> None:
        self.pods = pods
        super().__init__(("127.0.0.1", layout.ports["kubelet"]), _Handler)
        issued = ca.issue(layout, [NODE, "localhost", NODE_ADDRESS])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.cert, issued.key)
        context.load_verify_locations(layout.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        self._context = context
        Thread(target=self.serve_forever, name="kubelet", daemon=True).start()

    def finish_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        # The handshake happens in the request's own thread, so that nobody can hold up the others.
        try:
            request.settimeout(10)
            secure = self._context.wrap_socket(request, server_side=True)
            secure.settimeout(None)
        except OSError:
            return
        super().finish_request(secure, client_address)
        with contextlib.suppress(OSError):
            secure.settimeout(2)
            secure.unwrap()
        secure.close()

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        _log.debug("a client of the kubelet went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Kubelet

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/healthz":
            self._answer(200, "ok")
        elif match := _LOGS.match(url.path):
            self._logs(match[1], match[2], match[3], query)
        else:
            self._answer(404, "not found")

    def _logs(self, namespace: str, pod: str, container: str, query: dict[str, str]) -> None:
        worker = self.server.pods.find(namespace, pod)
        states = (*worker.main, *worker.init) if worker else ()
        state = next((state for state in states if state.name == container), None)
        if state is None:
            self._answer(404, f'container "{container}" of pod "{namespace}/{pod}" was not found')
            return
        previous = query.get("previous") == "true"
        if previous and not state.last:
            self._answer(400, f'previous terminated container "{container}" in pod "{pod}" not found')
            return
        path = state.log_file(previous=previous)
        if not path.exists():
            if reason := state.current.get("waiting", {}).get("reason"):
                self._answer(400, f'container "{container}" in pod "{pod}" is waiting to start: {reason}')
            else:
                self._answer(200, "")
            return
        process = state.process
        log = process.log if query.get("follow") == "true" and process is not None and not previous else None
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Connection", "close")  # the end of the connection is the end of the log
        self.end_headers()
        left = int(query.get("limitBytes") or 1 << 62)
        for piece in select(self._lines(log, path), query):
            piece = piece[:left]
            left -= len(piece)
            self.wfile.write(piece)
            if left <= 0:
                break

    def _lines(self, log: Log | None, path: Path) -> Iterator[bytes]:
        if log is not None:
            yield from log.read(follow=self._heard)
        else:
            yield from path.read_bytes().splitlines()

    def _heard(self) -> bool:
        """Whether the client is still there: it has said all it had to say, so all that can come is its goodbye."""
        return not select_sockets([self.connection], [], [], 0)[0]

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)


def select(lines: Iterable[bytes], query: dict[str, str]) -> Iterator[bytes]:
    """The text of log lines as the query wants it: ``tailLines``, ``sinceSeconds``, ``sinceTime``, ``timestamps``.

    An empty line in ``lines`` says that what follows is new: the tail is taken from what came before it.
    """
    since = ""
    if query.get("sinceSeconds"):
        since = _stamp(datetime.now(UTC) - timedelta(seconds=float(query["sinceSeconds"])))
    elif query.get("sinceTime"):
        since = _stamp(datetime.fromisoformat(query["sinceTime"]).astimezone(UTC))
    tail: deque[bytes] | None = deque(maxlen=int(query["tailLines"])) if query.get("tailLines") else None
    for line in lines:
        if not line:
            yield from (_text(kept, query) for kept in tail or ())
            tail = None
        elif line.split(b" ", 1)[0].decode() < since:
            continue
        elif tail is not None:
            tail.append(line)
        else:
            yield _text(line, query)
    yield from (_text(kept, query) for kept in tail or ())


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _text(line: bytes, query: dict[str, str]) -> bytes:
    stamp, mark, text = (*line.split(b" ", 2), b"", b"")[:3]
    prefix = stamp + b" " if query.get("timestamps") == "true" else b""
    return prefix + text + (b"\n" if mark == b"F" else b"")
