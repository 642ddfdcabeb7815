"""What the platform is made of, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from genai_platform.config.presets import PRESETS
from genai_platform.config.prices import parts, provenance, usd_per_hour
from genai_platform.config.settings import Apim, Settings
from genai_platform.config.unit_prices import TABLE, apim_usd_per_hour

GATEWAY = {"enabled": True, "apim": {"sku": "BasicV2"}}
EVERY_TIER = get_args(Apim.model_fields["sku"].annotation)


def settings(**values: object) -> Settings:
    return Settings.model_validate(values)


def test_a_new_price_of_a_unit_changes_the_parts_made_of_it_and_nothing_else() -> None:
    dearer = {**TABLE, "public-ipv4": replace(TABLE["public-ipv4"], usd_per_hour=0.105)}
    changed = {part.part: part.usd_per_hour(dearer) - part.usd_per_hour() for part in parts(Settings())}
    assert {name: pytest.approx(more) for name, more in changed.items() if more} == {
        "1 NAT gateway with address": 0.1,
        "load balancer with addresses": 0.2,
    }


@pytest.mark.parametrize("sku", EVERY_TIER)
def test_every_tier_has_a_price_or_is_paid_by_the_request(sku: str) -> None:
    (part,) = (part for part in parts(settings(azure={"enabled": True, "apim": {"sku": sku}})) if part.step == "azure.service")
    assert part.usd_per_hour() == apim_usd_per_hour(sku)
    assert (part.usd_per_hour() == 0) is (sku == "Consumption")


def test_only_what_is_present_costs() -> None:
    assert usd_per_hour(Settings(), frozenset()) == 0
    assert usd_per_hour(Settings(), ["infra.cluster", "litellm.proxy"]) == TABLE["eks-cluster"].usd_per_hour


def test_another_region_is_said() -> None:
    (line,) = provenance(Settings())
    assert line == "prices: built-in table of 2026-11-29, ap-northeast-1 (approximate list prices)"
    (line,) = provenance(settings(platform={"region": "eu-west-1"}))
    assert line.endswith("; eu-west-1 differs")
    lines = provenance(settings(azure={**GATEWAY, "location": "westeurope"}))
    assert [line for line in lines if "westeurope differs" in line] == [
        "prices: built-in table of 2026-11-29, japaneast (approximate list prices); westeurope differs: apim-BasicV2"
    ]


def test_presets_grow_dearer_and_keep_what_they_do_not_name() -> None:
    base = settings(platform={"region": "eu-west-1"}, network={"zones": 3}, azure={"enabled": True, "apim": {"existing": "shared"}})
    shapes = [preset.applied(base) for preset in PRESETS.values()]
    costs = [usd_per_hour(shape) for shape in shapes]
    assert costs == sorted(set(costs))
    assert {shape.platform.region for shape in shapes} == {"eu-west-1"}
    assert [part.part for part in parts(shapes[-1]) if "NAT" in part.part] == ["3 NAT gateways with address"]
    assert base.azure.apim.existing == "shared"
