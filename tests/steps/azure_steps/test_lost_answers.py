"""A connection that ends after a request arrived: the answer is lost, and what was asked is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from urllib3.exceptions import ProtocolError

from genai_platform.errors import Unreachable

from .world import AzureWorld, up


class Network:
    """Loses the first answer to each of these requests to Graph."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends: str) -> None:
        self.sent: list[str] = []
        self.lost: set[str] = set()
        send, network = requests.adapters.HTTPAdapter.send, self

        def lossy(self: Any, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            answer = send(self, request, *args, **kwargs)
            path = str(request.url).partition("?")[0]
            if request.method not in ("POST", "PATCH") or not path.endswith(ends):
                return answer
            network.sent.append(path)
            if path not in network.lost:
                network.lost.add(path)
                raise requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError()), request=request)
            return answer

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lossy)


def test_what_is_the_same_the_second_time_is_asked_again(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, "/applications", "/servicePrincipals", "/appRoleAssignedTo")
    world.configure(callers={"team-a": {"models": ["gpt-4o-mini"]}})
    up(world)
    assert {path.rpartition("/")[2] for path in network.lost} == {"applications", "servicePrincipals", "appRoleAssignedTo"}
    assert up(world) == []


def test_a_client_secret_is_not_made_twice(world: AzureWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = world.clients().azure.graph
    application = graph.ensure_application(f"lost-{world.environment}", {})
    network = Network(monkeypatch, "/addPassword")
    with pytest.raises(Unreachable, match="make a client secret"):
        graph.add_password(str(application["id"]), "first", datetime.now(UTC) + timedelta(days=1))
    assert len(network.sent) == 1
