"""The policy is made from typed values only, is checked before it is sent, and is compared by its meaning."""

from __future__ import annotations

import defusedxml.ElementTree
import pytest

from genai_platform.render import policy_forms
from genai_platform.render.policy import PolicyValues, faults, render_policy, same_policy

VALUES = {
    "environment": "prod",
    "authority": "https://login.microsoftonline.com",
    "tenant_id": "11111111-1111-4111-8111-111111111111",
    "audience": "22222222-2222-4222-8222-222222222222",
    "vault_name": "genai-prod-0a1b2c",
    "vault_url": "https://genai-prod-0a1b2c.vault.azure.net",
    "backend_id": "genai-prod-litellm",
}


def test_what_is_rendered_has_no_fault_and_no_unfilled_hole() -> None:
    for mode in ("per-caller", "shared"):
        text = render_policy(PolicyValues(**VALUES, mode=mode))  # type: ignore[arg-type]
        assert faults(text) == []
        assert "[[" not in text
    assert "{{genai-shared-key}}" in text


@pytest.mark.parametrize("mode", ["per-caller", "shared"])
def test_answers_stream_and_must_begin_within_what_api_management_honours(mode: str) -> None:
    """More than 240 seconds may not be honoured (Microsoft Learn, "forward-request policy"); so long the guide promises."""
    policy = defusedxml.ElementTree.fromstring(render_policy(PolicyValues(**VALUES, mode=mode)))  # type: ignore[arg-type]
    (forward,) = policy.iter("forward-request")
    assert (forward.get("timeout"), forward.get("buffer-response")) == ("240", "false")


@pytest.mark.parametrize("field", ["environment", "vault_name", "backend_id", "vault_url", "tenant_id", "authority"])
@pytest.mark.parametrize("hostile", ['@("x")', "{{key}}", 'a" + context.Variables["x"] + "', "https://a/@(1)", "<base />"])
def test_text_that_the_service_would_evaluate_is_refused(field: str, hostile: str) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|identifier|https address"):
        PolicyValues(**{**VALUES, field: hostile})  # type: ignore[arg-type]


def test_the_service_may_reformat_without_a_change_being_seen() -> None:
    text = render_policy(PolicyValues(**VALUES))
    reformatted = text.replace("\n", "\r\n").replace("  ", "\t").replace("&#34;", "&quot;")
    assert reformatted != text
    assert same_policy(text, reformatted)
    assert not same_policy(text, text.replace("Genai.Call", "Other.Call"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "<base />\n    <set-header",
            '<set-variable name="x" value="@(System.IO.File.ReadAllText(&quot;x&quot;))" /><set-header',
            "no known form",
        ),
        ("<on-error>\n    <base />\n  </on-error>\n", "", "in this order"),
        ("</policies>", "", "not well-formed"),
        ("Genai.Call", "Genai.@(1)", "an expression inside text"),
    ],
)
def test_a_spoiled_policy_is_named_before_it_is_sent(old: str, new: str, said: str) -> None:
    text = render_policy(PolicyValues(**VALUES))
    assert old in text
    assert said in " ".join(faults(text.replace(old, new, 1)))


def test_children_out_of_order_are_named() -> None:
    text = render_policy(PolicyValues(**VALUES))
    start, end = text.index("<audiences>"), text.index("<issuers>")
    moved = text[:start] + text[end:].replace("</required-claims>", "</required-claims>" + text[start:end], 1)
    assert "validate-jwt" in " ".join(faults(moved))


def test_the_list_of_forms_is_closed_and_short() -> None:
    assert len(policy_forms.FORMS) <= 15
    assert policy_forms.recognise('@(context.Request.Headers.GetValueOrDefault("x", ""))') is None
