"""ClickHouse's HTTP interface over the engine: who may ask, what is asked, and how it answers."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import hmac
import re
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

# Parameters of the address that are not settings of the engine.
_OWN = {
    "query", "database", "user", "password", "default_format", "session_id", "session_timeout", "session_check", "query_id", "quota_key",
    "role", "compress", "decompress", "buffer_size", "wait_end_of_query", "stacktrace", "enable_http_compression",
    "http_headers_progress_interval_ms", "send_progress_in_http_headers", "cancel_http_readonly_queries_on_client_close",
    "add_http_cors_header", "client_protocol_version",
}  # fmt: skip

_NOT_FOUND = {46, 47, 50, 56, 60, 73, 81, 99, 115}
_BAD = {4, 6, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131, 158, 190, 377, 386, 456, 457, 636}
_STATUS = {48: 501, 164: 403, 192: 403, 193: 403, 194: 401, 195: 403, 241: 500, 291: 403, 497: 403, 516: 403}
_TYPES = {
    "JSONEachRow": "application/x-ndjson",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
}
_FORMAT = re.compile(r"\bFORMAT\s+([A-Za-z]\w*)\s*(?:SETTINGS\b[^;]*)?;?\s*$", re.IGNORECASE)
_INSERT = re.compile(r"^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*INSERT\b", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Access:
    """The one user there is."""

    user: str
    password: str

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Access:
        """Bitnami's names, or those of ClickHouse's own image."""
        user = variables.get("CLICKHOUSE_ADMIN_USER") or variables.get("CLICKHOUSE_USER") or "default"
        for name in ("CLICKHOUSE_ADMIN_PASSWORD", "CLICKHOUSE_PASSWORD"):
            if variables.get(name):
                return cls(user, variables[name])
            if variables.get(name + "_FILE"):
                return cls(user, Path(variables[name + "_FILE"]).read_text().strip())
        return cls(user, "")

    def check(self, request: Request) -> None:
        """By header, Basic authentication or address, as ClickHouse looks for them.

        Raises:
            Refused: wrong user or password.
        """
        user, password = "default", ""
        basic = request.headers.get("authorization", "")
        if "x-clickhouse-user" in request.headers or "x-clickhouse-key" in request.headers:
            user, password = request.headers.get("x-clickhouse-user", user), request.headers.get("x-clickhouse-key", "")
        elif basic.lower().startswith("basic "):
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                user, _, password = base64.b64decode(basic[6:]).decode().partition(":")
        else:
            user, password = request.query_params.get("user", user), request.query_params.get("password", "")
        if user != self.user or not hmac.compare_digest(password.encode(), self.password.encode()):
            text = f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise Refused(516, f"Code: 516. DB::Exception: {text} (AUTHENTICATION_FAILED)")


class Refused(Exception):
    """An error in ClickHouse's own words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def status(self) -> int:
        return _STATUS.get(self.code) or (404 if self.code in _NOT_FOUND else 400 if self.code in _BAD else 500)


class Front:
    """The engine and its interface. One engine lives in a process; each request has a session of its own."""

    def __init__(self, data: Path, configuration: Path, access: Access) -> None:
        """Open the engine.

        Raises:
            Exception: it does not start; the text is the engine's own.
        """
        self._address = f"{data}?config-file={configuration}"
        self._access = access
        self._keeper = self._connect()  # as long as one session is open, the engine runs
        # Tables are loaded when they are first looked at; a real server looks at all of them before it listens.
        self._keeper.query("SELECT count() FROM system.tables", "Null")
        self._version = str(self._keeper.query("SELECT version()", "TabSeparated")).strip()

    def close(self) -> None:
        """Write what is in memory and end the engine."""
        self._keeper.close()

    def application(self) -> Starlette:
        asked = Route("/", self._query, methods=["GET", "HEAD", "POST", "OPTIONS"])
        return Starlette(routes=[Route("/ping", self._ok), Route("/replicas_status", self._ok), asked])

    async def _ok(self, request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def _query(self, request: Request) -> Response:
        identifier = request.query_params.get("query_id") or str(uuid.uuid4())
        headers = {"X-ClickHouse-Query-Id": identifier, "X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Server-Display-Name": "clickhouse"}
        try:
            body = _unpacked(await request.body(), request.headers.get("content-encoding", ""))
            if request.method == "GET" and not request.query_params.get("query"):
                return PlainTextResponse("Ok.\n")
            self._access.check(request)
            query = _joined(request.query_params.get("query", ""), body)
            content, summary = await run_in_threadpool(self._run, query, request)
        except Refused as error:
            headers["X-ClickHouse-Exception-Code"] = str(error.code)
            return PlainTextResponse(f"{error} (version {self._version})\n", error.status, headers)
        name = _format_of(query, request)
        headers.update({"X-ClickHouse-Format": name, "X-ClickHouse-Summary": summary})
        other = "application/json; charset=UTF-8" if name.startswith("JSON") else "text/plain; charset=UTF-8"
        return Response(content, headers=headers, media_type=_TYPES.get(name, other))

    def _run(self, query: str, request: Request) -> tuple[bytes, str]:
        words = request.query_params
        parameters = {name[6:]: value for name, value in words.items() if name.startswith("param_")}
        with contextlib.closing(self._connect()) as session:
            try:
                if database := request.headers.get("x-clickhouse-database") or words.get("database"):
                    session.query(f"USE {_name(database)}", "Null")
                for name, value in words.items():
                    if name not in _OWN and not name.startswith("param_"):
                        session.query(f"SET {_name(name)} = {_literal(value)}", "Null")
                if request.method in ("GET", "HEAD"):
                    session.query("SET readonly = 2", "Null")
                result = session.query(query, _format_of(query, request), **({"params": parameters} if parameters else {}))
                content = bytes(result.bytes())
                read = f'"read_rows":"{result.storage_rows_read()}","read_bytes":"{result.storage_bytes_read()}"'
                return content, f'{{{read},"result_rows":"{result.rows_read()}","result_bytes":"{len(content)}"}}'
            except Exception as error:  # the engine's errors have no type of their own that all versions share
                found = re.search(r"Code: (\d+)\.", str(error))
                if found is None:
                    raise Refused(1002, f"Code: 1002. DB::Exception: {error}. (UNKNOWN_EXCEPTION)") from None
                raise Refused(int(found[1]), str(error)) from None

    def _connect(self) -> Any:
        import chdb

        return chdb.connect(self._address)


def _joined(query: str, body: bytes) -> str:
    """The query and its data are one text, the address's part first."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused(48, "Code: 48. DB::Exception: data that is not UTF-8 text is not supported here. (NOT_IMPLEMENTED)") from None
    whole = f"{query}\n{text}" if query and text else query or text
    if not whole.strip():
        raise Refused(62, "Code: 62. DB::Exception: Syntax error: failed at position 1 (end of query): . Empty query. (SYNTAX_ERROR)")
    return whole


def _unpacked(body: bytes, encoding: str) -> bytes:
    try:
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "deflate":
            return zlib.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise Refused(354, "Code: 354. DB::Exception: inflate failed: the data is damaged. (ZLIB_INFLATE_FAILED)") from None
    if encoding and encoding != "identity":
        raise Refused(48, f"Code: 48. DB::Exception: Unknown compression method '{encoding}'. (NOT_IMPLEMENTED)")
    return body


def _format_of(query: str, request: Request) -> str:
    found = None if _INSERT.match(query) else _FORMAT.search(query)
    return found[1] if found else request.query_params.get("default_format") or request.headers.get("x-clickhouse-format") or "TabSeparated"


def _name(text: str) -> str:
    return text if _WORD.fullmatch(text) else "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(text: str) -> str:
    if re.fullmatch(r"-?\d+", text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
