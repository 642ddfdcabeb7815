"""The roots against the real provider's schema, and against what the product reads from them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from genai_platform.config.files import shipped
from genai_platform.render.outputs import ClusterOutputs, DataOutputs, NetworkOutputs, RootOutputs, StorageOutputs
from genai_platform.tools.terraform import mirror as terraform_mirror

ROOTS: dict[str, type[RootOutputs]] = {"network": NetworkOutputs, "cluster": ClusterOutputs, "data": DataOutputs, "storage": StorageOutputs}


def text(root: str) -> str:
    return "\n".join(path.read_text() for path in sorted((shipped("terraform") / root).glob("*.tf")))


@pytest.mark.parametrize("root", ROOTS)
def test_outputs_are_what_the_product_reads(root: str) -> None:
    assert set(re.findall(r'^output "(\w+)"', text(root), re.MULTILINE)) == set(ROOTS[root].model_fields)


@pytest.mark.parametrize("root", ROOTS)
def test_every_variable_is_typed_and_described(root: str) -> None:
    for block in re.findall(r'^variable "\w+" \{\n(.*?)^\}', text(root), re.MULTILINE | re.DOTALL):
        assert "type " in block
        assert "description " in block


@pytest.mark.parametrize("root", ROOTS)
def test_the_root_is_valid_and_formatted(root: str, tmp_path: Path) -> None:
    folder = tmp_path / root
    shutil.copytree(shipped("terraform") / root, folder)
    variables = dict(os.environ)
    variables |= terraform_mirror.prepare(tmp_path, variables)
    for words in (["init", "-backend=false", "-input=false"], ["validate"], ["fmt", "-check"]):
        done = subprocess.run(
            ["terraform", *words, "-no-color"], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_cluster_gets_longer_for_its_end_than_the_provider_gives_it() -> None:
    """Auto Mode ends its nodes first; the provider gives up after 15 minutes (hashicorp/aws, ``aws_eks_cluster``, "Timeouts")."""
    cluster = re.search(r'^resource "aws_eks_cluster" "this" \{\n(.*?)^\}', text("cluster"), re.MULTILINE | re.DOTALL)
    assert cluster
    minutes = re.search(r'timeouts \{[^}]*delete = "(\d+)m"', cluster[1])
    assert minutes
    assert int(minutes[1]) >= 30


def test_an_instance_follows_its_databases_version() -> None:
    """RDS may refuse a bare major version for an instance (hashicorp/terraform-provider-aws#3557)."""
    instance = re.search(r'^resource "aws_rds_cluster_instance" "this" \{\n(.*?)^\}', text("data"), re.MULTILINE | re.DOTALL)
    assert instance
    assert "engine_version" not in instance[1]


def test_no_secret_reaches_a_state() -> None:
    data = text("data")
    assert "master_password_wo " in data
    assert not re.search(r"^\s*(master_password|auth_token)\s*=", data, re.MULTILINE)
