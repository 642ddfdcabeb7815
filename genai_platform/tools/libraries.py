"""The slow libraries behind the clients, imported by one thread before there are many.

Packages whose modules import each other must not be imported by two threads at once: Python breaks the deadlock by handing
one of them a half-made module (``importlib._bootstrap``, ``_ModuleLock``), and that one fails with an ImportError.
"""

from __future__ import annotations

import threading
from importlib import import_module

_ALWAYS = ("boto3", "kubernetes.client", "kubernetes.config", "kubernetes.dynamic", "pyhelm3")
_AZURE = (
    "requests", "azure.core.pipeline.transport", "azure.identity", "azure.mgmt.apimanagement", "azure.mgmt.keyvault",
    "azure.keyvault.secrets",
)  # fmt: skip
_COGNITIVE = threading.Lock()


def load(*, azure: bool) -> None:
    """Import what the clients need. Takes about half a second, with ``azure`` one more; nothing the second time."""
    for name in (*_ALWAYS, *(_AZURE if azure else ())):
        import_module(name)


def load_cognitive() -> None:
    """Import what few commands need: a quarter of a second."""
    with _COGNITIVE:
        import_module("azure.mgmt.cognitiveservices")
