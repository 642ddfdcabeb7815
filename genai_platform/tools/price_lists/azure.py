"""Unit prices from the Azure Retail Prices API, which asks for no credentials.

Source: "Azure Retail Prices overview" (Microsoft Learn): ``Items``, at most 1000 a page, and ``NextPageLink``; values in a filter
are case-sensitive. Not run against the real service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from genai_platform.config.unit_prices import APIM_METERS
from genai_platform.errors import StepError, Unreachable, of_status

URL = "https://prices.azure.com/api/retail/prices"
_PAGES = 50


def fetch(client: httpx.Client, region: str) -> dict[str, float]:
    """US dollars an hour by unit, of the units whose price was found without doubt.

    Raises:
        StepError: Azure could not be reached, refused, or answered with something else.
    """
    asked = f"serviceName eq 'API Management' and armRegionName eq '{region}' and priceType eq 'Consumption'"
    items = list(_items(client, asked))
    found: dict[str, float] = {}
    for sku, meter in APIM_METERS.items():
        prices = {float(item["retailPrice"]) for item in items if _fits(item, meter, region)}
        if len(prices) == 1:
            found[f"apim-{sku}"] = prices.pop()
    return found


def _fits(item: Mapping[str, Any], meter: str, region: str) -> bool:
    price = item.get("retailPrice")
    return (
        item.get("meterName") == f"{meter} Unit"
        and item.get("skuName") == meter
        and item.get("productName") == "API Management"
        and item.get("unitOfMeasure") == "1 Hour"
        and item.get("type") == "Consumption"
        and item.get("armRegionName") == region
        and item.get("currencyCode") == "USD"
        and not item.get("tierMinimumUnits")
        and isinstance(price, int | float)
        and price > 0
    )


def _items(client: httpx.Client, asked: str) -> Iterator[dict[str, Any]]:
    url: httpx.URL = httpx.URL(URL, params={"$filter": asked})
    for _ in range(_PAGES):
        document = _page(client, url)
        items, following = document.get("Items"), document.get("NextPageLink")
        if not isinstance(items, list):
            raise _strange("no list of Items")
        yield from (item for item in items if isinstance(item, dict))
        if not following:
            return
        url = httpx.URL(str(following))
        if (url.scheme, url.host) != ("https", httpx.URL(URL).host):
            raise _strange(f"a next page at {url.host}")
    raise _strange(f"more than {_PAGES} pages")


def _page(client: httpx.Client, url: httpx.URL) -> dict[str, Any]:
    try:
        answer = client.get(url)
    except httpx.HTTPError as error:
        raise Unreachable(
            f"could not read Azure's prices: {url.host} did not answer ({type(error).__name__})",
            remedy="check the network and any proxy, then run the same command again",
            id="prices.unreachable",
        ) from None
    if answer.status_code != 200:
        raise of_status(answer.status_code)(f"could not read Azure's prices: HTTP {answer.status_code}", id="prices.refused")
    try:
        document = answer.json()
    except ValueError:
        raise _strange("something else than JSON") from None
    if not isinstance(document, dict):
        raise _strange("something else than an object")
    return document


def _strange(what: str) -> StepError:
    return StepError(f"could not read Azure's prices: it answered with {what}", id="prices.answer")
