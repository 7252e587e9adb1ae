// Checks requests and answers against GitHub's own description of its REST API (OpenAPI 3.0, from @octokit/openapi).
// Used by check-github.ts, which does it for every test, and by tests of servers in other processes.

import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';
import type { Exchange } from '../../src/demo/github/exchange.ts';
import { requirePart } from './real-parts.ts';

/** Clients that send something wrong on purpose give this header; only the answer is checked then. */
export const WRONG_ON_PURPOSE = 'x-wrong-on-purpose';

type Json = Record<string, unknown>;

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: Json;
}

interface Content {
  content?: Record<string, { schema: Json }>;
}

interface Operation {
  parameters?: (Parameter | { $ref: string })[];
  requestBody?: Content & { required?: boolean };
  responses: Record<string, Content | { $ref: string }>;
}

interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Record<string, Json>>;
}

interface Route {
  pattern: RegExp;
  template: string;
  operation: Operation;
}

/** What is wrong with an exchange, one sentence each; empty if nothing is. */
export type CheckExchange = (exchange: Exchange) => string[];

/** Reads the description (13 MB), and compiles the schemas of the routes that are used when they are. */
export function createApiCheck(): CheckExchange {
  const description: Description = JSON.parse(readFileSync(requirePart('github-api'), 'utf8'));
  amend(description);
  const schemas = new Schemas(description);
  const routes = new Map<string, Route[]>();
  const find = (method: string, path: string) => {
    const known = routes.get(method) ?? listRoutes(description, method);
    routes.set(method, known);
    return known.find(({ pattern }) => pattern.test(path));
  };
  return ({ call, answer, fault }) => {
    const path = call.url.pathname.replace(/^\/repositories\/\d+(?=\/|$)/, '/repos/renamed/repository');
    if (path === '/graphql') return label('POST /graphql', checkGraphql(call));
    const route = find(call.method, path);
    if (route === undefined) return [`${call.method} ${call.url.pathname}: GitHub has no such route`];
    const name = `${call.method} ${route.template}`;
    const wrong =
      call.headers[WRONG_ON_PURPOSE] === undefined ? checkRequest(schemas, route, path, call) : [];
    const answered = answer === undefined || fault ? [] : checkAnswer(schemas, route, name, answer);
    return label(name, [...wrong, ...answered]);
  };
}

/** Where GitHub's answers are known to differ from the description. */
function amend({ components }: Description): void {
  // "The repository of the head is null if the fork was deleted": https://docs.github.com/graphql/reference/objects#pullrequest
  for (const name of ['pull-request', 'pull-request-simple']) {
    const head = dig(components.schemas?.[name], 'properties', 'head', 'properties');
    for (const part of ['repo', 'user']) head[part] = { nullable: true, allOf: [head[part]] };
  }
}

/** The path's own segments before variable ones: `/pulls/comments` is not `/pulls/{pull_number}`. */
function listRoutes({ paths }: Description, method: string): Route[] {
  const found = Object.entries(paths).flatMap(([template, operations]) => {
    const operation = operations[method.toLowerCase()];
    const source = template.replace(/[.\\+*?^$()|[\]]/g, '\\$&').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
    return operation ? [{ pattern: new RegExp(`^${source}$`), template, operation }] : [];
  });
  const variables = (template: string) => template.split('{').length;
  return found.sort((a, b) => variables(a.template) - variables(b.template));
}

function checkRequest(
  schemas: Schemas,
  route: Route,
  path: string,
  { url, body, headers }: Exchange['call'],
) {
  const parameters = (route.operation.parameters ?? []).map(one => schemas.follow<Parameter>(one));
  const given = Object.entries(route.pattern.exec(path)?.groups ?? {}).map(
    ([name, text]) => ['path', name, decodeURIComponent(text)] as const,
  );
  const asked = [...url.searchParams].map(([name, text]) => ['query', name, text] as const);
  const problems = [...given, ...asked].flatMap(([where, name, text]) => {
    const parameter = parameters.find(one => one.in === where && one.name === name);
    if (parameter === undefined) return [`the ${where} parameter \`${name}\` does not exist`];
    return schemas.checkText(parameter.schema, text).map(problem => `\`${name}\` ${problem}`);
  });
  const missing = parameters.filter(
    one => one.in === 'query' && one.required && !url.searchParams.has(one.name),
  );
  const schema = route.operation.requestBody?.content?.['application/json']?.schema;
  return [
    ...problems,
    ...missing.map(({ name }) => `the query parameter \`${name}\` is missing`),
    ...checkBody(schemas, schema, body, route.operation.requestBody?.required ?? false),
    ...checkHeaders(headers, body !== undefined),
  ];
}

function checkBody(schemas: Schemas, schema: Json | undefined, body: unknown, required: boolean): string[] {
  if (body === undefined) return required ? ['the body is missing'] : [];
  if (schema === undefined) return ['a body is sent, and the route has none'];
  return schemas.check('closed', schema, body).map(problem => `the body: ${problem}`);
}

/** GitHub refuses requests without a user agent, and recommends to ask for its own media type. */
function checkHeaders(headers: Exchange['call']['headers'], hasBody: boolean): string[] {
  return [
    ...(headers['user-agent'] ? [] : ['there is no user agent']),
    ...(hasBody && !/^application\/json\b/.test(headers['content-type'] ?? '')
      ? [`the body's type is ${headers['content-type']}`]
      : []),
  ];
}

/** There is no OpenAPI for this route: GitHub's documentation of GraphQL names these fields. */
function checkGraphql({ body }: Exchange['call']): string[] {
  if (typeof body !== 'object' || body === null) return ['the body is not an object'];
  const unknown = Object.keys(body).filter(name => !['query', 'variables', 'operationName'].includes(name));
  return [
    ...unknown.map(name => `the body: \`${name}\` does not exist`),
    ...('query' in body && typeof body.query === 'string' ? [] : ['the body: `query` is not text']),
  ];
}

/** Answers to refused requests are often not described for the single route; then they must be of the usual form. */
function checkAnswer(
  schemas: Schemas,
  { operation }: Route,
  name: string,
  answer: NonNullable<Exchange['answer']>,
) {
  const { status, body } = answer;
  const documented = operation.responses[status];
  if (documented === undefined && status < 300) return [`${status} is not among the answers of ${name}`];
  const { content } = documented ? schemas.follow<Content>(documented) : {};
  const schema = content?.['application/json']?.schema;
  // 204, and 304 for a client that has the answer already.
  if (body === undefined)
    return status === 304 || (status < 300 && schema === undefined) ? [] : ['the answer has no body'];
  if (status < 300 && schema === undefined) return ['the answer has a body'];
  const expected = schema ?? { $ref: '#/components/schemas/basic-error' };
  return schemas.check('open', expected, body).map(problem => `answer ${status}: ${problem}`);
}

/** Numbers and booleans of a path or query. */
function parseText(text: string): unknown {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  return text === 'true' || text === 'false' ? text === 'true' : text;
}

/** `closed`: objects have no properties that the schema does not name. */
type Mode = 'open' | 'closed';

/** Compiles OpenAPI 3.0's dialect of JSON Schema. */
class Schemas {
  readonly #description: Description;
  readonly #ajv = new Ajv({ strict: false, validateSchema: false, logger: false, allErrors: true });
  readonly #compiled = new Map<Json, ValidateFunction>();

  constructor(description: Description) {
    this.#description = description;
    formats.default(this.#ajv);
  }

  check(mode: Mode, schema: Json, value: unknown): string[] {
    const compiled = this.#compiled.get(schema) ?? this.#ajv.compile(this.#translate(mode, schema));
    this.#compiled.set(schema, compiled);
    if (compiled(value)) return [];
    return (compiled.errors ?? []).map(({ instancePath, message, params }) => {
      const extra = 'additionalProperty' in params ? ` (\`${params.additionalProperty}\`)` : '';
      return `${instancePath} ${message}${extra}`.trim();
    });
  }

  /** For a part of a path or query, which may stand for a number or boolean. */
  checkText(schema: Json, text: string): string[] {
    const problems = this.check('open', schema, text);
    return problems.length === 0 ? [] : this.check('open', schema, parseText(text));
  }

  /** The object itself, or what it refers to. */
  follow<T>(object: T | { $ref: string }): T {
    return isReference(object) ? (this.#resolve(object.$ref) as T) : object;
  }

  #resolve(reference: string): unknown {
    const [, , kind = '', name = ''] = reference.split('/');
    return this.#description.components[kind]?.[name];
  }

  #translate(mode: Mode, value: unknown): Json {
    const { nullable, ...schema } = isJson(value) ? value : {};
    if (isReference(schema)) return { $ref: this.#register(mode, schema.$ref) };
    // GitHub sends '' for an address that nobody gave, and says so by the default.
    const { format, ...rest } = schema;
    const kept = schema.default === '' ? rest : schema;
    const translated = Object.fromEntries(
      Object.entries(kept).flatMap(([key, part]) => this.#translatePart(mode, key, part)),
    );
    if (mode === 'closed' && isJson(schema.properties)) translated.additionalProperties ??= false;
    if (nullable !== true) return translated;
    return { anyOf: [{ type: 'null' }, translated] };
  }

  #translatePart(mode: Mode, key: string, part: unknown): [string, unknown][] {
    if (['example', 'examples', 'description', 'title', 'default'].includes(key)) return [];
    if (key === 'properties' && isJson(part)) {
      const entries = Object.entries(part).map(([name, schema]) => [name, this.#translate(mode, schema)]);
      return [[key, Object.fromEntries(entries)]];
    }
    if (['items', 'not', 'additionalProperties'].includes(key) && isJson(part))
      return [[key, this.#translate(mode, part)]];
    if (['allOf', 'anyOf', 'oneOf'].includes(key) && Array.isArray(part))
      return [[key, part.map(schema => this.#translate(mode, schema))]];
    return [[key, part]];
  }

  /** Makes a component known to ajv under a name of its own; components may refer to themselves. */
  #register(mode: Mode, reference: string): string {
    const name = `${mode}-${reference.split('/').at(-1)}`;
    if (this.#registered.has(name)) return name;
    this.#registered.add(name);
    this.#ajv.addSchema(this.#translate(mode, this.#resolve(reference)), name);
    return name;
  }

  readonly #registered = new Set<string>();
}

function label(name: string, problems: readonly string[]): string[] {
  return problems.map(problem => `${name}: ${problem}`);
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isReference(value: unknown): value is { $ref: string } {
  return isJson(value) && typeof value.$ref === 'string';
}

function dig(value: unknown, ...path: string[]): Json {
  const found = path.reduce((inner, key) => (isJson(inner) ? inner[key] : undefined), value);
  if (!isJson(found)) throw new Error(`GitHub's description has no ${path.join('.')}`);
  return found;
}
