// The HTTP interface of the native engine.
'use strict';

const http = require('http');
const { failure } = require('./engine');
const { Protocol, answer } = require('./protocol');

const TRANSACTION = /^\/transaction\/(?:start|([^/]+)\/(commit|rollback))$/;
const NO_METRICS = { counters: [], gauges: [], histograms: [] };

async function textOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

function serve(engine, datamodel, port, host) {
  const protocol = new Protocol(datamodel.models);

  const explained = (result) => {
    if (result.errors) result.errors.forEach((error) => engine.explain(error));
    return result;
  };

  async function query(body, transaction) {
    if (!Array.isArray(body.batch)) {
      const { alias, request } = protocol.translate(body.query);
      return answer(explained(await engine.query(request, transaction)), alias);
    }
    const parts = body.batch.map((part) => protocol.translate(part.query));
    const batch = { batch: parts.map((part) => part.request), transaction: body.transaction ? {} : undefined };
    const result = explained(await engine.query(batch, transaction));
    if (result.batchResult) result.batchResult = result.batchResult.map((part, at) => answer(explained(part), parts[at].alias));
    return result;
  }

  async function transact(text, id, verb) {
    if (verb) return engine[verb](id);
    const given = JSON.parse(text || '{}');
    return engine.startTransaction({
      max_wait: given.max_wait ?? 2000, timeout: given.timeout ?? 5000, isolation_level: given.isolation_level ?? null,
    });
  }

  async function handle(request, send) {
    const [path, words] = request.url.split('?');
    if (path === '/status') {
      await engine.ready();
      return send(200, { status: 'ok' });
    }
    if (path === '/metrics') return send(200, /format=json/.test(words || '') ? NO_METRICS : '');
    const text = await textOf(request);
    if (path === '/' && request.method === 'POST') {
      let body;
      try { body = JSON.parse(text); } catch (error) { return send(422, failure(String(error), 'P2009')); }
      return send(200, await query(body, request.headers['x-transaction-id']));
    }
    const found = TRANSACTION.exec(path);
    if (!found) return send(404, { error: 'not found' });
    const result = await transact(text, found[1], found[2]);
    if (!result.error_code) return send(200, result);
    return send(/Unable to start/.test(result.message || '') ? 504 : 400, result);
  }

  const server = http.createServer((request, response) => {
    const send = (code, document) => {
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(document === '' ? '' : JSON.stringify(document));
    };
    handle(request, send).catch((error) => send(200, failure(String((error && error.message) || error), 'P2009')));
  });
  server.keepAliveTimeout = 0; // never close an idle connection the client may be about to use
  server.listen(port, host);
}

module.exports = { serve };
