"""``genai cost``, and what ``status`` says of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from genai_platform.engine.step import State
from genai_platform.tools.aws.client import Aws
from tests.cli.conftest import Shell
from tests.price_lists import AwsPrices, AzurePrices
from tests.worlds import World


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> AwsPrices:
    prices, others = AwsPrices(), Aws.client

    def client(self: Aws, name: str, region: str | None = None) -> Any:
        return prices if name == "pricing" else others(self, name, region)

    monkeypatch.setattr(Aws, "client", client)
    return prices


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> AzurePrices:
    prices = AzurePrices()
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda self, request: prices(request))
    return prices


def sources(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(unit["source"], unit["region"]) for part in document["parts"] for unit in part["units"]}


def test_each_part_is_its_units_times_their_prices(shell: Shell) -> None:
    document = shell("cost", "--json").document
    for part in document["parts"]:
        assert part["usd_per_hour"] == pytest.approx(sum(one["quantity"] * one["usd_per_hour"] for one in part["units"]), abs=1e-4)
    assert document["usd_per_day"] == pytest.approx(document["usd_per_hour"] * 8, abs=0.01)
    assert document["usd_per_month"] == pytest.approx(document["usd_per_hour"] * 730, abs=0.01)
    assert sources(document) == {("built-in table", "ap-northeast-1")}


def test_another_region_is_said_plainly(shell: Shell) -> None:
    answer = shell("cost", "--set", "platform.region=eu-west-1")
    assert "prices: built-in table of 2026-11-29, ap-northeast-1 (approximate list prices); eu-west-1 differs" in answer.out
    document = shell("cost", "--json", "--set", "platform.region=eu-west-1").document
    assert {unit["of_this_region"] for part in document["parts"] for unit in part["units"]} == {False}


def test_shapes_are_shown_side_by_side_and_one_can_be_split(shell: Shell) -> None:
    document = shell("cost", "--json").document
    by_name = {one["name"]: one for one in document["presets"]}
    assert list(by_name) == ["small", "gateway", "available", "production"]
    split = shell("cost", "--json", "--preset", "production").document
    assert split["preset"] == "production"
    assert split["usd_per_hour"] == by_name["production"]["usd_per_hour"]
    assert {"API Management StandardV2", "2 NAT gateways with address"} <= {part["part"] for part in split["parts"]}
    refused = shell("cost", "--preset", "huge")
    assert refused.code == 2
    assert "small, gateway, available, production" in refused.err


def test_fetched_prices_are_used_by_every_command(shell: Shell, aws: AwsPrices, azure: AzurePrices, world: World) -> None:
    before = shell("plan", "--json").document["estimate"]["usd_per_hour"]
    assert aws.asked == len(azure.asked) == 0
    answer = shell("cost", "--json", "--refresh")
    assert answer.code == 0
    document = answer.document
    assert sources(document) == {("AWS price list", "ap-northeast-1")}
    assert {unit["date"] for part in document["parts"] for unit in part["units"]} == {datetime.now(UTC).date().isoformat()}
    asked = aws.asked, len(azure.asked)
    gateway = shell("cost", "--json", "--preset", "gateway").document
    assert sources(gateway) == {("AWS price list", "ap-northeast-1"), ("Azure retail price list", "japaneast")}
    # The network alone: a NAT gateway and its address.
    after = shell("plan", "--json").document["estimate"]["usd_per_hour"]
    assert after != before
    world.there = {"infra.network"}
    assert shell("status", "--json").document["usd_per_hour"] == pytest.approx(0.07 + 0.006)
    assert (aws.asked, len(azure.asked)) == asked  # only --refresh asks


def test_a_unit_that_is_not_found_keeps_the_tables_price_and_says_so(shell: Shell, aws: AwsPrices, azure: AzurePrices) -> None:
    aws.products = [one for one in aws.products if one["serviceCode"] != "AmazonRDS"]
    answer = shell("cost", "--refresh")
    assert answer.code == 0
    assert "not found in the AWS price list, so the table's price stays: aurora-acu" in answer.err
    assert "prices: built-in table of 2026-11-29, ap-northeast-1 (approximate list prices): aurora-acu" in answer.out


def test_a_price_list_that_cannot_be_asked_leaves_the_prices_as_they_were(shell: Shell, aws: AwsPrices, azure: AzurePrices) -> None:
    aws.refuses, azure.down = "AccessDeniedException", True
    answer = shell("cost", "--json", "--refresh")
    assert answer.code == 1
    assert "the identity needs the permission for GetProducts" in answer.err
    assert "prices.azure.com did not answer" in answer.err
    assert sources(answer.document) == {("built-in table", "ap-northeast-1")}


def test_a_sandbox_asks_no_price_list(shell: Shell, aws: AwsPrices, azure: AzurePrices) -> None:
    answer = shell("cost", "--sandbox", "--json", "--refresh")
    assert answer.code == 2
    assert answer.document["error"]["id"] == "cost.refresh"
    assert aws.asked == len(azure.asked) == 0
    assert sources(shell("cost", "--sandbox", "--json").document) == {("built-in table", "ap-northeast-1"), ("built-in table", "japaneast")}


def earlier(shell: Shell, hours: float, environment: str = "default") -> None:
    """Let what the journal tells have happened earlier."""
    path = shell.folder / ".genai" / environment / "journal.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        event["time"] = (datetime.fromisoformat(event["time"]) - timedelta(hours=hours)).isoformat(timespec="milliseconds")
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_what_was_spent_since_up(shell: Shell) -> None:
    assert shell("cost", "--json").document["spent"] is None
    shell("up")
    earlier(shell, 5)
    status = shell("status", "--json").document
    # The clock went on for the length of a command.
    assert status["spent"]["usd"] == pytest.approx(5 * status["usd_per_hour"], rel=0.05)
    assert datetime.fromisoformat(status["spent"]["since"]) < datetime.now(UTC) - timedelta(hours=5) + timedelta(seconds=1)
    cost = shell("cost", "--json").document
    assert cost["spent"]["usd"] == pytest.approx(status["spent"]["usd"], rel=0.05)
    network = shell("infra", "show", "--json").document  # of its steps alone
    assert network["spent"]["usd"] == pytest.approx(5 * network["usd_per_hour"], rel=0.05)
    assert network["usd_per_hour"] < status["usd_per_hour"]
    assert shell("cost", "--json", "--preset", "small").document["spent"] is None
    told = f"spent about ${cost['spent']['usd']:.2f} since "
    assert told in shell("cost").out
    assert told in shell("status").out


def test_nothing_is_known_of_what_was_built_or_removed_elsewhere(shell: Shell, world: World) -> None:
    world.there = {"infra.network"}
    shell("up")
    assert shell("status", "--json").document["spent"] is None
    assert shell("cost", "--json").document["spent"] is None
    shell("down", "--yes")
    shell("up")
    assert shell("status", "--json").document["spent"] is not None
    world.there.discard("infra.cluster")
    assert shell("status", "--json").document["spent"] is None
    world.there.add("infra.cluster")
    world.states["infra.cluster"] = State.UNKNOWN  # not seen, and not taken for absent
    assert shell("status", "--json").document["spent"] is not None


def test_nothing_is_spent_in_a_sandbox(shell: Shell) -> None:
    shell("up", "--sandbox")
    earlier(shell, 5, "sandbox")
    out = shell("cost", "--sandbox").out
    assert "spent nothing here (about $" in out
    assert " on the real clouds)" in out
