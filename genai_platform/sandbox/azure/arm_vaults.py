"""Microsoft.KeyVault: vaults with soft delete, recovery, purge and names that are taken everywhere.

A name is taken while its vault is purged and for some minutes afterwards. With purge protection nobody purges.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from genai_platform.sandbox.azure.arm import Arm, visible, with_state
from genai_platform.sandbox.azure.arm_call import Call, Refusal, in_subscription, not_found, region
from genai_platform.sandbox.azure.store import Store
from genai_platform.sandbox.pace import VAULT_MADE, VAULT_NAME_FREE, VAULT_PURGED

_KIND = "Microsoft.KeyVault/vaults"


def vaults(arm: Arm, call: Call) -> Response:
    """One vault or the collection of a group."""
    store = arm.azure.store
    _advance(store)
    if call.id.lower().endswith("/vaults"):
        here = [entry for entry in store.all("arm", call.id + "/") if entry["type"] == _KIND]
        return JSONResponse({"value": [_with_state(entry) for entry in here]})
    if call.method == "GET":
        return JSONResponse(_with_state(arm.found(call)))
    if call.method == "DELETE":
        found = store.get("arm", call.id)
        if found is None:
            return Response(status_code=204)
        arm.remove(call.id)
        store.delete("vaults", call.name)
        store.put("deletedVaults", call.name, {"vault": visible(found), "at": time.time()})
        return Response(status_code=200)
    return _put(arm, call)


def _put(arm: Arm, call: Call) -> Response:
    store = arm.azure.store
    wanted: dict[str, Any] = call.body.get("properties") or {}
    deleted, known = store.get("deletedVaults", call.name), store.get("arm", call.id)
    if deleted and wanted.get("createMode") != "recover":
        text = f"A vault with the name '{call.name}' already exists in a deleted state. Recover or purge it."
        raise Refusal(409, "ConflictError", text)
    if known and region(call.body.get("location")) != region(known["location"]):
        raise Refusal(409, "InvalidResourceLocation", f"The resource '{call.name}' already exists in location '{known['location']}'.")
    if not known and any(store.get(kind, call.name) for kind in ("vaults", "takenNames", "freedVaults")):
        raise Refusal(409, "VaultAlreadyExists", f"The vault name '{call.name}' is already in use.")
    if wanted.get("createMode") == "recover":
        if not deleted:
            raise Refusal(404, "DeletedVaultNotFound", f"The deleted vault '{call.name}' was not found.")
        if region(deleted["vault"]["location"]) != region(call.body.get("location")) or "_purged" in deleted:
            raise Refusal(400, "VaultNotRecoverable", f"The deleted vault '{call.name}' cannot be recovered here.")
        store.delete("deletedVaults", call.name)
        body = {name: deleted["vault"][name] for name in ("location", "properties", "tags") if name in deleted["vault"]}
    else:
        uri = f"https://{call.name}.vault.localhost:{arm.azure.layout.ports['vault']}/"
        properties = {"enableSoftDelete": True, "softDeleteRetentionInDays": 90, **wanted, "vaultUri": uri}
        body = {"location": call.body.get("location"), "tags": call.body.get("tags") or {}, "properties": properties}
    ready = known["_ready"] if known else arm.azure.after(VAULT_MADE)
    stored = arm.put(call, {**body, "_ready": ready}, _KIND)
    store.put("vaults", call.name, {"id": call.id, "name": call.name})
    return JSONResponse(_with_state(stored), 200 if known else 201)


def _with_state(entry: dict[str, Any]) -> dict[str, Any]:
    """The vault with its provisioning state: its name is made known to DNS last."""
    return with_state(entry, "Succeeded" if time.time() >= entry.get("_ready", 0) else "RegisteringDns")


def _advance(store: Store) -> None:
    """Purges that are done, and names that are free by now."""
    for entry in store.all("deletedVaults"):
        if time.time() >= entry.get("_purged", math.inf):
            store.delete("deletedVaults", entry["vault"]["name"])
            store.put("freedVaults", entry["vault"]["name"], {"name": entry["vault"]["name"], "at": entry["_free"]})
    for entry in store.all("freedVaults"):
        if time.time() >= entry["at"]:
            store.delete("freedVaults", entry["name"])


def vault_names(arm: Arm, call: Call) -> Response:
    """checkNameAvailability: vault names are global, deleted ones included."""
    name = str(call.body.get("name"))
    store = arm.azure.store
    _advance(store)
    taken = any(store.get(kind, name) for kind in ("vaults", "deletedVaults", "takenNames", "freedVaults"))
    reason = {"reason": "AlreadyExists", "message": f"The vault name '{name}' is already in use."} if taken else {}
    return JSONResponse({"nameAvailable": not taken, **reason})


def deleted_vaults(arm: Arm, call: Call) -> Response:
    """Deleted vaults: list, get, purge."""
    store = arm.azure.store
    _advance(store)
    if call.id.lower().endswith("/deletedvaults"):
        return JSONResponse(
            {"value": [_deleted(entry) for entry in store.all("deletedVaults") if in_subscription(entry["vault"], call.subscription)]}
        )
    name = call.id.split("/")[8]
    found = store.get("deletedVaults", name)
    if (
        found is None
        or not in_subscription(found["vault"], call.subscription)
        or call.id.split("/")[6] != region(found["vault"]["location"])
    ):
        raise not_found(call)
    if call.method == "GET":
        return JSONResponse(_deleted(found))
    if found["vault"]["properties"].get("enablePurgeProtection"):
        raise Refusal(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    purged = arm.azure.after(VAULT_PURGED)
    store.put("deletedVaults", name, {**found, "_purged": purged, "_free": purged + arm.azure.layout.pace.of(VAULT_NAME_FREE)})
    for kind in ("secrets", "deletedSecrets"):
        for secret in store.all(kind, name + "/"):
            store.delete(kind, f"{name}/{secret['versions'][-1]['name']}")
    return arm.accepted(call, VAULT_PURGED)


def deleted_hsms(arm: Arm, call: Call) -> Response:
    """Deleted managed HSMs: the sandbox has none."""
    return JSONResponse({"value": []})


def _deleted(entry: dict[str, Any]) -> dict[str, Any]:
    vault, at = entry["vault"], entry["at"]
    days = vault["properties"].get("softDeleteRetentionInDays", 90)
    providers = f"/subscriptions/{vault['id'].split('/')[2]}/providers/Microsoft.KeyVault"
    properties = {
        "purgeProtectionEnabled": vault["properties"].get("enablePurgeProtection"),
        "vaultId": vault["id"],
        "location": vault["location"],
        "deletionDate": datetime.fromtimestamp(at, UTC).isoformat(),
        "scheduledPurgeDate": datetime.fromtimestamp(at + days * 86400, UTC).isoformat(),
        "tags": vault.get("tags", {}),
    }
    id = f"{providers}/locations/{vault['location']}/deletedVaults/{vault['name']}"
    return {"id": id, "name": vault["name"], "type": "Microsoft.KeyVault/deletedVaults", "properties": properties}
