// Prisma's engine as WebAssembly: its life, its calls, and its errors in the native engine's words.
'use strict';

const fs = require('fs');
const path = require('path');

const RUNTIME = path.join(path.dirname(require.resolve('@prisma/client/package.json')), 'runtime');
const GLUE = path.join(RUNTIME, 'query_engine_bg.postgresql.js');
const TRACE = '{}';
const LOST = /ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|Connection terminated|timeout exceeded/;
const LOST_STATES = /^(57P0|08|53300)/;

const failure = (message, code, panic = false) => ({
  errors: [{ error: message, user_facing_error: { is_panic: panic, message, meta: {}, error_code: code } }],
});

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

class Engine {
  constructor(datamodel, database) {
    this.datamodel = datamodel;
    this.database = database;
    this.module = new WebAssembly.Module(fs.readFileSync(path.join(RUNTIME, 'query_engine_bg.postgresql.wasm')));
    this.start();
  }

  // The glue keeps one instance's memory in its module, so a new instance needs a fresh copy of it.
  start() {
    delete require.cache[GLUE];
    const glue = require(GLUE);
    glue.__wbg_set_wasm(new WebAssembly.Instance(this.module, { './query_engine_bg.js': glue }).exports);
    const options = {
      datamodel: this.datamodel.text, logLevel: 'error', logQueries: false, env: process.env, ignoreEnvVarErrors: true,
      datasourceOverrides: {}, configDir: __dirname, engineProtocol: 'json',
    };
    const instance = new glue.QueryEngine(options, () => {}, this.database.adapter);
    this.current = { instance, ready: instance.connect('{"traceparent":null}') };
    this.current.ready.catch(() => {}); // reported by the call that waits for it
  }

  async ready() { await this.current.ready; }

  async query(body, transaction) { return this.call('query', JSON.stringify(body), TRACE, transaction); }

  async startTransaction(options) { return this.call('startTransaction', JSON.stringify(options), TRACE); }

  async commit(id) { return this.call('commitTransaction', id, TRACE); }

  async rollback(id) { return this.call('rollbackTransaction', id, TRACE); }

  async call(method, ...words) {
    const mine = this.current;
    try {
      await mine.ready;
      const answer = await mine.instance[method](...words);
      return answer === undefined ? {} : typeof answer === 'string' ? JSON.parse(answer) : answer;
    } catch (error) {
      const known = parsed(error.message);
      const broken = error instanceof WebAssembly.RuntimeError || (known && (known.is_panic || known.error_code === 'P1001'));
      if (broken && this.current === mine) this.start();
      if (known && known.message) return failure(known.message, known.error_code || 'P1001');
      return failure(String((error && error.message) || error), 'P2036', true);
    }
  }

  // P2036 only says that the adapter failed; the client is told why, and P1001 when the database cannot be reached.
  explain(error) {
    const shown = error.user_facing_error;
    if (!shown || shown.error_code !== 'P2036' || !shown.meta) return;
    const cause = this.database.takeError(shown.meta.id);
    if (!cause) return;
    shown.message = String(cause.message || cause);
    if (LOST.test(`${cause.code} ${cause.message}`) || LOST_STATES.test(cause.code || '')) {
      shown.error_code = 'P1001';
      shown.message = `Can't reach database server at \`${this.database.place}\` (${cause.code || cause.message})`;
    }
    error.error = shown.message;
  }
}

module.exports = { Engine, failure };
