"""The tool's own certificate against an AWS in this process."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from genai_platform.config.settings import Ingress
from genai_platform.engine.observe import observe
from genai_platform.engine.step import State
from genai_platform.steps import infra
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import certificate as infra_certificate
from genai_platform.steps.infra.secrets import SecretsStep
from genai_platform.tools.aws import certificate
from genai_platform.tools.aws.client import Aws
from tests.tools.aws_world import Quiet, secret_container, world


def test_the_tools_certificate_is_imported_trusted_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        secret_container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
        step = infra_certificate.step(clients)
        assert step.observe().state is State.ABSENT
        step.apply(Quiet())
        assert step.observe().state is State.PRESENT
        arn = infra_certificate.certificate_arn(clients)
        ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        assert (tmp_path / "ca.pem").stat().st_mode & 0o777 == 0o600
        (tmp_path / "ca.pem").unlink()
        assert step.observe().state is State.DRIFTED
        step.apply(Quiet())
        assert infra_certificate.certificate_arn(clients) == arn
        assert step.destroy(Quiet()) == "certificate deleted"
        assert certificate.find(clients.aws) is None
        assert not (tmp_path / "ca.pem").exists()
        assert step.destroy(Quiet()) == "no certificate in ACM"


def test_a_certificate_whose_secrets_are_gone_is_unknown_and_never_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        secret_container(clients)
        SecretsStep(clients, {"AZURE_API_KEY": "key"}).apply(Quiet())
        step = infra_certificate.step(clients)
        step.apply(Quiet())
        clients.aws.client("secretsmanager").delete_secret(SecretId=clients.aws.secret_name, ForceDeleteWithoutRecovery=True)
        found = observe(infra_certificate.step(Clients(clients.target, aws=Aws(clients.target), terraform=clients.terraform)))
        assert (found.state, str(found.remedy)) == (State.UNKNOWN, "run: genai infra --only infra.secrets")


def test_a_certificate_for_other_names_gives_way_when_nothing_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a load balancer uses cannot be deleted: the new one counts at once, and the earlier goes at a later run."""
    used: set[str] = set()
    delete = certificate.delete
    monkeypatch.setattr(certificate, "delete", lambda aws, arn: arn not in used and delete(aws, arn))
    with world(tmp_path, monkeypatch, ingress={"domain": "one.example.com"}) as clients:
        clients.aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
        first = infra_certificate.step(clients)
        first.apply(Quiet())
        one = infra_certificate.certificate_arn(clients)
        used.add(str(one))
        moved = replace(clients.target, settings=clients.target.settings.model_copy(update={"ingress": Ingress(domain="two.example.com")}))
        later = Clients(moved, aws=clients.aws, terraform=clients.terraform)
        second = infra_certificate.step(later)
        assert second.observe().state is State.DRIFTED
        second.apply(Quiet())
        two = infra_certificate.certificate_arn(later)
        assert two != one
        assert "an earlier one" in second.observe().evidence
        used.clear()
        second.apply(Quiet())
        assert second.observe().state is State.PRESENT
        assert infra_certificate.certificate_arn(later) == two
        assert second.destroy(Quiet()) == "certificate deleted"
        zone = clients.aws.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]
        records = clients.aws.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        assert [record["Name"] for record in records if record["Type"] == "CNAME"] == []


def test_another_environments_certificate_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch) as clients:
        clients.aws.client("acm").request_certificate(DomainName="x.example.com", Tags=[{"Key": "genai:environment", "Value": "other"}])
        assert certificate.find(clients.aws) is None


def test_without_tls_there_is_no_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path, monkeypatch, ingress={"tls": "none"}) as clients:
        assert infra_certificate.certificate_arn(clients) is None
        assert "infra.certificate" not in {step.id for step in infra.steps(clients)}
