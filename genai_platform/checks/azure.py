"""azure.*: the chain as a caller meets it: Entra ID, API Management, the caller's own key, the model."""

from __future__ import annotations

import hashlib
import json

from genai_platform.advice import advice, genai, joined, run_genai
from genai_platform.checks import azure_refuses, bookings
from genai_platform.checks.azure_platform import AzurePlatform
from genai_platform.checks.chats import SENTENCE, flaw, line
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed, skipped
from genai_platform.render.policy import APP_ROLE
from genai_platform.tools.azure.token import claims

_NO_CHAT = "the caller may use no chat model"
_APPLY = advice("run: {}, then {}", genai("azure"), genai("verify --only 'azure.*'"))


def checks(platform: Platform) -> list[Check]:
    """The checks of this family; none while Azure is switched off."""
    if not platform.settings.azure.enabled:
        return []
    view = AzurePlatform(platform)
    return [
        FunctionCheck("azure.token", 90, lambda: token(view)),
        FunctionCheck("azure.chat", 120, lambda: chat(view)),
        FunctionCheck("azure.stream", 120, lambda: stream(view)),
        FunctionCheck("azure.key", 150, lambda: key(view)),
        *azure_refuses.checks(view),
    ]


def token(view: AzurePlatform) -> Outcome:
    """Client credentials give a token that the gateway is meant to accept."""
    client, expected, said = view.client(), view.expected(), claims(view.token())
    wrong = [
        f"{name} is {json.dumps(said.get(name))}, expected {wanted}"
        for name, wanted in (("iss", expected.issuer), ("aud", expected.audience), ("azp", client.client_id))
        if str(said.get(name, "")).lower() != wanted.lower()
    ]
    roles = said.get("roles") or []
    if APP_ROLE not in roles:
        wrong.append(f"roles are {json.dumps(roles)}, without {APP_ROLE}")
    if wrong:
        return failed("; ".join(wrong), joined("the application or its role assignment is not as it should be", _APPLY))
    return passed(f"{client.caller}: issuer, audience and role {APP_ROLE} as expected")


def chat(view: AzurePlatform) -> Outcome:
    """Caller, API Management, LiteLLM, model: whole."""
    if not view.chat_models():
        return skipped(_NO_CHAT)
    found = view.run().chat()
    if wrong := flaw(found.answer.text):
        return failed(wrong, _APPLY)
    return passed(f"{view.client().caller}: {found.model} answered in {found.answer.seconds:.1f} s: {line(found.answer.text)}")


def stream(view: AzurePlatform) -> Outcome:
    """The same, in pieces."""
    if not view.settings.apim.streaming:
        return skipped("azure.apim.streaming is off")
    if not view.chat_models():
        return skipped(_NO_CHAT)
    pieces = list(view.litellm().stream(view.chat_models()[0], SENTENCE, session=f"{view.run().session}-stream"))
    reads, text = len({piece.read for piece in pieces}), "".join(piece.text for piece in pieces)
    if wrong := flaw(text):
        return failed(f"{len(pieces)} pieces, but {wrong}", _APPLY)
    if len(pieces) < 2 or reads < 2:
        why = "the gateway collects answers: forward-request needs buffer-response=false, and Consumption cannot stream"
        return failed(f"the whole answer came in one piece ({len(pieces)} events)", joined(why, _APPLY))
    return passed(f"{len(pieces)} pieces in {reads} reads: {line(text)}")


def key(view: AzurePlatform) -> Outcome:
    """The key that LiteLLM booked this run's chat on is the one Key Vault keeps for this caller."""
    if not view.chat_models():
        return skipped(_NO_CHAT)
    client = view.client()
    stored = view.inventory().stored_key(client.client_id)
    if stored is None:
        return failed(f"Key Vault holds no key for {client.caller}", run_genai(f"keys issue {client.caller}"))
    entry = bookings.of_chat(view.platform, view.run())
    if isinstance(entry, Outcome):
        return entry
    id = entry["request_id"]
    # LiteLLM names a key in its books by the SHA-256 of its value.
    if entry.get("api_key") != hashlib.sha256(stored.get_secret_value().encode()).hexdigest():
        hint = advice("the gateway may still have an older key (5 minutes at most); then run: {}", genai(f"keys rotate {client.caller}"))
        return failed(f"{id} was booked on another key than the one in Key Vault", hint)
    spent = float(entry.get("spend") or 0)
    information = view.platform.litellm().key_info(str(entry["api_key"]))
    alias, booked = str(information.get("key_alias") or ""), float(information.get("spend") or 0)
    if view.per_caller and not alias.startswith(f"{client.client_id}."):
        return failed(f"the key in Key Vault is '{alias}', which is not {client.caller}'s", run_genai(f"keys rotate {client.caller}"))
    if booked + 1e-9 < spent:
        hint = advice("spend is written every few seconds; run: {}", genai("verify --only azure.key"))
        return failed(f"{alias} has {booked:.6f} USD booked, this chat alone cost {spent:.6f}", hint)
    return passed(f"{id} was booked on {alias or 'the shared key'}: {spent:.6f} USD, {booked:.6f} in all")
