// Connections to PostgreSQL: what Prisma's connection address means, in node-postgres' words.
'use strict';

const fs = require('fs');
const net = require('net');
const pg = require('pg');
const postgresArray = require('postgres-array');
const { PrismaPg } = require('@prisma/adapter-pg');
const { bindAdapter } = require('@prisma/driver-adapter-utils');

// PostgreSQL's type numbers the adapter can read. It fails a whole query because of any other column.
const READABLE = new Set([
  16, 17, 18, 20, 21, 23, 25, 26, 114, 142, 650, 700, 701, 790, 869, 1042, 1043, 1082, 1083, 1114, 1184, 1266, 1560, 1562, 1700, 2950, 3802,
  143, 199, 651, 791, 1000, 1001, 1002, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1028, 1041, 1115, 1182, 1183, 1231, 1561, 1563, 2951, 3807,
]);
const TEXT = 25;
const FIRST_OWN_TYPE = 10000; // enums and the like of the database itself
const ARRAYS = new Map([[1003, 1009], [1185, 1115]]); // name[] as text[], timestamptz[] as timestamp[]

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

// `prefer` takes TLS where the server has it; node-postgres knows only with and without, so the server is asked first.
function offersTls(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 5000 }, () => socket.write(SSL_REQUEST));
    const done = (offered) => { socket.destroy(); resolve(offered); };
    socket.once('data', (answer) => done(answer[0] === 0x53));
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => done(true));
  });
}

async function tlsOptions(query, host, port) {
  const mode = query.get('sslmode') || 'prefer';
  if (mode === 'disable') return false;
  if ((mode === 'prefer' || mode === 'allow') && !(await offersTls(host, port))) return false;
  const authority = query.get('sslcert');
  const strict = mode.startsWith('verify') || query.get('sslaccept') === 'strict';
  return { rejectUnauthorized: strict, ca: authority ? fs.readFileSync(authority, 'utf8') : undefined };
}

function asText(row, at, isArray) {
  const value = row[at];
  if (value === null) return;
  if (!isArray) row[at] = typeof value === 'string' ? value : String(value);
  else if (typeof value === 'string') row[at] = postgresArray.parse(value);
  else row[at] = value.map((item) => (item instanceof Date ? item.toISOString() : item));
}

// Hand over columns of types the adapter does not know as text, instead of failing.
function widen(adapter) {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf(adapter)); // shared with transactions
  const original = prototype.performIO;
  prototype.performIO = async function performIO(query) {
    const result = await original.call(this, query);
    if (!result.ok || !result.value.fields) return result;
    result.value.fields.forEach((field, at) => {
      if (READABLE.has(field.dataTypeID) || field.dataTypeID >= FIRST_OWN_TYPE) return;
      const array = ARRAYS.get(field.dataTypeID);
      field.dataTypeID = array || TEXT;
      for (const row of result.value.rows) asText(row, at, Boolean(array));
    });
    return result;
  };
}

class Database {
  static async open(address) {
    const url = new URL(address);
    const host = url.searchParams.get('host') || url.hostname;
    const port = Number(url.port || 5432);
    return new Database(url, host, port, await tlsOptions(url.searchParams, host, port));
  }

  constructor(url, host, port, ssl) {
    const query = url.searchParams;
    const schema = query.get('schema') || 'public';
    this.place = `${host}:${port}`;
    this.pool = new pg.Pool({
      host,
      port,
      ssl,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
      max: Number(query.get('connection_limit') || 10),
      connectionTimeoutMillis: Number(query.get('connect_timeout') || query.get('pool_timeout') || 10) * 1000,
      options: schema === 'public' ? undefined : `-c search_path=${schema}`,
    });
    this.pool.on('error', () => {}); // an idle connection the server dropped: the pool replaces it
    const adapter = new PrismaPg(this.pool, { schema });
    widen(adapter);
    this.adapter = bindAdapter(adapter);
  }

  // The adapter keeps its own errors in a registry and passes a number through the engine.
  takeError(id) {
    const found = this.adapter.errorRegistry.consumeError(id);
    return found && (found.error || found);
  }
}

module.exports = { Database };
