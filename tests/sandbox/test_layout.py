"""A place keeps its addresses, shares them with no other, and says clearly when it cannot."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genai_platform.errors import ConfigError, MissingError
from genai_platform.sandbox.cluster.issuer import issuer
from genai_platform.sandbox.layout import SandboxLayout, claim_network


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path / "cache"))


def test_it_is_the_same_whenever_it_is_opened(tmp_path: Path) -> None:
    made = SandboxLayout.create(tmp_path / "world", "sandbox-a", "eu-west-1")
    assert SandboxLayout.open(tmp_path / "world") == made
    assert SandboxLayout.create(tmp_path / "world", "sandbox-a", "eu-west-1") == made
    assert len(set(made.ports.values())) == len(made.ports)


def test_its_region_does_not_change(tmp_path: Path) -> None:
    SandboxLayout.create(tmp_path / "world", "sandbox", "eu-west-1")
    with pytest.raises(ConfigError, match="made as eu-west-1 and cannot become us-east-1"):
        SandboxLayout.create(tmp_path / "world", "sandbox", "us-east-1")


def test_places_made_at_the_same_time_share_neither_network_nor_ports(tmp_path: Path) -> None:
    with ThreadPoolExecutor(24) as pool:
        places = list(pool.map(lambda number: SandboxLayout.create(tmp_path / f"w{number}", "sandbox"), range(24)))
    assert len({layout.network for layout in places}) == 24
    assert len({port for layout in places for port in layout.ports.values()}) == sum(len(layout.ports) for layout in places)


def test_two_places_share_neither_network_nor_ports(tmp_path: Path) -> None:
    places = [SandboxLayout.create(tmp_path / f"w{i}", "sandbox") for i in range(12)]
    assert len({layout.network for layout in places}) == 12


def test_the_sandbox_that_is_in_the_way_is_stopped_in_its_own_folder(tmp_path: Path) -> None:
    other = SandboxLayout.create(tmp_path / "project" / ".genai" / "sandbox-two" / "world", "sandbox-two")
    with pytest.raises(MissingError) as caught:
        claim_network(tmp_path / "w2", other.network)
    assert caught.value.remedy == f"stop that one first: cd {tmp_path}/project && genai sandbox stop --sandbox --env two"


def test_a_removed_place_gives_its_network_back(tmp_path: Path) -> None:
    first = SandboxLayout.create(tmp_path / "w1", "sandbox")
    with pytest.raises(MissingError, match=f"127.{first.network}.0.0"):
        claim_network(tmp_path / "w2", first.network)
    assert claim_network(tmp_path / "w2", first.network, in_use=lambda holder: False) == first.network
    shutil.rmtree(first.root)
    assert claim_network(tmp_path / "w3", first.network) == first.network


def test_a_port_in_use_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        used = holder.getsockname()[1]
        monkeypatch.setattr("genai_platform.sandbox.layout._FIRST_PORT", used)
        monkeypatch.setattr("genai_platform.sandbox.layout._LAST_PORT", used + 1000)
        # In their order, so that the one in use comes first.
        monkeypatch.setattr("random.SystemRandom.sample", lambda self, population, k: list(population))
        chosen = SandboxLayout.create(tmp_path / "w", "sandbox").ports.values()
    assert used not in chosen
    assert min(chosen) > used


def test_ports_that_a_newer_version_needs_are_added(tmp_path: Path) -> None:
    import json

    layout = SandboxLayout.create(tmp_path / "w", "sandbox")
    file = layout.root / "place.json"
    document = json.loads(file.read_text())
    del document["ports"]["webhook"]
    file.write_text(json.dumps(document))
    reopened = SandboxLayout.open(layout.root)
    assert reopened.ports["webhook"] > 0
    assert SandboxLayout.open(layout.root) == reopened
    assert reopened.ports["aws"] == layout.ports["aws"]


def test_one_rule_leads_from_the_api_to_a_socket(tmp_path: Path) -> None:
    layout = SandboxLayout.create(tmp_path / "w", "sandbox")
    pods, services = ipaddress.ip_network(layout.pod_cidr), ipaddress.ip_network(layout.service_cidr)
    assert not pods.overlaps(services)
    assert SandboxLayout.loopback(str(services[5])) == f"127.{layout.network}.16.5"


def test_host_names_of_one_owner_do_not_disturb_anothers(tmp_path: Path) -> None:
    layout = SandboxLayout.create(tmp_path / "w", "sandbox")
    layout.publish_hosts("a", {"db.example": "127.1.2.3"})
    layout.publish_hosts("b", {"web": "127.1.2.4"})
    before = layout.hosts_file.stat().st_ino
    layout.publish_hosts("a", {"db2.example": "127.1.2.5"})
    text = layout.hosts_file.read_text()
    assert "127.1.2.5\tdb2.example" in text
    assert "127.1.2.4\tweb" in text
    assert "db.example\n" not in text
    assert layout.hosts_file.stat().st_ino == before, "pods have this very file mounted"


def test_the_hosts_file_is_never_seen_empty_while_it_changes(tmp_path: Path) -> None:
    layout = SandboxLayout.create(tmp_path / "w", "sandbox")
    layout.publish_hosts("a", {"db.example": "127.1.2.3"})
    stop, seen = threading.Event(), set()

    def look() -> None:
        while not stop.is_set():
            seen.add("localhost" in layout.hosts_file.read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(300):
        layout.publish_hosts("b", {f"web-{number}": "127.1.2.4"})
    stop.set()
    reader.join()
    assert seen == {True}
    layout.publish_hosts("b", {})
    assert layout.hosts_file.read_text().endswith("db.example\n"), "nothing is left of a longer text"


def test_ports_of_a_place_that_is_stopped_are_not_given_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = SandboxLayout.create(tmp_path / "w1", "sandbox")
    numbers = sorted(first.ports.values())
    monkeypatch.setattr("genai_platform.sandbox.layout._FIRST_PORT", numbers[0])
    monkeypatch.setattr("genai_platform.sandbox.layout._LAST_PORT", numbers[-1] + 1)
    second = SandboxLayout.create(tmp_path / "w2", "sandbox")
    assert not set(first.ports.values()) & set(second.ports.values())


def test_folders_are_private(tmp_path: Path) -> None:
    layout = SandboxLayout.create(tmp_path / "w", "sandbox")
    assert stat.S_IMODE(layout.folder("data").stat().st_mode) == 0o700


def test_a_sandbox_that_is_made_again_has_another_issuer(tmp_path: Path) -> None:
    first = SandboxLayout.create(tmp_path / "first", "sandbox")
    assert issuer(SandboxLayout.open(first.root)) == issuer(first)
    again = SandboxLayout.create(tmp_path / "again", "sandbox")
    assert issuer(again) != issuer(first)
    document = json.loads((first.root / "place.json").read_text())
    del document["issuer"]
    (first.root / "place.json").write_text(json.dumps(document))
    older = SandboxLayout.open(first.root)
    assert re.fullmatch(r"https://oidc\.eks\.[a-z0-9-]+\.amazonaws\.com/id/[0-9A-F]{32}", issuer(older))
    assert re.fullmatch(r"https://oidc\.eks\.[a-z0-9-]+\.amazonaws\.com/id/[0-9A-F]{32}", issuer(again))
