"""Every form of C# expression that our policies may hold: a closed list, in this file only.

A form is a text with holes. A hole takes a typed value that cannot end its literal. Whatever reads a policy (the check
before it is sent, a stand-in for the gateway) recognises these forms and refuses every other expression. Types used are on
Microsoft's list for policy expressions (API Management policy expressions, 2024-05-01).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HOLES = {
    "name": r"[A-Za-z][A-Za-z0-9_-]{0,60}",
    "names": r'"[A-Za-z][A-Za-z0-9-]{0,60}"(?:, "[A-Za-z][A-Za-z0-9-]{0,60}")*',
    "text": r"[A-Za-z0-9:/._?=&-]*",
    "number": r"[0-9]{1,6}",
    "message": r"Request|Response",
}


@dataclass(frozen=True)
class Form:
    """One expression form. ``text`` holds ``<hole:kind>`` where a value goes; white space is not significant."""

    id: str
    text: str

    @property
    def pattern(self) -> re.Pattern[str]:
        parts = re.split(r"<(\w+):(\w+)>", _squeeze(self.text))
        found = "".join(
            re.escape(part) if index % 3 == 0 else f"(?P<{part}>" if index % 3 == 1 else f"{_HOLES[part]})"
            for index, part in enumerate(parts)
        )
        return re.compile(found + r"\Z")

    def fill(self, **values: str) -> str:
        """The expression with its holes filled.

        Raises:
            ValueError: a value does not have the kind its hole asks for.
        """

        def put(hole: re.Match[str]) -> str:
            value = values[hole[1]]
            if not re.fullmatch(_HOLES[hole[2]], value):
                raise ValueError(f"'{value}' cannot be used in a policy expression as {hole[2]}")
            return value

        return re.sub(r"<(\w+):(\w+)>", put, _squeeze(self.text))


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


_VAULT = 'context.Variables.GetValueOrDefault<IResponse>("vault")'

ANY_HEADER = Form("any_header", "@(new [] { <names:names> }.Any(name => context.Request.Headers.ContainsKey(name)))")
HEADER_PREFIX = Form(
    "header_prefix",
    '@(context.<message:message>.Headers.Keys.Any(name => name.StartsWith("<prefix:name>", StringComparison.OrdinalIgnoreCase)))',
)
FIRST_HEADER = Form(
    "first_header",
    """@(context.<message:message>.Headers.Keys.FirstOrDefault(name => name.StartsWith("<prefix:name>", StringComparison.OrdinalIgnoreCase))
    ?? "<prefix2:name>")""",
)
CLAIM_GUID = Form(
    "claim_guid",
    """@{ Guid id; return Guid.TryParse(((Jwt)context.Variables["<variable:name>"]).Claims.GetValueOrDefault("<claim:name>", ""), out id)
    ? id.ToString("D") : ""; }""",
)
VARIABLE_IS = Form("variable_is", '@((string)context.Variables["<variable:name>"] == "<text:text>")')
# True after a look-up that found nothing, whether that leaves the variable unset or null.
VARIABLE_EMPTY = Form(
    "variable_empty",
    '@(!context.Variables.ContainsKey("<variable:name>") || string.IsNullOrEmpty(context.Variables["<variable2:name>"] as string))',
)
VARIABLE = Form("variable", '@((string)context.Variables["<variable:name>"])')
JOIN = Form("join", '@("<before:text>" + (string)context.Variables["<variable:name>"] + "<after:text>")')
BEARER = Form("bearer", '@("Bearer " + (string)context.Variables["<variable:name>"])')
SECRET_VERDICT = Form(
    "secret_verdict",
    f"""@{{
    var answer = {_VAULT};
    if (answer == null) {{ return "unavailable"; }}
    if (answer.StatusCode == 404) {{ return "denied"; }}
    var body = answer.Body.As<string>(preserveContent: true);
    if (answer.StatusCode == 403) {{ return body.Contains("SecretDisabled") ? "denied" : "unavailable"; }}
    if (answer.StatusCode != 200) {{ return "unavailable"; }}
    try {{
      var secret = JObject.Parse(body);
      if (string.IsNullOrEmpty((string)secret["value"])) {{ return "unavailable"; }}
      var until = secret.SelectToken("attributes.exp");
      return until != null && (long)until <= DateTimeOffset.UtcNow.ToUnixTimeSeconds() ? "denied" : "ok";
    }} catch (Exception) {{ return "unavailable"; }} }}""",
)
SECRET_VALUE = Form("secret_value", f'@((string){_VAULT}.Body.As<JObject>(preserveContent: true)["value"])')
SECRET_LIFETIME = Form(
    "secret_lifetime",
    f"""@{{
    var until = {_VAULT}.Body.As<JObject>(preserveContent: true).SelectToken("attributes.exp");
    var left = until == null ? <limit:number> : (long)until - DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    return (int)Math.Min(<limit2:number>, Math.Max(1, left)); }}""",
)
RESPONSE_HEADER = Form("response_header", '@(context.Response.Headers.GetValueOrDefault("<header:name>", ""))')
RESPONSE_STATUS = Form("response_status", "@(context.Response.StatusCode == <status:number>)")

FORMS = (
    ANY_HEADER, HEADER_PREFIX, FIRST_HEADER, CLAIM_GUID, VARIABLE_IS, VARIABLE_EMPTY, VARIABLE, JOIN, BEARER,
    SECRET_VERDICT, SECRET_VALUE, SECRET_LIFETIME, RESPONSE_HEADER, RESPONSE_STATUS,
)  # fmt: skip


def recognise(expression: str) -> tuple[Form, dict[str, str]] | None:
    """The form of an expression and what its placeholders hold, or None when it has none of these forms."""
    squeezed = _squeeze(expression)
    for form in FORMS:
        if found := form.pattern.match(squeezed):
            return form, found.groupdict()
    return None
