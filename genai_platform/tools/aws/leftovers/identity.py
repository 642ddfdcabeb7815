"""Finders for identities and what proves or protects them: roles, policies, providers, certificates and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import unless_absent
from genai_platform.tools.aws.leftovers.items import USD, Item, Scope, pages

_KEY_TYPES = ("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1")
"""All of ACM's: by default it lists RSA certificates of two sizes alone."""


def roles(aws: Aws, scope: Scope) -> Iterator[Item]:
    """Roles, instance profiles and policies. IAM lists most of them without their tags, so those are asked for by name."""
    client = aws.client("iam")
    for entry in pages(aws, "iam", "list_instance_profiles", "InstanceProfiles"):
        name = entry["InstanceProfileName"]
        tags = _tags(scope, name, client.get_instance_profile, InstanceProfileName=name)
        if tags is not None and (by := scope.by(tags)):
            named = f"--instance-profile-name {name}"
            words = [f"aws iam remove-role-from-instance-profile {named} --role-name {role['RoleName']}" for role in entry["Roles"]]
            yield Item("iam:instance-profile", name, 0, " && ".join([*words, f"aws iam delete-instance-profile {named}"]), by)
    for entry in pages(aws, "iam", "list_roles", "Roles"):
        name = entry["RoleName"]
        tags = _tags(scope, name, client.list_role_tags, RoleName=name)
        if tags is not None and (by := scope.by(tags, name=name)):
            yield Item("iam:role", name, 0, _removal(aws, name), by)
    for entry in pages(aws, "iam", "list_policies", "Policies", Scope="Local"):
        arn, name = entry["Arn"], entry["PolicyName"]
        tags = _tags(scope, name, client.list_policy_tags, PolicyArn=arn)
        if tags is not None and (by := scope.by(tags, name=name)):
            yield Item("iam:policy", arn, 0, f"aws iam delete-policy --policy-arn {arn}", by)


def _tags(scope: Scope, name: str, ask: Callable[..., Mapping[str, Any]], **which: str) -> list[dict[str, str]] | None:
    """The tags of an identity; None when it is gone by now.

    Only of one named after us or by Auto Mode: an account may hold hundreds of others, and each would be a request.
    """
    if scope.prefix not in name and not name.startswith("eks"):
        return []
    answer = unless_absent(ask, **which)
    return None if answer is None else list(answer.get("InstanceProfile", answer).get("Tags", ()))


def _removal(aws: Aws, name: str) -> str:
    """A role goes only without its policies and profiles."""
    attached = unless_absent(lambda: list(pages(aws, "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name))) or ()
    words = [f"aws iam detach-role-policy --role-name {name} --policy-arn {policy['PolicyArn']}" for policy in attached]
    inline = (unless_absent(aws.client("iam").list_role_policies, RoleName=name) or {}).get("PolicyNames", ())
    words += [f"aws iam delete-role-policy --role-name {name} --policy-name {policy}" for policy in inline]
    return " && ".join([*words, f"aws iam delete-role --role-name {name}"])


def identity_providers(aws: Aws, scope: Scope) -> Iterator[Item]:
    client = aws.client("iam")
    for entry in client.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        arn = entry["Arn"]
        seen = unless_absent(client.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)
        if seen and (by := scope.by(seen.get("Tags"))):
            yield Item("iam:oidc-provider", arn, 0, f"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {arn}", by)


def certificates(aws: Aws, scope: Scope) -> Iterator[Item]:
    client = aws.client("acm")
    for entry in pages(aws, "acm", "list_certificates", "CertificateSummaryList", Includes={"keyTypes": list(_KEY_TYPES)}):
        arn = entry["CertificateArn"]
        seen = unless_absent(client.list_tags_for_certificate, CertificateArn=arn)
        if seen and (by := scope.by(seen["Tags"])):
            yield Item("acm:certificate", arn, 0, scope.command(f"acm delete-certificate --certificate-arn {arn}"), by)


def keys(aws: Aws, scope: Scope) -> Iterator[Item]:
    """Keys of KMS with our tags. None is made by us; somebody may have added one."""
    client = aws.client("kms")
    for key in sorted(arn.rpartition("/")[2] for arn in scope.tagged if ":kms:" in arn and ":key/" in arn):
        seen = unless_absent(client.describe_key, KeyId=key)
        if seen and seen["KeyMetadata"]["KeyState"] != "PendingDeletion":
            words = f"kms schedule-key-deletion --pending-window-in-days 7 --key-id {key}"
            yield Item("kms:key", key, USD["key"], scope.command(words), "tag")
