"""What people look for and is not offered: said in one sentence where they would set it."""

from __future__ import annotations

from pathlib import Path

import pytest

from genai_platform.config.layers import load
from genai_platform.errors import ConfigError


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, sets=[text], environ={})
    return caught.value.message


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("network.vpc_id", "an existing network is not offered"),
        ("network.subnet_ids", "an existing network is not offered"),
        ("ingress.scheme", "an internal load balancer is not offered"),
        ("platform.tags", "tags of your own are not offered"),
        ("platform.https_proxy", "a proxy for what runs on the platform is not offered"),
    ],
)
def test_a_setting_that_does_not_exist(tmp_path: Path, key: str, said: str) -> None:
    message = refused(tmp_path, f"{key}=x")
    assert f"{key}: unknown key: {said}" in message
    assert "did you mean" not in message


def test_a_route_with_an_identifier(tmp_path: Path) -> None:
    message = refused(tmp_path, 'azure.apim.routes=["GET /v1/responses/{id}"]')
    assert "azure.apim.routes[0]: 'GET /v1/responses/{id}' is not allowed" in message
    assert "a route with a parameter in braces is not offered" in message


def test_a_tier_that_the_api_version_does_not_know(tmp_path: Path) -> None:
    assert "azure.apim.sku: 'PremiumV2' is not allowed" in refused(tmp_path, "azure.apim.sku=PremiumV2")


def test_a_region_in_china(tmp_path: Path) -> None:
    message = refused(tmp_path, "platform.region=cn-north-1")
    assert "platform.region: 'cn-north-1' is not offered" in message
    assert "certificate" in message
