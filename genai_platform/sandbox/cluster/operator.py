"""A stand-in for the ClickHouse operator (chart line 2): turns its custom resources into what runs.

It makes the objects the real one makes under the names the real one gives: config map, headless service and stateful
set of each ``ClickHouseCluster`` and ``KeeperCluster``, claims named ``clickhouse-storage-volume-…``. They are owned by
the custom resource, so the cluster's own garbage collection takes them away with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from xml.sax.saxutils import escape

from genai_platform.sandbox.cluster.api import Api, ApiError, Object
from genai_platform.sandbox.cluster.watch import Change

GROUP = "clickhouse.com/v1alpha1"
KINDS = {"ClickHouseCluster": "clickhouseclusters", "KeeperCluster": "keeperclusters"}
CONFIGURATION = "/etc/clickhouse-server/config.d/99-extra-config.xml"
_VOLUME = "clickhouse-storage-volume"
_PORTS = {"ClickHouseCluster": {"http": 8123, "tcp": 9000, "interserver": 9009}, "KeeperCluster": {"client": 2181, "raft": 9234}}
_log = logging.getLogger(__name__)


class Operator:
    """Called for each change of a custom resource."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def changed(self, change: Change, resource: Object) -> None:
        """Bring what runs up to the resource. What is being deleted is left to the garbage collection."""
        if change != "set" or resource["metadata"].get("deletionTimestamp"):
            return
        try:
            for document in objects(resource):
                self._api.apply(_collection(document), document, "clickhouse-operator")
            self._tell(resource, "True", "every object is as the resource says")
        except ApiError as error:
            _log.warning("%s %s: %s", resource["kind"], resource["metadata"]["name"], error)
            self._tell(resource, "False", str(error))

    def _tell(self, resource: Object, status: str, message: str) -> None:
        """The condition ``ReconcileSucceeded``; written only when it changes, since writing is a change too."""
        generation = resource["metadata"].get("generation")
        condition = {"type": "ReconcileSucceeded", "status": status, "message": message, "observedGeneration": generation}
        if (resource.get("status") or {}).get("conditions") == [condition]:
            return
        meta = resource["metadata"]
        path = f"/apis/{GROUP}/namespaces/{meta['namespace']}/{KINDS[resource['kind']]}/{meta['name']}/status"
        try:
            self._api.patch(path, {"status": {"conditions": [condition], "observedGeneration": generation}})
        except ApiError as error:
            if error.status != 404:
                _log.warning("%s: %s", path, error)


def objects(resource: Object) -> list[Object]:
    """What a custom resource asks for."""
    return _clickhouse(resource) if resource["kind"] == "ClickHouseCluster" else _keeper(resource)


def _clickhouse(resource: Object) -> list[Object]:
    spec = resource["spec"]
    name = f"{resource['metadata']['name']}-clickhouse"
    text = f"<clickhouse>{_xml(spec.get('settings', {}).get('extraConfig') or {})}</clickhouse>\n"
    config = _head(resource, "v1", "ConfigMap", name, name) | {"data": {CONFIGURATION.rpartition("/")[2]: text}}
    password = spec.get("settings", {}).get("defaultUserPassword", {}).get("secret")
    env: list[Object] = [{"name": "CLICKHOUSE_USER", "value": "default"}]
    if password:
        env.append({"name": "CLICKHOUSE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": password["name"], "key": password["key"]}}})
    container = _container(resource, "clickhouse-server") | {
        "env": env,
        "volumeMounts": [
            {"name": _VOLUME, "mountPath": "/var/lib/clickhouse"},
            {"name": "config", "mountPath": CONFIGURATION, "subPath": CONFIGURATION.rpartition("/")[2], "readOnly": True},
        ],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": "http"}, "initialDelaySeconds": 1, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/ping", "port": "http"}, "initialDelaySeconds": 60, "periodSeconds": 10},
    }
    volumes = [{"name": "config", "configMap": {"name": name, "defaultMode": 420}}]
    # One stateful set a shard and replica, as the operator does.
    sets = [
        _stateful_set(resource, f"{name}-0-{replica}", name, container, volumes, hashlib.sha256(text.encode()).hexdigest())
        for replica in range(int(spec.get("replicas", 1)))
    ]
    return [config, _service(resource, name), *sets]


def _keeper(resource: Object) -> list[Object]:
    spec = resource["spec"]
    name = f"{resource['metadata']['name']}-keeper"
    container = _container(resource, "clickhouse-keeper") | {"volumeMounts": [{"name": _VOLUME, "mountPath": "/var/lib/clickhouse"}]}
    sets = [_stateful_set(resource, f"{name}-{replica}", name, container, [], "") for replica in range(int(spec.get("replicas", 1)))]
    return [_service(resource, name), *sets]


def _container(resource: Object, name: str) -> Object:
    template = resource["spec"].get("containerTemplate") or {}
    image = template.get("image") or {}
    return {
        "name": name,
        "image": f"{image.get('repository') or f'docker.io/clickhouse/{name}'}:{image.get('tag') or 'latest'}",
        "resources": template.get("resources") or {},
        "ports": [{"name": port, "containerPort": number} for port, number in _PORTS[resource["kind"]].items()],
    }


def _stateful_set(resource: Object, name: str, application: str, container: Object, volumes: list[Object], checksum: str) -> Object:
    spec = resource["spec"]
    labels = {"app": application, "clickhouse.com/replica": name}
    pod = {**(spec.get("podTemplate") or {}), "containers": [container], "volumes": volumes}
    return _head(resource, "apps/v1", "StatefulSet", name, application) | {
        "spec": {
            "replicas": 1,
            # Otherwise a pod that cannot start for its old settings would never be made again with new ones.
            "podManagementPolicy": "Parallel",
            "serviceName": f"{application}-headless",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {**(spec.get("annotations") or {}), "checksum/configuration": checksum}},
                "spec": pod,
            },
            "volumeClaimTemplates": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": _VOLUME, "labels": {"app": application}},
                    "spec": spec["dataVolumeClaimSpec"],
                }
            ],
        }
    }


def _service(resource: Object, application: str) -> Object:
    ports = [{"name": name, "port": number, "targetPort": name} for name, number in _PORTS[resource["kind"]].items()]
    return _head(resource, "v1", "Service", f"{application}-headless", application) | {
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": application}, "ports": ports}
    }


def _head(resource: Object, api_version: str, kind: str, name: str, application: str) -> Object:
    meta = resource["metadata"]
    owner = {"apiVersion": GROUP, "kind": resource["kind"], "name": meta["name"], "uid": meta["uid"], "controller": True}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": {"app": application, "app.kubernetes.io/managed-by": "clickhouse-operator"},
            "ownerReferences": [{**owner, "blockOwnerDeletion": True}],
        },
    }


def _collection(document: Object) -> str:
    group = "apis/apps/v1" if document["kind"] == "StatefulSet" else "api/v1"
    return f"/{group}/namespaces/{document['metadata']['namespace']}/{document['kind'].lower()}s"


def _xml(value: object) -> str:
    """Settings as ClickHouse reads them."""
    if isinstance(value, Mapping):
        return "".join(
            "".join(f"<{key}>{_xml(one)}</{key}>" for one in (inner if isinstance(inner, list) else [inner]))
            for key, inner in value.items()
        )
    return escape(json.dumps(value) if isinstance(value, bool | int | float) else str(value))
