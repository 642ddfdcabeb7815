"""``genai init``: write genai.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import WITHOUT_ACCOUNT, Purpose
from genai_platform.errors import ConfigError, GenaiError

if TYPE_CHECKING:
    from genai_platform.cli.choices import Finder
    from genai_platform.config.target import Target
    from genai_platform.config.wizard import Question

Force = Annotated[bool, typer.Option("--force", help="Replace a genai.toml that exists.")]
Region = Annotated[str | None, typer.Option("--region", help="AWS region.", metavar="REGION")]
Account = Annotated[str | None, typer.Option("--account-id", help="The AWS account that this environment may touch.", metavar="ID")]
Base = Annotated[str | None, typer.Option("--api-base", help="Azure OpenAI address, e.g. https://NAME.openai.azure.com.", metavar="URL")]
Model = Annotated[list[str] | None, typer.Option("--model", help="An Azure OpenAI deployment. Repeatable.", metavar="NAME")]
Name = Annotated[str | None, typer.Option("--name", help="The platform's name.", metavar="NAME")]
Front = Annotated[
    bool | None,
    typer.Option(
        "--azure/--no-azure", help="API Management in front, or not. Default: when a tenant or a subscription is known.", show_default=False
    ),
]
Tenant = Annotated[str | None, typer.Option("--tenant-id", help="The Entra ID tenant that this environment may touch.", metavar="ID")]
Subscription = Annotated[
    str | None, typer.Option("--subscription-id", help="The Azure subscription that this environment may touch.", metavar="ID")
]
Location = Annotated[str | None, typer.Option("--location", help="Azure region.", metavar="REGION")]
Group = Annotated[str | None, typer.Option("--resource-group", help="Azure resource group. Default: the platform's name.", metavar="NAME")]
Domain = Annotated[
    str | None, typer.Option("--domain", help="A domain for the load balancer, inside a Route 53 zone; or: none.", metavar="NAME")
]
Email = Annotated[
    str | None, typer.Option("--publisher-email", help="Where Azure writes about the API Management service; or: none.", metavar="ADDRESS")
]
Providers = Annotated[
    list[str] | None, typer.Option("--provider", help="Who serves models: azure, bedrock or openai. Repeatable.", metavar="NAME")
]
Bedrock = Annotated[
    list[str] | None, typer.Option("--bedrock-model", help="A model or inference profile of Amazon Bedrock. Repeatable.", metavar="ID")
]
OpenAIBase = Annotated[
    str | None, typer.Option("--openai-base", help="An address with OpenAI's API, e.g. https://HOST/v1. Default: OpenAI's.", metavar="URL")
]
OpenAI = Annotated[list[str] | None, typer.Option("--openai-model", help="A model there. Repeatable.", metavar="NAME")]
Zones = Annotated[str | None, typer.Option("--zones", help="Availability zones, 2 to 6.", metavar="NUMBER")]
Nat = Annotated[str | None, typer.Option("--nat", help="NAT gateways: single or per-zone.", metavar="WHICH")]
Service = Annotated[
    str | None, typer.Option("--apim", help="An API Management service that exists, or the tier of one to be made.", metavar="NAME")
]
Caller = Annotated[str | None, typer.Option("--caller", help="The first caller.", metavar="NAME")]
SignIn = Annotated[str | None, typer.Option("--sign-in", help="How people sign in: password or entra.", metavar="WAY")]
Person = Annotated[
    list[str] | None,
    typer.Option("--person", help="Who may sign in with Entra ID: a user principal name or object id. Repeatable.", metavar="NAME"),
]
app = typer.Typer()


@command(
    app,
    "init",
    "genai init",
    "genai init --region eu-central-1 --account-id 123456789012",
    "genai init --provider bedrock --provider openai",
    "genai init --sign-in entra --person anna@example.com",
)
def init(
    run: Run,
    name: Name = None,
    region: Region = None,
    account_id: Account = None,
    provider: Providers = None,
    api_base: Base = None,
    model: Model = None,
    bedrock_model: Bedrock = None,
    openai_base: OpenAIBase = None,
    openai_model: OpenAI = None,
    zones: Zones = None,
    nat: Nat = None,
    azure: Front = None,
    tenant_id: Tenant = None,
    subscription_id: Subscription = None,
    location: Location = None,
    resource_group: Group = None,
    domain: Domain = None,
    apim: Service = None,
    publisher_email: Email = None,
    caller: Caller = None,
    sign_in: SignIn = None,
    person: Person = None,
    force: Force = False,
) -> None:
    """Write a commented genai.toml here, asking what is not given. When signed in, what exists is offered to choose from."""
    given = {
        "name": name, "region": region, "account_id": account_id, "providers": ", ".join(provider or ()), "api_base": api_base,
        "models": ", ".join(model or ()), "bedrock_models": ", ".join(bedrock_model or ()), "openai_base": openai_base,
        "openai_models": ", ".join(openai_model or ()), "zones": zones, "nat": nat, "tenant_id": tenant_id,
        "subscription_id": subscription_id, "location": location, "resource_group": resource_group, "domain": domain, "apim": apim,
        "publisher_email": publisher_email, "caller": caller, "sign_in": sign_in, "people": ", ".join(person or ()),
    }  # fmt: skip
    # An empty text is an answer for nobody: it is asked for, or its default counts.
    write(run, {key: value for key, value in given.items() if value}, azure, force)


def write(run: Run, given: Mapping[str, str], azure: bool | None, force: bool) -> None:
    """Ask, check, write."""
    import tomllib

    from genai_platform.cli.choices import Finder
    from genai_platform.config import wizard, wizard_file
    from genai_platform.config.layers import FILE, Layer, validate

    path = Path.cwd() / FILE
    if path.exists() and not force:
        raise ConfigError(f"{FILE} exists already", remedy="edit it, or give --force to replace it", id="init.exists")
    for one in (*wizard.QUESTIONS, *wizard.AZURE):
        if one.key in given and not one.fits(given[one.key]):
            raise ConfigError(f"{one.flag} '{given[one.key]}' does not fit", remedy=f"expected: {one.advice}", id="init.flag")
    given = wizard.implied(given)
    if azure is False and given.get("sign_in") == "entra":
        raise ConfigError(
            "--sign-in entra needs the Azure half", remedy="leave out --no-azure, or --sign-in and --person", id="init.sign_in"
        )
    finder = Finder(run.enter(Purpose.ACCOUNT) if run.world.local else _unconfigured())
    own = finder.target.settings if run.world.local else None  # a world on this machine tells itself whose it is
    account, signed_in, unseen = None, dict[str, str](), list[str]()
    if _asking(run) or "account_id" not in given:
        try:
            account = own.aws.account_id if own else _account()
        except GenaiError as error:
            unseen.append(f"what is in AWS: {error.message}")
    if azure is not False and not {"tenant_id", "subscription_id"} <= given.keys():
        signed_in = {"tenant_id": str(own.azure.tenant_id), "subscription_id": str(own.azure.subscription_id)} if own else _signed_in()
        if not signed_in:
            unseen.append("what is in Azure: nobody is signed in with the Azure CLI (az login)")
    if _asking(run):
        finder.unseen += unseen
    # With these things are looked up; whether they are configured is asked below.
    near = {key: value for key, value in {**signed_in, **given}.items() if key in ("tenant_id", "subscription_id")}
    known = {"account_id": account or "", "signed_in": account or ""}
    answers = _answers(run, wizard.QUESTIONS, given, known, finder, near)
    if azure is not False:
        known = {"resource_group": answers["name"], "people": signed_in.get("publisher_email", "")} | signed_in
        if _front(run, azure, {**known, **given}):
            answers |= _answers(run, wizard.AZURE, given, known, finder, near)
    text = wizard_file.document(answers, finder.model_of({**near, **answers}), keyless=finder.keyless(answers))
    validate([Layer("init", tomllib.loads(text))])
    path.write_text(text, encoding="utf-8")
    run.screen.tell(f"wrote {path}")
    finder.tell_unseen(run.screen.say)
    if answers.get("domain") == wizard.NO_DOMAIN:
        from genai_platform.render.gateway import UNVERIFIED

        run.screen.warn(f"{UNVERIFIED}; to change that, set ingress.domain and delete azure.apim.unverified_backend there")
    if answers.get("publisher_email") == wizard.NO_EMAIL:
        run.screen.warn("fill in azure.apim.publisher_email there before `genai up`: Azure sends its notices about the service to it")
    if "tenant_id" not in answers:
        run.screen.tell("without API Management in front; to have it, fill in [azure] there")
    elsewhere = "" if own else f" (or, without any account: {WITHOUT_ACCOUNT})"
    run.screen.tell(f"next: genai doctor{run.flags}, then genai up{run.flags}{elsewhere}")
    run.screen.document({"ok": True, "file": str(path)})


def _answers(
    run: Run, questions: Sequence[Question], given: Mapping[str, str], known: Mapping[str, str], finder: Finder, near: Mapping[str, str]
) -> dict[str, str]:
    """What is given, asked for or, where nobody can be asked, known otherwise.

    Args:
        near: tenant and subscription in which is looked for what can be chosen.
    """
    from genai_platform.config.wizard import answer, missing

    answers: dict[str, str] = {}
    if _asking(run):
        for one in questions:
            if one.key in given:
                answers[one.key] = given[one.key]
                continue
            if not one.concerns(answers):
                continue
            choices = finder.found(one.key, {**known, **near, **answers}) or list(one.choices)
            finder.tell_unseen(run.screen.say)
            numbered = not any(choice.value.isdecimal() for choice in choices)
            for number, choice in enumerate(choices, 1):
                run.screen.tell(f"  {f'{number}. ' if numbered else ''}{choice.value}{f': {choice.text}' if choice.text else ''}")
            # What was found, where the usual answer is not among it.
            suggestion = known.get(one.key) or (
                choices[0].value if choices and one.default not in [choice.value for choice in choices] else None
            )
            answers[one.key] = answer(one, suggestion, run.screen.ask, choices if numbered else ())
        return answers
    for one in questions:
        if one.concerns(answers):
            answers[one.key] = given.get(one.key) or known.get(one.key) or one.default
    if answers.get("api_base") == "" and len(offered := finder.found("api_base", near)) == 1:
        answers["api_base"] = offered[0].value
    without = missing(answers, questions)
    if without:
        raise ConfigError(
            f"there is no terminal to ask for: {', '.join(one.text for one in without)}",
            remedy=f"give {' '.join(f'{one.flag} …' for one in without)}",
            id="init.no_terminal",
        )
    return answers


def _front(run: Run, azure: bool | None, known: Mapping[str, str]) -> bool:
    """Whether API Management goes in front: as asked for, as answered, or when it is known where."""
    if azure or {"tenant_id", "subscription_id"} & known.keys() or known.get("sign_in") == "entra":
        return True
    return _asking(run) and run.screen.ask("API Management in front, for callers with Entra ID? [y/N]").strip().lower() in ("y", "yes")


def _asking(run: Run) -> bool:
    return run.screen.interactive and not run.options.yes


def _account() -> str | None:
    """The account of the credentials at hand, as a suggestion. Raises ``GenaiError`` where there is none."""
    from genai_platform.tools.aws.client import Aws

    return Aws(_unconfigured()).account_id()


def _unconfigured() -> Target:
    """The credentials at hand, and nothing else."""
    from genai_platform.config.endpoints import Endpoints
    from genai_platform.config.settings import Settings
    from genai_platform.config.target import Target

    return Target("default", Settings(), Endpoints(), Path.cwd())


def _signed_in() -> dict[str, str]:
    """Tenant and subscription that the Azure CLI is signed in to, and as whom, as suggestions; empty when it is not."""
    from genai_platform.tools.azure.signed_in import account

    found = account()
    if found is None:
        return {}
    email = {"publisher_email": found.user} if "@" in found.user else {}
    return {"tenant_id": found.tenant_id, "subscription_id": found.subscription_id} | email
