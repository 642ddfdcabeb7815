"""What lies in a pod's volumes, and where a container sees them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from genai_platform.sandbox.cluster.agent.environment import ConfigFault
from genai_platform.sandbox.cluster.agent.volumes import Volumes


class World:
    """Config maps, secrets, claims and the tokens that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.claims: dict[str, Path] = {}
        self.tokens: list[tuple[str, int]] = []
        self.volumes = Volumes(folder / "pod", self.find, self.token, self.claim, {"cpu": "2"})

    def find(self, source: str, name: str) -> dict[str, Any] | None:
        return self.objects.get((source, name))

    def token(self, audience: str, seconds: int) -> str:
        self.tokens.append((audience, seconds))
        return f"token-{len(self.tokens)}"

    def claim(self, name: str) -> Path:
        if name not in self.claims:
            raise ConfigFault(f'persistentvolumeclaim "{name}" not found')
        return self.claims[name]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _pod(*volumes: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "demo", "labels": {"a": "b"}}, "spec": {"volumes": list(volumes), "containers": []}}


def _mounts(world: World, *mounts: dict[str, Any]) -> list[Any]:
    return world.volumes.mounts({"volumeMounts": list(mounts)}, {"POD": "web-0"})


def test_a_config_map_follows_its_object_and_a_sub_path_does_not(world: World) -> None:
    world.objects["configmaps", "site"] = {"data": {"a.xml": "one", "b.xml": "two"}}
    pod = _pod({"name": "site", "configMap": {"name": "site"}})
    world.volumes.prepare(pod)
    whole, part = _mounts(world, {"name": "site", "mountPath": "/etc/site/"}, {"name": "site", "mountPath": "/etc/x", "subPath": "a.xml"})
    assert whole.target == "/etc/site"
    assert whole.readonly
    assert part.readonly
    with open(part.source) as mounted:  # kept open as a bind mount keeps it
        world.objects["configmaps", "site"] = {"data": {"a.xml": "three"}}
        world.volumes.prepare(pod)
        assert mounted.read() == "one"
    assert (Path(whole.source) / "a.xml").read_text() == "three"
    assert not (Path(whole.source) / "b.xml").exists()


def test_secret_items_and_modes(world: World) -> None:
    world.objects["secrets", "keys"] = {"data": {"k": base64.b64encode(b"\x00v").decode()}}
    world.volumes.prepare(_pod({"name": "s", "secret": {"secretName": "keys", "items": [{"key": "k", "path": "d/key", "mode": 0o400}]}}))
    (mount,) = _mounts(world, {"name": "s", "mountPath": "/s"})
    path = Path(mount.source) / "d" / "key"
    assert path.read_bytes() == b"\x00v"
    assert path.stat().st_mode & 0o777 == 0o400


def test_projected_tokens_are_kept_until_they_age(world: World) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "sts.amazonaws.com", "expirationSeconds": 86400}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    pod = _pod({"name": "p", "projected": {"sources": sources}})
    world.volumes.prepare(pod)
    world.volumes.prepare(pod)
    (mount,) = _mounts(world, {"name": "p", "mountPath": "/p"})
    assert (Path(mount.source) / "token").read_text() == "token-1"
    assert (Path(mount.source) / "labels").read_text() == 'a="b"'
    assert world.tokens == [("sts.amazonaws.com", 86400)]


def test_empty_dir_and_claim_take_sub_paths_and_none_leads_out(world: World, tmp_path: Path) -> None:
    world.claims["data"] = tmp_path / "pv"
    world.claims["data"].mkdir()
    world.volumes.prepare(_pod({"name": "e", "emptyDir": {}}, {"name": "c", "persistentVolumeClaim": {"claimName": "data"}}))
    empty, claim = _mounts(
        world, {"name": "e", "mountPath": "/e", "readOnly": True}, {"name": "c", "mountPath": "/c", "subPathExpr": "$(POD)/x"}
    )
    assert empty.readonly
    assert not claim.readonly
    assert Path(claim.source) == tmp_path / "pv" / "web-0" / "x"
    with pytest.raises(ConfigFault, match="leads out"):
        _mounts(world, {"name": "c", "mountPath": "/c", "subPath": "../other"})


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"persistentVolumeClaim": {"claimName": "gone"}}, "not found"),
        ({"hostPath": {"path": "/"}}, "not provided"),
        ({"nfs": {}}, "not provided"),
    ],
)
def test_what_cannot_be_mounted_says_why(world: World, volume: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigFault, match=message):
        world.volumes.prepare(_pod({"name": "v", **volume}))


def test_an_optional_source_gives_an_empty_volume(world: World) -> None:
    world.volumes.prepare(_pod({"name": "v", "secret": {"secretName": "gone", "optional": True}}))
    (mount,) = _mounts(world, {"name": "v", "mountPath": "/v"})
    assert not [path for path in Path(mount.source).iterdir() if not path.name.startswith("..")]
