"""Run by test_engine.py with the generated client first on its path: what LiteLLM asks of its database, as one JSON document."""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

from prisma import Json, Prisma  # type: ignore[attr-defined]

found: dict[str, Any] = {}


async def fault(name: str, wanted: Any) -> None:
    try:
        await wanted
    except Exception as error:
        found[name] = type(error).__name__
    else:
        found[name] = None


async def main() -> None:
    client = Prisma()
    await client.connect()
    tokens = client.litellm_verificationtoken
    now = datetime.datetime.now(datetime.UTC)
    raw = (
        "SELECT 12345678901::bigint AS b, '{\"x\": [1, 2]}'::jsonb AS j, 1.5::numeric AS d, ARRAY['p', 'q'] AS a, NULL AS z, 'n'::name AS n"
    )
    found["raw"] = (await client.query_raw(raw))[0]
    made = await tokens.create(
        data={
            "token": "h1", "key_alias": 'a "q" \n é 😀', "spend": 0.0, "models": ["m1", "m2"], "max_budget": 12.5, "tpm_limit": 2**40,
            "metadata": Json({"a": {"b": [1, None, 'x"y']}}), "expires": now,
        }
    )  # fmt: skip
    found["made"] = [made.key_alias, made.models, made.metadata, made.tpm_limit, made.max_budget]
    await fault("duplicate", tokens.create(data={"token": "h1"}))
    found["absent"] = await tokens.update(where={"token": "nope"}, data={"spend": 1})
    changed = await tokens.update(where={"token": "h1"}, data={"spend": {"increment": 0.25}, "models": {"set": ["z"]}})
    found["changed"] = [changed.spend, changed.models]
    budget = await client.litellm_budgettable.create(data={"max_budget": 3.0, "created_by": "me", "updated_by": "me"})
    await tokens.update(where={"token": "h1"}, data={"litellm_budget_table": {"connect": {"budget_id": budget.budget_id}}})
    where = {"OR": [{"token": "h1"}, {"models": {"has": "q"}}], "expires": {"lte": now + datetime.timedelta(days=1)}}
    joined = await tokens.find_first(where=where, include={"litellm_budget_table": True}, order={"created_at": "desc"})
    found["joined"] = joined.litellm_budget_table.max_budget
    found["in_json"] = await tokens.count(where={"metadata": {"path": ["a", "b"], "array_contains": Json([1])}})
    rows = [{"token": "h1"}, {"token": "h2"}, {"token": "h3", "user_id": "u"}]
    found["many"] = await tokens.create_many(data=rows, skip_duplicates=True)
    async with client.batch_() as batch:
        batch.litellm_verificationtoken.update(where={"token": "h2"}, data={"spend": {"increment": 1.5}})
        batch.litellm_verificationtoken.upsert(where={"token": "h4"}, data={"create": {"token": "h4"}, "update": {"spend": 1}})
    found["batch"] = [(row.token, row.spend) for row in await tokens.find_many(order={"token": "asc"}, take=2, skip=1)]
    await fault("broken_batch", broken_batch(client))
    found["after_broken_batch"] = (await tokens.find_unique(where={"token": "h2"})).spend
    try:
        async with client.tx() as within:
            await within.litellm_verificationtoken.delete_many(where={"token": {"in": ["h2", "h3"]}})
            raise ValueError
    except ValueError:
        found["after_rollback"] = await tokens.count()
    async with client.tx() as within:
        update = 'UPDATE "LiteLLM_VerificationToken" SET spend = $1 WHERE token = ANY($2::text[])'
        found["raw_update"] = await within.execute_raw(update, 7.5, ["h2", "h3"])
    await fault("slow_transaction", slow_transaction(client))
    for name, text in (("no_column", "SELECT nope"), ("no_table", 'SELECT * FROM "X"'), ("division", "SELECT 1/0")):
        await fault(name, client.query_raw(text))
    await fault("foreign_key", tokens.create(data={"token": "fk", "budget_id": "none"}))
    await asyncio.gather(*(increment(client) for _ in range(20)))
    found["parallel"] = (await tokens.find_unique(where={"token": "h3"})).spend
    await tokens.update(where={"token": "h1"}, data={"metadata": Json({"big": "x" * 2_000_000})})
    found["big"] = len((await tokens.find_unique(where={"token": "h1"})).metadata["big"])
    found["deleted"] = await tokens.delete_many()
    await client.litellm_budgettable.delete(where={"budget_id": budget.budget_id})
    await client.query_raw(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user"
    )
    found["after_lost_connections"] = await again(client)
    await client.disconnect()
    print(json.dumps(found))


async def broken_batch(client: Any) -> None:
    async with client.batch_() as batch:
        batch.litellm_verificationtoken.update(where={"token": "h2"}, data={"spend": 99})
        batch.litellm_verificationtoken.create(data={"token": "h1"})


async def slow_transaction(client: Any) -> None:
    async with client.tx(timeout=datetime.timedelta(milliseconds=300)) as within:
        await asyncio.sleep(0.6)
        await within.litellm_verificationtoken.count()


async def increment(client: Any) -> None:
    limit = datetime.timedelta(seconds=20)
    async with client.tx(max_wait=limit, timeout=limit) as within:
        await within.litellm_verificationtoken.update(where={"token": "h3"}, data={"spend": {"increment": 1}})


async def again(client: Any) -> int:
    for _ in range(20):
        try:
            return int(await client.litellm_verificationtoken.count())
        except Exception:
            await asyncio.sleep(0.1)
    return -1


asyncio.run(main())
