// The program Prisma's Python client starts as its query engine: Prisma's own engine, compiled to WebAssembly,
// behind the command line and the HTTP interface of the native one.
'use strict';

const ENGINE_VERSION = '393aa359c9ad4a4bb28630fb5613f9c281cde053'; // the commit of 5.17.0; the client compares it

process.title = 'query-engine'; // LiteLLM looks for engines that outlived their proxy by this name
const words = process.argv.slice(2);
if (words.includes('--version') || words.includes('-V')) {
  console.log(`query-engine ${ENGINE_VERSION}`);
  process.exit(0);
}

const { readDatamodel } = require('./datamodel');
const { Database } = require('./database');
const { Engine } = require('./engine');
const { serve } = require('./server');

const option = (...names) => {
  const at = words.findIndex((word) => names.includes(word));
  return at < 0 ? undefined : words[at + 1];
};

async function main() {
  const datamodel = readDatamodel(process.env);
  const engine = new Engine(datamodel, await Database.open(datamodel.url));
  serve(engine, datamodel, Number(option('-p', '--port') || process.env.PORT || 4466), option('-H', '--host') || '127.0.0.1');
}

const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) process.exit(0); }, 1000).unref();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
process.on('unhandledRejection', (error) => console.error('query-engine:', error && error.message));
main().catch((error) => {
  console.error('query-engine:', error.message);
  process.exit(1);
});
