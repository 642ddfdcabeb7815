"""moto in this process, reset for each test that uses it: what is the same for all of them is made once."""

from __future__ import annotations

import functools
from typing import Any

import moto.settings
from botocore.loaders import JSONFileLoader, Loader


class _ReadOnce(JSONFileLoader):  # type: ignore[misc]
    """Each test has a session of its own, for which botocore would read the services' descriptions again: megabytes of JSON."""

    def load_file(self, file_path: str) -> Any:
        return _read(file_path)


@functools.cache
def _read(file_path: str) -> Any:
    return JSONFileLoader().load_file(file_path)


def prepare() -> None:
    """Read descriptions once. And let accounts begin without moto's 700 machine images, each with a snapshot, which no test asks for."""
    Loader.FILE_LOADER_CLASS = _ReadOnce
    moto.settings.ec2_load_default_amis = lambda: False
