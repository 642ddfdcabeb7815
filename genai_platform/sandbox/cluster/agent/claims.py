"""Volumes for claims: a folder on this machine, a persistent volume in the API, an EBS volume in the account."""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from pathlib import Path

from genai_platform.sandbox.cluster.agent.aws_account import Account
from genai_platform.sandbox.cluster.agent.environment import ConfigFault, parse_quantity
from genai_platform.sandbox.cluster.agent.events import Events
from genai_platform.sandbox.cluster.api import Api, ApiError, Object, path_of
from genai_platform.sandbox.cluster.watch import Change
from genai_platform.sandbox.layout import SandboxLayout

SELECTED_NODE = "volume.kubernetes.io/selected-node"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_VOLUMES = "/api/v1/persistentvolumes"
_RETRY = 1.0
_log = logging.getLogger(__name__)


class Claims(threading.Thread):
    """Provides a volume when a claim asks for one, and removes it when the claim is gone.

    Binding, protection and phases are the controller manager's, as on EKS.
    """

    def __init__(self, layout: SandboxLayout, api: Api, events: Events, account: Account) -> None:
        super().__init__(name="claims", daemon=True)
        self._layout, self._api, self._events, self._account = layout, api, events, account
        self._waiting: queue.SimpleQueue[tuple[str, Object]] = queue.SimpleQueue()

    def claim_changed(self, change: Change, claim: Object) -> None:
        """A claim changed in the API."""
        if change == "set" and not claim["spec"].get("volumeName") and not claim["metadata"].get("deletionTimestamp"):
            self._waiting.put(("claim", claim))

    def volume_changed(self, change: Change, volume: Object) -> None:
        """A persistent volume changed in the API."""
        released = (volume.get("status") or {}).get("phase") == "Released"
        ours = _PROVISIONED_BY in (volume["metadata"].get("annotations") or {})
        wanted = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        if change == "set" and ours and released and wanted and not volume["metadata"].get("deletionTimestamp"):
            self._waiting.put(("volume", volume))

    def folder(self, namespace: str, claim: str) -> Path:
        """Where the volume of a bound claim lies.

        Raises:
            ConfigFault: the claim does not exist, or is not bound yet.
        """
        found = self._api.find(path_of("persistentvolumeclaims", namespace, claim))
        if found is None:
            raise ConfigFault(f'persistentvolumeclaim "{claim}" not found')
        if (found.get("status") or {}).get("phase") != "Bound":
            raise ConfigFault(f'persistentvolumeclaim "{claim}" is not bound')
        path: Path = self._layout.folder("volumes") / found["spec"]["volumeName"]
        path.mkdir(exist_ok=True)
        return path

    def run(self) -> None:
        while True:
            kind, item = self._waiting.get()
            try:
                if kind == "claim":
                    self._provide(item)
                else:
                    self._remove(item)
            except Exception as error:
                if isinstance(error, ConnectionError) and kind == "claim":
                    about = {"kind": "PersistentVolumeClaim", **item}
                    self._events.emit(about, "ProvisioningFailed", f"failed to provision volume: {error}", "Warning")
                elif not isinstance(error, (ApiError, ConnectionError)):
                    _log.exception("%s %s", kind, item["metadata"]["name"])
                timer = threading.Timer(_RETRY, self._waiting.put, ((kind, item),))
                timer.daemon = True
                timer.start()

    def _provide(self, claim: Object) -> None:
        meta = claim["metadata"]
        current = self._api.find(path_of("persistentvolumeclaims", meta["namespace"], meta["name"]))
        if current is None or current["metadata"]["uid"] != meta["uid"] or current["spec"].get("volumeName"):
            return
        storage = self._api.find(f"{_CLASSES}/{current['spec'].get('storageClassName') or 'none'}")
        if storage is None or storage["provisioner"] == "kubernetes.io/no-provisioner":
            return
        late = storage.get("volumeBindingMode") == "WaitForFirstConsumer"
        if late and SELECTED_NODE not in (current["metadata"].get("annotations") or {}):
            return
        name = f"pvc-{meta['uid']}"
        if self._api.find(f"{_VOLUMES}/{name}") is not None:
            return
        gigabytes = -(-int(parse_quantity(current["spec"]["resources"]["requests"]["storage"])) // 1024**3)
        kind = (storage.get("parameters") or {}).get("type", "gp3")
        disk = self._account.create_volume(name=name, claim=(meta["namespace"], meta["name"]), gigabytes=gigabytes, kind=kind)
        (self._layout.folder("volumes") / name).mkdir(exist_ok=True)
        self._api.create(_VOLUMES, _volume(name, current, storage, disk))
        about, said = {"kind": "PersistentVolumeClaim", **current}, f"Successfully provisioned volume {name}"
        self._events.emit(about, "ProvisioningSucceeded", said, component=storage["provisioner"])

    def _remove(self, volume: Object) -> None:
        name = volume["metadata"]["name"]
        self._account.delete_volume(volume["spec"]["csi"]["volumeHandle"])
        shutil.rmtree(self._layout.folder("volumes") / name, ignore_errors=True)
        self._api.delete(f"{_VOLUMES}/{name}")


def _volume(name: str, claim: Object, storage: Object, disk: str) -> Object:
    meta, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_PROVISIONED_BY: storage["provisioner"]}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy", "Delete"),
            "storageClassName": storage["metadata"]["name"],
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "csi": {"driver": storage["provisioner"], "fsType": "ext4", "volumeHandle": disk},
        },
    }
