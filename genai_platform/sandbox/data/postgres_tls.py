"""PostgreSQL's own way into TLS, as Aurora insists on it (``rds.force_ssl``)."""

from __future__ import annotations

import asyncio
import ssl
import struct

from genai_platform.sandbox.data.tls_proxy import Greeting

_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_CANCEL_REQUEST = 80877102
_LONGEST_STARTUP = 10000
_SECONDS = 60


def greeting(tls: ssl.SSLContext) -> Greeting:
    """Answer SSLRequest with TLS; refuse a client that starts in clear text with the server's own error."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        async with asyncio.timeout(_SECONDS):
            while True:
                header = await reader.readexactly(8)
                length, code = struct.unpack("!II", header)
                if not 8 <= length <= _LONGEST_STARTUP:
                    return None
                body = await reader.readexactly(length - 8)
                if code == _GSS_REQUEST:
                    writer.write(b"N")
                    await writer.drain()
                elif code == _CANCEL_REQUEST:
                    return header + body
                elif code != _SSL_REQUEST:
                    writer.write(refusal(body, writer.get_extra_info("peername")[0]))
                    await writer.drain()
                    return None
                else:
                    writer.write(b"S")
                    await writer.drain()
                    await writer.start_tls(tls)
                    return b""

    return greet


def refusal(startup: bytes, client: str) -> bytes:
    """ErrorResponse: what a server without a clear-text line in pg_hba.conf says."""
    words = [word.decode(errors="replace") for word in startup.split(b"\0")]
    options = dict(zip(words[::2], words[1::2], strict=False))
    user = options.get("user", "")
    database = options.get("database") or user
    text = f'no pg_hba.conf entry for host "{client}", user "{user}", database "{database}", no encryption'
    fields = b"".join(kind + value.encode() + b"\0" for kind, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", "28000"), (b"M", text)))
    return b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"
