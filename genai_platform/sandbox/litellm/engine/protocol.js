// The Python client speaks GraphQL, the WebAssembly engine Prisma's JSON protocol: one into the other and back.
'use strict';

const { parse } = require('graphql/language');

// Root fields are an action followed by a model's name; the client's OrThrow variants put a word behind it.
const ACTIONS = [
  'findUnique', 'findFirst', 'findMany', 'createOne', 'createManyAndReturn', 'createMany', 'updateOne', 'updateMany', 'deleteOne', 'deleteMany',
  'upsertOne', 'aggregate', 'groupBy',
];
const OR_THROW = /^(findUnique|findFirst)(.+)OrThrow$/;
const RAW = new Set(['queryRaw', 'executeRaw']);

// A Json position means "this JSON text" in GraphQL but "this string" in the JSON protocol, so it must be marked.
const JSON_OPERATORS = new Set(['equals', 'not', 'array_contains', 'array_starts_with', 'array_ends_with', 'lt', 'lte', 'gt', 'gte', 'set', 'push']);

function markJson(value) {
  if (typeof value === 'string') return { $type: 'Json', value };
  if (Array.isArray(value)) return value.map(markJson);
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, JSON_OPERATORS.has(key) ? markJson(item) : item]));
}

function literal(node) {
  switch (node.kind) {
    case 'NullValue': return null;
    case 'BooleanValue': case 'StringValue': case 'EnumValue': return node.value;
    case 'FloatValue': return Number(node.value);
    case 'IntValue': return Number.isSafeInteger(Number(node.value)) ? Number(node.value) : { $type: 'BigInt', value: node.value };
    case 'ListValue': return node.values.map(literal);
    case 'ObjectValue': return Object.fromEntries(node.fields.map((field) => [field.name.value, literal(field.value)]));
    default: throw new Error(`unsupported GraphQL value: ${node.kind}`);
  }
}

const argumentsOf = (field) => Object.fromEntries((field.arguments || []).map((word) => [word.name.value, literal(word.value)]));

function selectionOf(set) {
  return Object.fromEntries((set ? set.selections : []).map((field) => {
    const plain = !field.selectionSet && !(field.arguments && field.arguments.length);
    return [field.name.value, plain ? true : { arguments: argumentsOf(field), selection: selectionOf(field.selectionSet) }];
  }));
}

class Protocol {
  constructor(models) { this.models = models; }

  // One GraphQL document with one root field -> { alias, request }.
  translate(document) {
    const { definitions } = parse(document, { noLocation: true });
    if (definitions.length !== 1 || definitions[0].selectionSet.selections.length !== 1) throw new Error('one root field expected');
    const field = definitions[0].selectionSet.selections[0];
    const name = field.name.value;
    const alias = field.alias ? field.alias.value : name;
    const query = { arguments: argumentsOf(field), selection: selectionOf(field.selectionSet) };
    if (RAW.has(name)) {
      query.arguments.parameters ??= '[]';
      return { alias, request: { action: name, query } };
    }
    const { action, modelName } = this.root(name);
    this.markSelection(query, modelName);
    return { alias, request: { modelName, action, query } };
  }

  root(name) {
    const throwing = OR_THROW.exec(name);
    if (throwing && this.models.has(throwing[2])) return { action: `${throwing[1]}OrThrow`, modelName: throwing[2] };
    for (const action of ACTIONS) {
      const modelName = name.slice(action.length);
      if (name.startsWith(action) && this.models.has(modelName)) return { action, modelName };
    }
    throw new Error(`unknown root field: ${name}`);
  }

  markSelection(node, model) {
    node.arguments = this.mark(node.arguments, model);
    for (const [key, child] of Object.entries(node.selection)) {
      if (child !== true) this.markSelection(child, this.related(model, key));
    }
  }

  mark(value, model) {
    if (Array.isArray(value)) return value.map((item) => this.mark(item, model));
    if (!value || typeof value !== 'object' || '$type' in value) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => {
      const isJson = this.models.get(model).get(key) === 'Json';
      return [key, isJson ? markJson(item) : this.mark(item, this.related(model, key))];
    }));
  }

  // The model a relation field leads to; any other word (where, data, AND, ...) stays with the same model.
  related(model, key) {
    const type = this.models.get(model).get(key);
    return this.models.has(type) ? type : model;
  }
}

// {"$type": ..., "value": ...} -> value, all the way down.
function plain(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(plain);
  if ('$type' in value) return plain(value.value);
  for (const key of Object.keys(value)) value[key] = plain(value[key]);
  return value;
}

function answer(result, alias) {
  if (result.data) result.data = { [alias]: plain(Object.values(result.data)[0]) };
  return result;
}

module.exports = { Protocol, answer };
