"""Langfuse's stand-in: web and worker as two processes, started from the chart's pods and fed by their variables alone.

Web takes events in, writes each batch to S3 and puts it on a queue in Redis; the worker reads both and writes to
ClickHouse; every reading route answers from ClickHouse. Projects, keys and users live in PostgreSQL.
"""
