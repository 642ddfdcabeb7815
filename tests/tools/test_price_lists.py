"""Reading the clouds' price lists: the price of a unit without doubt, or none."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.config.unit_prices import HOURS_A_MONTH, TABLE
from genai_platform.errors import Forbidden, StepError, Throttled, Unreachable
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.price_lists import aws, azure, kept
from tests.price_lists import AwsPrices, AzurePrices, item, product

TODAY = date(2026, 11, 29)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENAI_CACHE_DIR", str(tmp_path))
    return tmp_path


class Service(Aws):
    """AWS whose price list answers as told."""

    def __init__(self, folder: Path, prices: AwsPrices) -> None:
        super().__init__(Target("default", Settings(), Endpoints(), folder))
        self.prices = prices

    def client(self, name: str, region: str | None = None) -> Any:
        assert (name, region) == ("pricing", "us-east-1")
        return self.prices


def fetched(folder: Path, prices: AwsPrices, region: str = "ap-northeast-1") -> dict[str, float]:
    return aws.fetch(Service(folder, prices), region)


def test_every_unit_of_aws_is_found_and_nothing_that_lies_beside_it(tmp_path: Path) -> None:
    assert fetched(tmp_path, AwsPrices()) == pytest.approx(
        {
            "secret": 0.4 / HOURS_A_MONTH, "nat-gateway": 0.07, "public-ipv4": 0.006, "eks-cluster": 0.11, "node-auto-mode": 0.014,
            "aurora-acu": 0.2, "redis-node": 0.049, "load-balancer": 0.025, "load-balancer-lcu": 0.008, "node": 0.112,
            "volume-gb": 0.096 / HOURS_A_MONTH,
        }
    )  # fmt: skip


def test_every_unit_of_the_table_is_asked_of_one_of_the_clouds(tmp_path: Path) -> None:
    assert fetched(tmp_path, AwsPrices()).keys() | azure.fetch(AzurePrices().client, "japaneast").keys() == TABLE.keys()


def test_nothing_is_found_for_a_region_that_sells_nothing(tmp_path: Path) -> None:
    assert fetched(tmp_path, AwsPrices(), "eu-west-1") == {}
    assert azure.fetch(AzurePrices().client, "westeurope") == {}


@pytest.mark.parametrize("prefix", ["", "EU-", "APN1-", "EUC1-", "USW2-", "MES1-"])
def test_a_usage_type_may_begin_with_a_short_name_of_the_region(tmp_path: Path, prefix: str) -> None:
    prices = AwsPrices([product("AmazonEC2", f"{prefix}NatGateway-Hours", "Hrs", "0.045", productFamily="NAT Gateway")])
    assert fetched(tmp_path, prices) == {"nat-gateway": 0.045}


@pytest.mark.parametrize(
    "other",
    [
        product("AmazonEC2", "APN1-NatGateway-Hours", "Hrs", "0.09", productFamily="NAT Gateway", group="x"),  # which one is meant?
        None,
    ],
)
def test_two_prices_for_one_unit_are_none(tmp_path: Path, other: dict[str, Any] | None) -> None:
    one = product("AmazonEC2", "APN1-NatGateway-Hours", "Hrs", "0.07", productFamily="NAT Gateway")
    assert fetched(tmp_path, AwsPrices([one, other or one])) == ({} if other else {"nat-gateway": 0.07})


@pytest.mark.parametrize(
    ("unit", "usd"), [("GB", "0.07"), ("Hrs", "0.0000000000"), ("Hrs", "free")], ids=["other unit", "nothing", "no number"]
)
def test_a_price_that_says_something_else_is_none(tmp_path: Path, unit: str, usd: str) -> None:
    assert fetched(tmp_path, AwsPrices([product("AmazonEC2", "APN1-NatGateway-Hours", unit, usd, productFamily="NAT Gateway")])) == {}


def test_a_price_in_another_currency_is_none(tmp_path: Path) -> None:
    one = product("AmazonEC2", "NatGateway-Hours", "Hrs", "0.427", productFamily="NAT Gateway")
    for term in one["terms"]["OnDemand"].values():
        for dimension in term["priceDimensions"].values():
            dimension["pricePerUnit"] = {"CNY": "0.427"}
    assert fetched(tmp_path, AwsPrices([one])) == {}


def test_aws_says_which_permission_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Forbidden) as error:
        fetched(tmp_path, AwsPrices(refuses="AccessDeniedException"))
    assert "GetProducts" in str(error.value.remedy)


def test_every_tier_of_azure_is_found_over_all_pages() -> None:
    prices = AzurePrices()
    assert azure.fetch(prices.client, "japaneast") == {
        "apim-Developer": 0.0658, "apim-Basic": 0.2016, "apim-Standard": 0.9407, "apim-Premium": 3.829,
        "apim-BasicV2": 0.25, "apim-StandardV2": 0.99,
    }  # fmt: skip
    assert len(prices.asked) == 4
    assert prices.asked[0].params["$filter"] == (
        "serviceName eq 'API Management' and armRegionName eq 'japaneast' and priceType eq 'Consumption'"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"unitOfMeasure": "1/Month"}, {"type": "Reservation"}, {"armRegionName": "japanwest"}, {"currencyCode": "JPY"},
        {"tierMinimumUnits": 5.0}, {"retailPrice": 0.0}, {"retailPrice": None}, {"productName": "API Management Workspace"},
    ],
)  # fmt: skip
def test_another_meter_of_azure_is_not_taken_for_the_tier(more: dict[str, Any]) -> None:
    assert azure.fetch(AzurePrices([item("Basic v2 Unit", "Basic v2", 0.25, **more)]).client, "japaneast") == {}


def test_azure_is_not_followed_to_another_host() -> None:
    prices = AzurePrices(next_host="prices.example.com")
    with pytest.raises(StepError, match=r"prices\.example\.com"):
        azure.fetch(prices.client, "japaneast")
    assert [url.host for url in prices.asked] == ["prices.azure.com"]


@pytest.mark.parametrize(
    ("prices", "kind", "said"),
    [
        (AzurePrices(down=True), Unreachable, "did not answer"),
        (AzurePrices(status=429), Throttled, "HTTP 429"),
    ],
)
def test_azure_that_cannot_be_asked_is_said(prices: AzurePrices, kind: type[StepError], said: str) -> None:
    with pytest.raises(kind, match=said):
        azure.fetch(prices.client, "japaneast")


@pytest.mark.parametrize("content", ["<html>", "[]", '{"Items": {}}'])
def test_azure_that_answers_something_else_is_said(content: str) -> None:
    client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, text=content)))
    with pytest.raises(StepError, match="it answered with"):
        azure.fetch(client, "japaneast")


def test_kept_prices_replace_the_table_for_their_region_alone(cache: Path) -> None:
    path = kept.keep("aws", "ap-northeast-1", {"nat-gateway": 0.07}, TODAY)
    assert path.stat().st_mode & 0o777 == 0o600
    found = kept.prices(Settings(), TODAY)
    assert found["nat-gateway"].told == "AWS price list of 2026-11-29, ap-northeast-1"
    assert found["nat-gateway"].usd_per_hour == 0.07
    assert found["eks-cluster"] == TABLE["eks-cluster"]
    assert kept.prices(Settings.model_validate({"platform": {"region": "eu-west-1"}}), TODAY) == TABLE


@pytest.mark.parametrize(("days", "used"), [(0, True), (30, True), (31, False), (-1, False)])
def test_kept_prices_are_used_for_thirty_days(cache: Path, days: int, used: bool) -> None:
    kept.keep("azure", "japaneast", {"apim-BasicV2": 0.25}, TODAY)
    found = kept.prices(Settings(), TODAY + timedelta(days=days))
    assert (found["apim-BasicV2"].usd_per_hour == 0.25) is used


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"date": "soon", "usd_per_hour": {}}',
        '{"date": "2026-11-29"}',
        '{"date": "2026-11-29", "usd_per_hour": {"node": "x"}}',
    ],
)
def test_a_damaged_file_is_as_none(cache: Path, content: str) -> None:
    path = kept.keep("aws", "ap-northeast-1", {"node": 1.0}, TODAY)
    path.write_text(content)
    assert kept.prices(Settings(), TODAY) == TABLE
