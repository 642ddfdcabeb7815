"""ClickHouse's engine behind the smallest HTTP front: one user, one statement a request. Prints its port."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chdb import session


def main() -> None:
    engine, lock = session.Session(sys.argv[1]), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

        def do_POST(self) -> None:
            statement = self.rfile.read(int(self.headers["content-length"])).decode()
            if self.headers.get("X-ClickHouse-Key") != "password":
                return self._answer(516, b"Code: 516. Authentication failed")
            try:
                with lock:
                    return self._answer(200, engine.query(statement, "JSONEachRow").bytes() or b"")
            except Exception as error:
                return self._answer(500, str(error).encode())

        def _answer(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
