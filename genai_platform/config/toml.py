"""Settings as TOML text. (Python reads TOML and does not write it.)"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def document(values: Mapping[str, Any]) -> str:
    """Tables of plain values, tables and lists of tables as a TOML document; what is None is left out."""
    return "\n".join(_lines("", values)).strip() + "\n"


def _lines(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    """A table's own values, then the tables in it."""
    for key, value in table.items():
        if value is not None and not isinstance(value, Mapping) and not _are_tables(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        inside = f"{path}.{_key(key)}" if path else _key(key)
        if isinstance(value, Mapping):
            yield from ("", f"[{inside}]", *_lines(inside, value))
        elif _are_tables(value):
            for one in value:
                yield from ("", f"[[{inside}]]", *_lines(inside, one))


def _are_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # Numbers, booleans and strings are written as in JSON, but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
