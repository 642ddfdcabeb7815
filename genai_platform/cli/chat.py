"""``genai chat``: one question, through the load balancer or as a caller through API Management."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.advice import run_genai
from genai_platform.cli import completion
from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.token import Caller
from genai_platform.errors import ConfigError, StepError

if TYPE_CHECKING:
    from genai_platform.tools.litellm.client import Litellm


class Through(StrEnum):
    """The two entrances."""

    ALB = "alb"
    APIM = "apim"


Text = Annotated[str, typer.Argument(help="What to ask.", show_default=False)]
Way = Annotated[
    Through | None,
    typer.Option(
        "--through",
        help="alb: the load balancer; apim: API Management, as a caller. Default: apim with --caller, else alb.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Default: the first chat model that may be used.", metavar="NAME", autocompletion=completion.chat_models),
]
Stream = Annotated[bool, typer.Option("--stream", help="Show the answer as it arrives.")]
app = typer.Typer()


@command(app, "chat", "genai chat 'What is an Ingress?' --caller team-a")
def chat(run: Run, text: Text, through: Way = None, caller: Caller = None, model: Model = None, stream: Stream = False) -> None:
    """Ask a model one question."""
    way = through or (Through.APIM if caller else Through.ALB)
    name, litellm = _litellm(run, way, caller)
    chosen = model or _model(run, name)
    content = {"through": way.value, "caller": name, "model": chosen}
    if stream:
        from genai_platform.ui.text import clean

        pieces, id = [], ""
        for piece in litellm.stream(chosen, text):
            pieces.append(piece.text)
            id = piece.id
            if not run.screen.json:
                print(clean(piece.text), end="", flush=True)
        if not run.screen.json:
            run.screen.tell()
        run.screen.document({**content, "id": id, "text": "".join(pieces), "pieces": len(pieces)})
        return
    answer = litellm.chat(chosen, text)
    run.screen.tell(answer.text)
    run.screen.detail(f"{answer.id}: {answer.prompt_tokens} + {answer.completion_tokens} tokens in {answer.seconds:.1f} s")
    run.screen.document(
        {
            **content,
            "id": answer.id,
            "text": answer.text,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "seconds": round(answer.seconds, 2),
        }
    )


def _litellm(run: Run, through: Through, caller: str | None) -> tuple[str | None, Litellm]:
    from genai_platform.cli.token import client_of
    from genai_platform.tools import http
    from genai_platform.tools.litellm.client import Litellm

    if through is Through.APIM:
        from genai_platform.tools.azure import token

        client = client_of(run, caller)
        assert client.secret is not None
        bearer = token.fetch(run.target, client.tenant_id, client.client_id, client.secret, client.scope)
        return client.caller, Litellm(http.client(run.target, client.gateway_url), bearer)
    from genai_platform.cli.endpoints import endpoints

    url = endpoints(run).get("litellm")
    if url is None:
        raise StepError("litellm has no address yet", remedy=run_genai("status"), id="chat.no_address")
    if caller is None:
        return None, Litellm(http.client(run.target, url), run.clients.secrets().litellm_master_key)
    from genai_platform.steps.azure.inventory import Inventory

    client = client_of(run, caller)
    stored = Inventory(run.clients).stored_key(client.client_id)
    if stored is None:
        raise StepError(f"Key Vault holds no key for '{caller}'", remedy=run_genai(f"keys issue {caller}"), id="keys.missing")
    return client.caller, Litellm(http.client(run.target, url), stored)


def _model(run: Run, caller: str | None) -> str:
    settings = run.target.settings
    allowed = settings.azure.callers[caller].models if caller else ()
    for model in settings.litellm.models:
        if model.mode == "chat" and (not allowed or model.name in allowed):
            return model.name
    raise ConfigError("no chat model may be used", remedy="add one under [[litellm.models]]", id="litellm.no_model")
