"""Host names of a domain, against a Route 53 in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genai_platform.tools.aws import dns
from tests.tools.aws_world import world

HOST = "litellm.genai.example.com"
ALIAS = {"HostedZoneId": "Z14GRHDCWA56QT", "DNSName": "left.ap-northeast-1.elb.amazonaws.com.", "EvaluateTargetHealth": False}


@pytest.mark.parametrize(
    ("record", "ours"),
    [({"AliasTarget": ALIAS}, True), ({"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}, False)],
)
def test_only_an_alias_is_ours_to_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: dict[str, Any], ours: bool) -> None:
    with world(tmp_path, monkeypatch) as clients:
        client = clients.aws.client("route53")
        zone = client.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
        made = {"Name": HOST, "Type": "A", **record}
        client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": made}]})
        assert dns.exists(clients.aws, HOST) is ours
        assert dns.remove(clients.aws, HOST) == (f"removed {HOST}" if ours else "")
        assert not dns.exists(clients.aws, HOST)


def test_without_a_zone_there_is_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        assert not dns.exists(clients.aws, HOST)
        assert dns.remove(clients.aws, HOST) == ""
