"""Names in a policy expression that the real service would compile: types and members outside the list are refused.

Nothing here compiles C#. But a typing error in a form shows as a name that no documentation has, and such a policy must not be
deployed. Source: Microsoft Learn, "API Management policy expressions" (allowed types; ``context`` variable), and .NET's reference.
"""

from __future__ import annotations

import re

_WORDS = """
DateTimeOffset Exception Guid IResponse JObject JToken Jwt Math StringComparison bool int long new object string var as catch
context else false if null out return true try
"""
_MEMBERS = """
Any As Body Claims Contains ContainsKey FirstOrDefault GetValueOrDefault Headers IsNullOrEmpty Keys Max Min OrdinalIgnoreCase
Parse Request Response SelectToken StartsWith StatusCode ToString ToUnixTimeSeconds TryParse UtcNow Variables
"""
_TEXT = re.compile(r'"[^"]*"')
_DECLARED = re.compile(r"\b(?:var|Guid)\s+([a-z]\w*)|\b([a-z]\w*)\s*=>|\b([a-z]\w*):")


def unknown(expression: str) -> list[str]:
    """Names that are neither a known type or member nor declared in the expression itself, sorted."""
    code = _TEXT.sub('""', expression)
    own = {name for found in _DECLARED.findall(code) for name in found if name}
    members = set(re.findall(r"\.\s*([A-Za-z_]\w*)", code))
    others = set(re.findall(r"(?<![.\w])([A-Za-z_]\w*)", code)) - own
    return sorted((members - set(_MEMBERS.split())) | (others - set(_WORDS.split())))
