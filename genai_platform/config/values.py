"""What a single value of the configuration may be. What a validator raises is what the value should have been."""

from __future__ import annotations

import ipaddress
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from genai_platform.config import api_base
from genai_platform.config.durations import DURATION
from genai_platform.config.names import NAME, NAME_LENGTH

REGION = "ap-northeast-1"
"""The AWS region where none is configured."""
_NOT_PUBLIC = [
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]


class Table(BaseModel):
    """One table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# A validator's error is what the value should have been: faults are told as "… is not allowed; expected …".
def _network(value: str) -> str:
    """The network as AWS writes it; one address becomes a network of one."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("a network, e.g. 203.0.113.0/24") from None


def _private(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        network = None
    if not isinstance(network, ipaddress.IPv4Network) or not 16 <= network.prefixlen <= 22 or not network.is_private:
        raise ValueError("a private IPv4 network from /16 to /22, e.g. 10.0.0.0/16")
    return value


def is_public(value: str) -> bool:
    """Whether a network is of IPv4 and not a private one: what EKS takes."""
    network = ipaddress.ip_network(value)
    return isinstance(network, ipaddress.IPv4Network) and not any(map(network.subnet_of, _NOT_PUBLIC))


def _public(value: str) -> str:
    if not is_public(_network(value)):
        raise ValueError("a public IPv4 network, e.g. 203.0.113.0/24")
    return _network(value)


def _plain(value: str) -> str:
    if "{{" in value or "}}" in value or "@" in value:
        raise ValueError("text without '@', '{{' and '}}'")
    return value


def guid(value: str) -> str:
    """A GUID as Azure writes it. Raises ``ValueError``."""
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("a GUID, e.g. 11111111-2222-3333-4444-555555555555") from None


def _address(value: Any) -> Any:
    """A portal's target URI becomes the address that it begins with."""
    return api_base.parse(value).address if isinstance(value, str) else value


def _moment(value: Any) -> Any:
    """TOML's own dates and times, and text that is one."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("a date or time, e.g. 2027-03-31 or 2027-03-31T18:00:00Z") from None
    return value


def _openai_base(value: str) -> str:
    """The address before a route: LiteLLM adds the route itself."""
    address = value.rstrip("/")
    if address.endswith(("/completions", "/embeddings", "/responses", "/models")):
        raise ValueError("the address that the routes begin with, e.g. https://api.openai.com/v1")
    return address


Cidr = Annotated[str, AfterValidator(_network)]
PrivateCidr = Annotated[str, AfterValidator(_private)]
PublicCidr = Annotated[str, AfterValidator(_public)]
Guid = Annotated[str, AfterValidator(guid)]
Name = Annotated[str, StringConstraints(max_length=NAME_LENGTH, pattern=rf"^{NAME}$")]
AwsRegion = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
AzureRegion = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")]
ResourceGroup = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._()-]{1,89}[A-Za-z0-9_()-]$")]
CallerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
Host = Annotated[str, StringConstraints(min_length=4, max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\-\[\]]+(/[A-Za-z0-9._~/\-]*)?$")]
ApiBase = Annotated[HttpsUrl, BeforeValidator(_address), WithJsonSchema({"type": "string", "pattern": r"^\s*https?://"})]
OpenAIBase = Annotated[HttpsUrl, AfterValidator(_openai_base)]
BedrockId = Annotated[str, StringConstraints(max_length=120, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+(:[a-z0-9]+)*$")]
"""Of a foundation model or an inference profile, e.g. ``amazon.nova-lite-v1:0`` or ``us.amazon.nova-lite-v1:0``."""
ApplicationProfile = Annotated[
    str, StringConstraints(pattern=r"^arn:aws(-[a-z]+)*:bedrock:[a-z0-9-]+:[0-9]{12}:application-inference-profile/[a-z0-9]+$")
]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=120), AfterValidator(_plain)]
BaseModelName = Annotated[
    str, StringConstraints(min_length=1, max_length=120), AfterValidator(lambda value: _plain(value.removeprefix("azure/")))
]
"""The model as Azure names it; LiteLLM's own way to write it is understood, too."""
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
"""``registry/repository:tag``, all of it said."""
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Moment = Annotated[str, BeforeValidator(_moment)]
Lasting = Annotated[str, StringConstraints(pattern=DURATION)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[smhd]$")]
