"""Everything moto knows, written to one file and read back, so that a stopped sandbox goes on where it was."""

from __future__ import annotations

import copy
import io
import os
import pickle
import threading
from collections import defaultdict
from functools import partial
from pathlib import Path
from types import FunctionType, GeneratorType
from typing import Any
from weakref import WeakValueDictionary

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificate
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.s3.utils import _VersionedKeyStore

_LOCKS = {type(threading.Lock()): threading.Lock, type(threading.RLock()): threading.RLock}


def save(file: Path) -> None:
    """Write all services' state; the file is complete or the old one stays."""
    held = {
        service.service_name: {account: dict(regions.items()) for account, regions in list(dict.items(service))}
        for service in list(BackendDict._instances)
    }
    stream = io.BytesIO()
    _Writer(stream, protocol=pickle.HIGHEST_PROTOCOL).dump({"services": held})
    temporary = file.with_name(file.name + ".new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(stream.getvalue())
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)


def load(file: Path, services: dict[str, Any]) -> bool:
    """Put saved state into the running services. ``False`` when there is none."""
    if not file.exists():
        return False
    with open(file, "rb") as opened:
        document = _Reader(opened, services).load()
    for name, accounts in document["services"].items():
        if name not in services:
            continue
        service = services[name]
        for account, regions in accounts.items():
            for region, backend in regions.items():
                dict.__setitem__(service[account], region, backend)
    return True


class _Writer(pickle.Pickler):
    """Knows what cannot be pickled by itself: certificates, keys, locks, moto's own registries, and what it makes within a function.

    Without ``persistent_id``, which is asked about each text and number: that took most of the time.
    """

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, BackendDict):
            return _running, (thing.service_name,)
        if isinstance(thing, AccountSpecificBackend):
            return _running, (thing.service_name, thing.account_id)
        if isinstance(thing, Certificate):
            return _certificate, (thing.public_bytes(serialization.Encoding.PEM),)
        if hasattr(thing, "private_bytes") and hasattr(thing, "public_key"):
            form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            return _private_key, (thing.private_bytes(*form),)
        if isinstance(thing, _VersionedKeyStore):
            # It hides all versions but the last from anything that iterates over it.
            return _keys, (type(thing), {name: list(dict.__getitem__(thing, name)) for name in list(thing)})
        if type(thing) in _LOCKS:
            return _LOCKS[type(thing)], ()
        if isinstance(thing, GeneratorType):  # the further pages of a list, which nobody asks for after a stop
            return iter, ((),)
        if isinstance(thing, WeakValueDictionary):
            return WeakValueDictionary, (dict(thing),)
        if isinstance(thing, FunctionType) and "<locals>" in thing.__qualname__:  # a defaultdict's factory, known by what it makes
            return partial, (copy.deepcopy, thing())
        if isinstance(thing, defaultdict) and type(thing) is not defaultdict:  # it is made from other things than its factory
            return _empty, (type(thing), thing.default_factory), vars(thing), None, iter(dict.items(thing))
        return NotImplemented


class _Reader(pickle.Unpickler):
    """The file is this sandbox's own, in its own folder, readable by its owner alone."""

    def __init__(self, stream: Any, services: dict[str, Any]) -> None:
        super().__init__(stream)
        self._services = services

    def find_class(self, module: str, name: str) -> Any:
        return self._running if (module, name) == (__name__, _running.__name__) else super().find_class(module, name)

    def _running(self, service: str, account: str = "") -> Any:
        return self._services[service][account] if account else self._services[service]


def _running(service: str, account: str = "") -> Any:
    """In a saved state: a service, or what it holds of an account. The reader knows those that run."""
    raise NotImplementedError


def _keys(kind: Any, versions: dict[str, list[Any]]) -> Any:
    store = kind()
    for name, listed in versions.items():
        dict.__setitem__(store, name, listed)
    return store


def _empty(kind: Any, factory: Any) -> Any:
    made = kind.__new__(kind)
    defaultdict.__init__(made, factory)
    return made


def _certificate(pem: bytes) -> Any:
    return load_pem_x509_certificate(pem)


def _private_key(pem: bytes) -> Any:
    return load_pem_private_key(pem, password=None)
