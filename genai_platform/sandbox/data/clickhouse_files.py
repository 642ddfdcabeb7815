"""The configuration files a ClickHouse pod has, made ready for the engine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from defusedxml.ElementTree import ParseError, parse

_BITNAMI = Path("/opt/bitnami/clickhouse/etc")
FOLDERS: Sequence[Path] = (
    _BITNAMI / "conf.d/default", _BITNAMI / "conf.d/extra-configmap", _BITNAMI / "config.d", Path("/etc/clickhouse-server/config.d"),
)  # fmt: skip
"""Where charts mount configuration; a later file wins over an earlier one."""

_BASE = """<clickhouse>
    <timezone>UTC</timezone>
    <mark_cache_size>67108864</mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
</clickhouse>
"""

# What belongs to the server around the engine; the engine inside this process has no use for it.
_SERVER = {
    "logger", "listen_host", "http_port", "https_port", "tcp_port", "tcp_port_secure", "interserver_http_port", "mysql_port",
    "postgresql_port", "openSSL", "prometheus", "zookeeper", "keeper_server", "distributed_ddl", "user_directories", "users_config",
    "path", "tmp_path", "user_files_path", "format_schema_path", "access_control_path",
}  # fmt: skip


class ConfigurationFault(Exception):
    """A file the engine would refuse; the text names it."""


def data_folder() -> Path:
    """Bitnami's claim, or the folder of ClickHouse's own image."""
    bitnami = Path("/bitnami/clickhouse")
    return bitnami / "data" if bitnami.is_dir() else Path("/var/lib/clickhouse")


def write(scratch: Path, folders: Sequence[Path]) -> Path:
    """Write ``config.xml`` and ``config.d`` into ``scratch``; the engine merges them by its own rules.

    Raises:
        ConfigurationFault: a file is not XML, or not ClickHouse's.
    """
    main = scratch / "config.xml"
    main.write_text(_BASE)
    target = scratch / "config.d"
    target.mkdir()
    seen: set[Path] = set()
    for at, folder in enumerate(folders):
        real = folder.resolve()  # the image links one of these folders to another
        if real in seen or not folder.is_dir():
            continue
        seen.add(real)
        for file in sorted(folder.glob("*.xml")):
            (target / f"{at:02d}-{file.name}").write_bytes(tostring(_without_server(file)))
    return main


def _without_server(file: Path) -> Element:
    try:
        root = parse(os.fspath(file)).getroot()
    except ParseError as error:
        raise ConfigurationFault(f"Code: 4. Failed to merge config with '{file}': {error}") from None
    if root is None or root.tag not in ("clickhouse", "yandex"):
        raise ConfigurationFault(f"Code: 4. Failed to merge config with '{file}': root element is not <clickhouse>")
    for child in list(root):
        if child.tag in _SERVER:
            root.remove(child)
    return root
