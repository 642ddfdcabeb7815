"""What the short jobs of ``langfuse.traces`` run: Python for a bare image, with the standard library alone."""

from __future__ import annotations

ASK = """\
def ask(query):
    for turn in range(int(os.environ["TURNS"])):
        try:
            with opener.open(request(query), timeout=3600) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            print(error.read().decode(errors="replace")[:2000])
            sys.exit(1)
        except urllib.error.URLError as error:
            # It is still starting.
            reason = error.reason
            time.sleep(2)
    print("ClickHouse does not answer:", reason)
    sys.exit(1)

"""

STATEMENTS = (
    ASK
    + """\
for statement in json.loads(os.environ["STATEMENTS"]):
    ask(statement)
print("{}")
"""
)
"""Runs the statements of the variable ``STATEMENTS`` (a JSON list), one after the other, and stops at the first refusal."""

# The script is put together here, its SQL in the pod: from names that this program gives it.
HOLDS = (
    ASK  # noqa: S608
    + """\
def rows(query):
    return json.loads(ask(query + " FORMAT JSONCompact"))["data"]

database, mark = os.environ["DATABASE"], os.environ["MARK"].split(".")
tables = [name for (name,) in rows(f"SELECT name FROM system.tables WHERE database = '{database}' AND engine LIKE '%MergeTree'")]
marked = rows(f"SELECT 1 FROM system.tables WHERE database = '{mark[0]}' AND name = '{mark[1]}'")
print(json.dumps({
    "tables": len(tables),
    "rows": {
        name: int(rows(f"SELECT count() FROM {database}.{name} SETTINGS final = 1")[0][0])
        for name in os.environ["COUNTED"].split() if name in tables
    },
    "backup": [name for (name,) in rows(f"SELECT name FROM {mark[0]}.{mark[1]} ORDER BY at DESC LIMIT 1")] if marked else [],
    "deleted_from": [name for (name,) in rows(
        f"SELECT DISTINCT table FROM system.mutations WHERE database = '{database}'"
        " AND (command LIKE '%DELETE%' OR command LIKE '%_row_exists = 0%')"
    ) if name in os.environ["COUNTED"].split()],
}))
"""
)
"""Prints what a database holds, as one JSON document on the last line.

``final = 1``: Langfuse's tables replace rows of the same key, at a time of ClickHouse's choosing. Only counted so does a
number say the same before and after. A deletion leaves an entry in ``system.mutations``
(https://clickhouse.com/docs/operations/system-tables/mutations); a lost volume does not.
"""

QUEUES = """\
import socket, ssl

host = os.environ["REDIS_HOST"]
link = ssl.create_default_context().wrap_socket(
    socket.create_connection((host, int(os.environ["REDIS_PORT"])), 10), server_hostname=host)
answers = link.makefile("rb")

def read():
    line = answers.readline().rstrip(b"\\r\\n")
    kind, rest = line[:1], line[1:].decode()
    if kind == b"-":
        print("Redis:", rest)
        sys.exit(1)
    if kind == b"$":
        return answers.read(int(rest) + 2)[:-2].decode(errors="replace") if int(rest) >= 0 else None
    if kind == b"*":
        return [read() for _ in range(int(rest))]
    return int(rest) if kind == b":" else rest

def ask(*words):
    parts = [word.encode() for word in words]
    link.sendall(b"*%d\\r\\n" % len(parts) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(part), part) for part in parts))
    return read()

COUNT = {"wait": "LLEN", "active": "LLEN", "paused": "LLEN", "delayed": "ZCARD", "prioritized": "ZCARD"}

def waiting():
    cursor, names = "0", set()
    while True:
        cursor, found = ask("SCAN", cursor, "MATCH", "*ingestion*", "COUNT", "1000")
        names.update(name for name in found if name.rpartition(":")[2] in COUNT)
        if cursor == "0":
            return sum(ask(COUNT[name.rpartition(":")[2]], name) for name in names)

with open("/run/genai/redis-password") as file:
    ask("AUTH", "default", file.read())
for turn in range(20):
    left = waiting()
    if not left:
        break
    time.sleep(1)
print(json.dumps({"waiting": left}))
"""
"""Prints how many batches wait in Langfuse's ingestion queues, after 20 seconds at most or as soon as none does.

The queues are BullMQ's: ``bull:NAME:wait`` and ``active`` are lists, ``delayed`` and ``prioritized`` sorted sets
(https://docs.bullmq.io/guide/architecture). Langfuse's names all have "ingestion" in them; its other queues repeat for
ever and are never empty.
"""
