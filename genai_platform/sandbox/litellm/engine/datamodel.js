// What the engine must know of the schema file: where the database is, and the type of each model's fields.
'use strict';

const fs = require('fs');

function readText(env) {
  if (env.PRISMA_DML) return Buffer.from(env.PRISMA_DML, 'base64').toString('utf8');
  if (env.PRISMA_DML_PATH) return fs.readFileSync(env.PRISMA_DML_PATH, 'utf8');
  throw new Error('neither PRISMA_DML_PATH nor PRISMA_DML is set');
}

// The address given at run time wins over the one in the schema, as in the native engine.
function databaseUrl(text, env) {
  if (env.OVERWRITE_DATASOURCES) {
    const given = env.OVERWRITE_DATASOURCES.trim();
    const sources = JSON.parse(given.startsWith('[') ? given : Buffer.from(given, 'base64').toString('utf8'));
    if (sources[0] && sources[0].url) return sources[0].url;
  }
  const found = /datasource\s+\w+\s*\{[^}]*?\n\s*url\s*=\s*(?:env\("([^"]+)"\)|"([^"]+)")/.exec(text);
  if (found && found[2]) return found[2];
  const variable = (found && found[1]) || 'DATABASE_URL';
  if (!env[variable]) throw new Error(`${variable} is not set`);
  return env[variable];
}

function fieldTypes(text) {
  const models = new Map();
  for (const [, name, body] of text.matchAll(/^model\s+(\w+)\s*\{([^]*?)^\}/gm)) {
    const fields = new Map();
    for (const [, field, type] of body.matchAll(/^\s*(\w+)\s+(\w+)/gm)) fields.set(field, type);
    models.set(name, fields);
  }
  return models;
}

function readDatamodel(env) {
  const text = readText(env);
  return { text, url: databaseUrl(text, env), models: fieldTypes(text) };
}

module.exports = { readDatamodel };
