"""The clouds' price lists as their documentation shows them: one answers for AWS, one for Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from botocore.exceptions import ClientError


def product(service: str, usage: str, unit: str, usd: str, **attributes: str) -> dict[str, Any]:
    """One entry of ``PriceList``, as the AWS Billing user guide prints it. ``productFamily`` lies beside the attributes."""
    sku, family = f"SKU{abs(hash((service, usage, tuple(attributes.items())))) % 10**9}", attributes.pop("productFamily", None)
    dimension = {
        "unit": unit, "endRange": "Inf", "beginRange": "0", "description": f"${usd} per {unit}", "appliesTo": [],
        "rateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7", "pricePerUnit": {"USD": usd},
    }  # fmt: skip
    term = {
        "priceDimensions": {f"{sku}.JRTCKXETXF.6YS6EN2CT7": dimension}, "sku": sku, "effectiveDate": "2026-11-01T00:00:00Z",
        "offerTermCode": "JRTCKXETXF", "termAttributes": {},
    }  # fmt: skip
    known = {"servicecode": service, "usagetype": usage, "regionCode": "ap-northeast-1", "location": "Asia Pacific (Tokyo)", **attributes}
    return {
        "product": {"sku": sku, "attributes": known, **({"productFamily": family} if family else {})},
        "serviceCode": service,
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
        "version": "20261101000000",
        "publicationDate": "2026-11-01T00:00:00Z",
    }


INSTANCE = {
    "instanceType": "m6a.large", "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
    "productFamily": "Compute Instance",
}  # fmt: skip
BALANCER = {"productFamily": "Load Balancer-Application", "operation": "LoadBalancing:Application"}
CACHE = {"instanceType": "cache.t4g.small", "productFamily": "Cache Instance"}


def tokyo() -> list[dict[str, Any]]:
    """What is asked for, and what lies beside it."""
    return [
        product("AWSSecretsManager", "APN1-AWSSecretsManager-Secrets", "Secrets", "0.4000000000", productFamily="Secret"),
        product("AWSSecretsManager", "APN1-AWSSecretsManagerAPIRequest", "API Requests", "0.0000050000", productFamily="API Request"),
        product("AmazonEC2", "APN1-NatGateway-Hours", "Hrs", "0.0700000000", productFamily="NAT Gateway"),
        product("AmazonEC2", "APN1-RegionalNatGateway-Hours", "Hrs", "0.0620000000", productFamily="NAT Gateway"),
        product("AmazonEC2", "APN1-NatGateway-Bytes", "GB", "0.0620000000", productFamily="NAT Gateway"),
        product("AmazonVPC", "APN1-PublicIPv4:InUseAddress", "Hrs", "0.0060000000"),
        product("AmazonVPC", "APN1-PublicIPv4:IdleAddress", "Hrs", "0.0050000000"),
        product("AmazonEKS", "APN1-AmazonEKS-Hours:perCluster", "Hours", "0.1100000000", productFamily="Compute"),
        product("AmazonEKS", "APN1-AmazonEKS-Hours:extendedSupport", "Hours", "0.5000000000", productFamily="Compute"),
        product("AmazonEKS", "APN1-EKS-Auto:m6a.large-management-hours", "Hours", "0.0140000000"),
        product("AmazonEKS", "APN1-EKS-Auto:m6a.xlarge-management-hours", "Hours", "0.0280000000"),
        product("AmazonRDS", "APN1-Aurora:ServerlessV2Usage", "ACU-Hr", "0.2000000000", databaseEngine="Aurora PostgreSQL"),
        product("AmazonRDS", "APN1-Aurora:ServerlessV2IOOptimizedUsage", "ACU-Hr", "0.2600000000", databaseEngine="Aurora PostgreSQL"),
        product("AmazonElastiCache", "APN1-NodeUsage:cache.t4g.small", "Hrs", "0.0490000000", cacheEngine="Redis", **CACHE),
        product("AmazonElastiCache", "APN1-NodeUsage:cache.t4g.small", "Hrs", "0.0392000000", cacheEngine="Valkey", **CACHE),
        product(
            "AmazonElastiCache",
            "APN1-ExtendedSupportYr1_Yr2-NodeUsage:cache.t4g.small",
            "Hrs",
            "0.0380000000",
            cacheEngine="Redis",
            **CACHE,
        ),
        product("AWSELB", "APN1-LoadBalancerUsage", "Hrs", "0.0250000000", **BALANCER),
        product("AWSELB", "APN1-LCUUsage", "LCU-Hrs", "0.0080000000", **BALANCER),
        product("AmazonEC2", "APN1-BoxUsage:m6a.large", "Hrs", "0.1120000000", **INSTANCE),
        product("AmazonEC2", "APN1-EBS:VolumeUsage.gp3", "GB-Mo", "0.0960000000", productFamily="Storage", volumeApiName="gp3"),
    ]


@dataclass
class AwsPrices:
    """``GetProducts``: filters by TERM_MATCH, and answers one page after another."""

    products: list[dict[str, Any]] = field(default_factory=tokyo)
    refuses: str = ""
    """The error code it answers with."""
    asked: int = 0

    def get_paginator(self, name: str) -> AwsPrices:
        assert name == "get_products"
        return self

    def paginate(self, *, ServiceCode: str, Filters: list[dict[str, str]], FormatVersion: str) -> Iterator[dict[str, Any]]:
        self.asked += 1
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": "not allowed"}}, "GetProducts")
        assert FormatVersion == "aws_v1"
        assert all(one["Type"] == "TERM_MATCH" for one in Filters)
        found = [one for one in self.products if one["serviceCode"] == ServiceCode and self._fits(one["product"], Filters)]
        for one in found:
            yield {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one)], "NextToken": "more"}
        yield {"FormatVersion": "aws_v1", "PriceList": []}

    @staticmethod
    def _fits(found: dict[str, Any], filters: list[dict[str, str]]) -> bool:
        known = {**found["attributes"], "productFamily": found.get("productFamily")}
        return all(known.get(one["Field"]) == one["Value"] for one in filters)


def item(meter: str, sku: str, usd: float, **more: Any) -> dict[str, Any]:
    """One of ``Items``, as Microsoft Learn prints it."""
    return {
        "currencyCode": "USD", "tierMinimumUnits": 0.0, "retailPrice": usd, "unitPrice": usd, "armRegionName": "japaneast",
        "location": "JA East", "effectiveStartDate": "2026-11-01T00:00:00Z", "meterId": "0001", "meterName": meter,
        "productId": "DZH318Z0BQQ7", "skuId": "DZH318Z0BQQ7/0001", "availabilityId": None, "productName": "API Management",
        "skuName": sku, "serviceName": "API Management", "serviceId": "DZH3180HX5R0", "serviceFamily": "Developer Tools",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "isPrimaryMeterRegion": True, "armSkuName": "", **more,
    }  # fmt: skip


def japan() -> list[dict[str, Any]]:
    """The tiers, and what lies beside them."""
    return [
        item("Developer Unit", "Developer", 0.0658),
        item("Basic Unit", "Basic", 0.2016),
        item("Standard Unit", "Standard", 0.9407),
        item("Premium Unit", "Premium", 3.829),
        item("Premium Unit", "Premium", 2849.0, unitOfMeasure="1/Month"),
        item("Consumption Calls", "Consumption", 0.042, unitOfMeasure="10K"),
        item("Basic v2 Unit", "Basic v2", 0.25),
        item("Basic v2 Calls", "Basic v2", 0.03, unitOfMeasure="10K"),
        item("Standard v2 Unit", "Standard v2", 0.99),
        item("Premium v2 Unit", "Premium v2", 3.84),
    ]


@dataclass
class AzurePrices:
    """``GET /api/retail/prices``: pages of three, and each names the next."""

    items: list[dict[str, Any]] = field(default_factory=japan)
    status: int = 200
    next_host: str = "prices.azure.com:443"
    down: bool = False
    asked: list[httpx.URL] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        if self.down:
            raise httpx.ConnectError("no route", request=request)
        if self.status != 200:
            return httpx.Response(self.status, request=request)
        start = int(request.url.params.get("$skip", 0))
        wanted = request.url.params.get("$filter", "")
        following = start + 3 if start + 3 < len(self.items) else None
        link = httpx.URL(f"https://{self.next_host}/api/retail/prices", params={"$filter": wanted, "$skip": str(following)})
        document = {
            "BillingCurrency": "USD", "CustomerEntityId": "Default", "CustomerEntityType": "Retail",
            "Items": self.items[start : start + 3], "NextPageLink": str(link) if following else None, "Count": 3,
        }  # fmt: skip
        return httpx.Response(200, json=document, request=request)

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))
