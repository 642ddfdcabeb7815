"""The gateway executes the policy that is deployed, over a world of an authority, a vault and a backend."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from genai_platform.render import policy_forms
from genai_platform.render.policy import INNER_HEADERS, PolicyValues, render_policy
from genai_platform.render.policy_forms import Form
from genai_platform.sandbox.azure.gateway.execute import Answer, Cache, Executor
from genai_platform.sandbox.azure.gateway.expressions import Context
from genai_platform.sandbox.azure.gateway.program import compile_policy, inherited
from genai_platform.sandbox.azure.gateway.tokens import Tokens

TENANT = "11111111-1111-4111-8111-111111111111"
API = "22222222-2222-4222-8222-222222222222"
CALLER = "33333333-3333-4333-8333-333333333333"
VALUES = PolicyValues(
    "test", "https://login.test", TENANT, API, "genai-test-vault", "https://genai-test-vault.vault.test", "genai-test-litellm"
)
ISSUER = f"https://login.test/{TENANT}/v2.0"


class World:
    """An authority with one signing key, and a vault whose answer the test chooses."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.vault: Callable[[], httpx.Response] = lambda: httpx.Response(200, json={"value": "sk-callers-own", "attributes": {}})
        self.vault_calls = 0
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))
        self.executor = Executor(Tokens(self.client), Cache(), self.client, lambda resource: f"identity for {resource}")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/.well-known/openid-configuration"):
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": "https://login.test/keys"})
        if request.url.path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return httpx.Response(200, json={"keys": [{**public, "kid": "one", "use": "sig"}]})
        assert request.url == f"{VALUES.vault_url}/secrets/litellm-{CALLER}?api-version=7.4"
        assert request.headers["authorization"] == "Bearer identity for https://vault.azure.net"
        self.vault_calls += 1
        return self.vault()

    def token(self, **changed: Any) -> str:
        claims = {"iss": ISSUER, "aud": API, "azp": CALLER, "roles": ["Genai.Call"], "exp": int(time.time()) + 600}
        claims.update(changed)
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "one"})

    def inbound(self, headers: dict[str, str], policy: str = render_policy(VALUES)) -> tuple[Answer | None, Context]:
        context = Context("POST", {name.lower(): value for name, value in headers.items()})
        return self.executor.section(compile_policy(policy), "inbound", context), context

    def call(self, **claims: Any) -> tuple[Answer | None, Context]:
        return self.inbound({"Authorization": f"Bearer {self.token(**claims)}"})


@pytest.fixture
def world() -> World:
    return World()


def test_the_callers_own_key_takes_the_tokens_place(world: World) -> None:
    answer, context = world.call()
    assert answer is None
    assert context.headers["authorization"] == "Bearer sk-callers-own"
    assert context.backend_id == "genai-test-litellm"


def test_the_load_balancers_header_is_the_named_values_and_not_the_callers(world: World) -> None:
    context = Context(
        "POST", {"authorization": f"Bearer {world.token()}", "x-genai-gateway": "guess"}, named_values={"genai-gateway": "secret"}
    )
    assert world.executor.section(compile_policy(render_policy(VALUES)), "inbound", context) is None
    assert context.headers["x-genai-gateway"] == "secret"


def test_the_key_is_looked_up_once_and_then_cached(world: World) -> None:
    for _ in range(3):
        world.call()
    assert world.vault_calls == 1


@pytest.mark.parametrize("left", ["unset", "null"])
def test_the_vault_is_asked_whatever_a_look_up_leaves_that_found_nothing(world: World, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if left == "null":
        missed = lambda self, node, context: context.variables.__setitem__(node.get("variable-name"), None)  # noqa: E731
        monkeypatch.setattr(Executor, "_lookup", missed)
        world.executor = Executor(Tokens(world.client), Cache(), world.client, lambda resource: f"identity for {resource}")
    answer, context = world.call()
    assert answer is None
    assert context.headers["authorization"] == "Bearer sk-callers-own"
    assert world.vault_calls == 1


def test_a_form_of_expression_that_is_not_listed_is_refused() -> None:
    policy = render_policy(VALUES)
    listed = "!context.Variables.ContainsKey(&#34;virtual-key&#34;) ||"
    assert listed in policy
    with pytest.raises(ValueError, match="expression form that this gateway does not know"):
        compile_policy(policy.replace(listed, "context.Variables.Count == 0 ||"))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "44444444-4444-4444-8444-444444444444"},
        {"iss": "https://login.test/99999999-9999-4999-8999-999999999999/v2.0"},
        {"exp": 1_000_000_000},
        {"roles": None},
        {"roles": ["Other"]},
        {"azp": None},
        {"azp": "../other"},
    ],
)
def test_a_token_that_must_not_pass_is_401_and_the_vault_is_not_asked(world: World, claims: dict[str, Any]) -> None:
    answer, _ = world.call(**claims)
    assert answer is not None
    assert answer.status == 401
    assert world.vault_calls == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer garbage"}, {"Authorization": "Basic eDp5"}])
def test_no_token_or_garbage_is_401(world: World, headers: dict[str, str]) -> None:
    answer, _ = world.inbound(headers)
    assert answer is not None
    assert answer.status == 401


def test_a_token_signed_by_somebody_else_is_401(world: World) -> None:
    stranger = World().token()
    answer, _ = world.inbound({"Authorization": f"Bearer {stranger}"})
    assert answer is not None
    assert answer.status == 401


@pytest.mark.parametrize("name", ["x-litellm-api-key", "API-Key", "x-api-key", "x-goog-api-key", "X-Litellm-Key"])
def test_a_foreign_key_header_is_400_before_any_vault_call(world: World, name: str) -> None:
    answer, _ = world.inbound({"Authorization": f"Bearer {world.token()}", name: "sk-other"})
    assert answer is not None
    assert answer.status == 400
    assert world.vault_calls == 0


def test_other_litellm_headers_and_the_subscription_key_are_deleted(world: World) -> None:
    others = {f"X-LiteLLM-{name}": "a" for name in ("Tags", "Timeout", "Unheard-Of")}
    answer, context = world.inbound({"Authorization": f"Bearer {world.token()}", "Ocp-Apim-Subscription-Key": "b", **others})
    assert answer is None
    assert set(context.headers) == {"authorization", "x-genai-gateway"}


def test_more_litellm_headers_than_can_be_deleted_are_refused(world: World) -> None:
    others = {f"x-litellm-{number}": "a" for number in range(17)}
    answer, _ = world.inbound({"Authorization": f"Bearer {world.token()}", **others})
    assert answer is not None
    assert (answer.status, world.vault_calls) == (400, 0)


def fail() -> httpx.Response:
    raise httpx.ConnectError("no route")


@pytest.mark.parametrize(
    ("vault", "status"),
    [
        (lambda: httpx.Response(404, json={"error": {"code": "SecretNotFound"}}), 403),
        (lambda: httpx.Response(403, json={"error": {"code": "Forbidden", "innererror": {"code": "SecretDisabled"}}}), 403),
        (lambda: httpx.Response(200, json={"value": "sk-x", "attributes": {"exp": 1_000_000_000}}), 403),
        (lambda: httpx.Response(403, json={"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}}), 503),
        (lambda: httpx.Response(200, json={"value": ""}), 503),
        (lambda: httpx.Response(200, text="not json"), 503),
        (lambda: httpx.Response(500), 503),
        (fail, 503),
    ],
)
def test_without_a_usable_key_it_fails_closed(world: World, vault: Callable[[], httpx.Response], status: int) -> None:
    world.vault = vault
    answer, _ = world.call()
    assert answer is not None
    assert answer.status == status
    assert "sk-" not in json.dumps([answer.body, dict(answer.headers)])
    world.vault = lambda: httpx.Response(200, json={"value": "sk-later", "attributes": {}})
    assert world.call()[0] is None, "a failure must not be cached"


def test_a_401_from_behind_evicts_the_key_and_becomes_503(world: World) -> None:
    _, context = world.call()
    context.response_status = 401
    answer = world.executor.section(compile_policy(render_policy(VALUES)), "outbound", context)
    assert answer is not None
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    world.call()
    assert world.vault_calls == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<base />", "<rate-limit calls='1' renewal-period='1' />", "<rate-limit> in inbound is not known"),
        ("<forward-request", "<base /><forward-request", "never both"),
        ('match="any"', 'separator=","', "attribute separator"),
        ('clock-skew="60"', 'clock-skew="@(DateTime.Now.Second)"', "expression form"),
        ("<on-error>", "<finally>", "well-formed"),
    ],
)
def test_what_the_gateway_does_not_know_is_refused_at_deployment(old: str, new: str, said: str) -> None:
    policy = render_policy(VALUES)
    assert old in policy
    with pytest.raises(ValueError, match=said):
        compile_policy(policy.replace(old, new, 1))


def test_the_policy_of_the_whole_service_runs_where_base_stands(world: World) -> None:
    theirs = '<set-header name="Authorization" exists-action="override"><value>Bearer theirs</value></set-header>'
    base = compile_policy(f"<policies><inbound>{theirs}</inbound><backend /><outbound /><on-error /></policies>")
    program = inherited(compile_policy(render_policy(VALUES)), base)
    context = Context("POST", {"authorization": f"Bearer {world.token()}"})
    answer = world.executor.section(program, "inbound", context)
    assert answer is not None
    assert answer.status == 401, "what a global policy puts into Authorization takes the token's place"


def outbound(world: World, status: int, headers: dict[str, str], mode: str = "per-caller") -> tuple[Answer | None, Context]:
    """What the policy makes of an answer of LiteLLM, for a caller whose key was cached before."""
    _, context = world.call()
    context.response_status, context.headers = status, headers
    return world.executor.section(compile_policy(render_policy(replace(VALUES, mode=mode))), "outbound", context), context


def test_a_refused_virtual_key_is_looked_up_again(world: World) -> None:
    answer, _ = outbound(world, 401, {"content-type": "application/json"})
    assert answer is not None
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    world.call()
    assert world.vault_calls == 2


@pytest.mark.parametrize("mode", ["per-caller", "shared"])
def test_a_refused_key_of_the_platform_is_told_and_evicts_nobody(world: World, mode: str) -> None:
    answer, _ = outbound(world, 401, {"llm_provider-x-ms-region": "Japan East", "x-litellm-call-id": "c"}, mode)
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (502, "upstream_key_refused")
    world.call()
    assert world.vault_calls == 1


def test_inner_headers_stay_inside(world: World) -> None:
    """Names as LiteLLM 1.106.2 sends them, and some that it may send one day."""
    inner = {f"x-litellm-{name}": "x" for name in (*INNER_HEADERS, "new-one", "new-two")}
    provider = {f"llm_provider-{number}": "x" for number in range(30)}
    kept = {"content-type": "application/json", "retry-after": "5", "x-ratelimit-remaining-tokens": "9"}
    answer, context = outbound(world, 429, {**inner, **provider, **kept, "access-control-allow-origin": "*", "x-litellm-call-id": "the-id"})
    assert answer is None
    assert context.headers == kept | {"x-request-id": "the-id"}
    _, without_id = outbound(world, 422, dict(kept))
    assert without_id.headers == kept


def test_the_shared_policy_fits_into_consumption() -> None:
    assert len(render_policy(replace(VALUES, mode="shared")).encode()) < 16 * 1024


@pytest.mark.parametrize(("right", "wrong"), [("StatusCode", "StatusCod"), ("Guid.TryParse", "Guid.TryParze"), ("JObject", "JObjekt")])
def test_a_name_that_no_policy_expression_has_is_refused(right: str, wrong: str) -> None:
    """As if a form held a typing error: the service would not compile it."""
    typed = [Form(form.id, form.text.replace(right, wrong)) for form in policy_forms.FORMS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy_forms, "FORMS", tuple(typed))
        with pytest.raises(ValueError, match=f"not known to policy expressions: {wrong.split('.')[-1]}"):
            compile_policy(render_policy(VALUES).replace(right, wrong))
