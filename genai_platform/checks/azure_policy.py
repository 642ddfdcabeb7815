"""Reads back what the deployed policy demands, for refusals that nobody can provoke on the real cloud."""

from __future__ import annotations

from genai_platform.checks.azure_platform import Expected
from genai_platform.render import policy_forms as forms
from genai_platform.render.policy import APP_ROLE, parse

_LONGEST_SKEW = 300


class Deployed:
    """A policy as the service returns it.

    Raises ``ValueError`` on construction when it is not XML.
    """

    def __init__(self, text: str) -> None:
        self._root = parse(text)
        self._jwt = self._root.find("inbound/validate-jwt")

    def expiry(self) -> str | None:
        """What is wrong with how it treats expired tokens; None when nothing is."""
        if self._jwt is None:
            return _NO_JWT
        if self._jwt.get("require-expiration-time", "true").lower() != "true":
            return "tokens without an expiry are accepted"
        skew = self._jwt.get("clock-skew", "0")
        return None if skew.isdigit() and int(skew) <= _LONGEST_SKEW else f"clock-skew is {skew}"

    def tenant(self, expected: Expected) -> str | None:
        """What is wrong with the issuers and signing keys it accepts."""
        if self._jwt is None:
            return _NO_JWT
        keys = [part.get("url") for part in self._jwt.iter("openid-config")]
        if keys != [expected.openid_config]:
            return f"signing keys come from {_list(keys)}"
        issuers = self._texts("issuers/issuer")
        return None if issuers == [expected.issuer] else f"accepted issuers: {_list(issuers)}"

    def audience(self, expected: Expected) -> str | None:
        """What is wrong with the audiences it accepts."""
        found = self._texts("audiences/audience")
        return _NO_JWT if self._jwt is None else None if found == [expected.audience] else f"accepted audiences: {_list(found)}"

    def role(self) -> str | None:
        """What is wrong with the role it demands."""
        if self._jwt is None:
            return _NO_JWT
        for claim in self._jwt.findall("required-claims/claim"):
            if claim.get("name") == "roles" and [(value.text or "").strip() for value in claim.findall("value")] == [APP_ROLE]:
                return None
        return f"the role {APP_ROLE} is not required"

    def verdict(self, text: str, status: int) -> str | None:
        """What is wrong with the answer it gives when the look-up of a key ends as ``denied`` or ``unavailable``."""
        for block in self._root.iter("when"):
            found = forms.recognise(block.get("condition", ""))
            if found and found[0] is forms.VARIABLE_IS and found[1] == {"variable": "verdict", "text": text}:
                given = block.find("return-response/set-status")
                code = given.get("code") if given is not None else None
                return None if code == str(status) else f"a look-up that is {text} answers {code or 'nothing of its own'}"
        return f"a look-up that is {text} is not answered"

    def _texts(self, path: str) -> list[str]:
        return [(part.text or "").strip() for part in self._jwt.findall(path)] if self._jwt is not None else []


_NO_JWT = "tokens are not validated"


def _list(found: list[str] | list[str | None]) -> str:
    return ", ".join(str(entry) for entry in found) or "none"
