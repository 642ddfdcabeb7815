"""AWS's event stream, the binary frames of ``ConverseStream`` and ``InvokeModelWithResponseStream``.

A frame is: its length, its headers' length, the CRC of these two, headers, payload, the CRC of everything before
(Smithy, "Amazon Event Stream Specification").
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_TEXT = 7


def event(name: str, document: Mapping[str, Any]) -> bytes:
    """The frame of one event."""
    return _frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, document)


def exception(name: str, message: str) -> bytes:
    """The frame that ends a stream with an error. Its name begins with a small letter here: it is a member of the stream."""
    kind = name[:1].lower() + name[1:]
    return _frame({":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, {"message": message})


def _frame(headers: Mapping[str, str], document: Mapping[str, Any]) -> bytes:
    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _TEXT, len(value)) + value
