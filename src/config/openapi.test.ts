import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openApiFiles, OPENAPI_FILE, readOperations } from './openapi.ts'

function read(text: string, basePath?: string) {
  const { operations, diagnostics } = readOperations({ path: 'api.yaml', text }, basePath)
  return {
    operations: Object.fromEntries([...operations].map(([id, { method, template }]) => [id, `${method} ${template}`])),
    problems: diagnostics.map(({ message, span }) => `${span!.line}:${span!.column} ${message.replace(/^.*?: /, '')}`),
  }
}

const HEAD = 'openapi: 3.1.0\n'

describe('operations of a document', () => {
  const cases: readonly (readonly [name: string, text: string, operations: Readonly<Record<string, string>>])[] = [
    [
      'a path',
      `${HEAD}paths:\n  /orders:\n    get: { operationId: listOrders }\n    post: { operationId: createOrder }`,
      { listOrders: 'GET /orders', createOrder: 'POST /orders' },
    ],
    [
      'JSON',
      '{"openapi": "3.0.3", "paths": {"/orders/{id}": {"delete": {"operationId": "deleteOrder"}}}}',
      { deleteOrder: 'DELETE /orders/{id}' },
    ],
    [
      'a base path',
      `${HEAD}servers: [{ url: 'https://api.example.com/v1/' }]\npaths: { /orders: { get: { operationId: list } } }`,
      { list: 'GET /v1/orders' },
    ],
    [
      'a base path without a host',
      `${HEAD}servers: [{ url: /v2 }]\npaths: { /orders: { get: { operationId: list } } }`,
      { list: 'GET /v2/orders' },
    ],
    [
      'several servers with one path',
      `${HEAD}servers: [{ url: 'https://a.example/v1' }, { url: 'http://localhost:8080/v1' }]\npaths: { /o: { get: { operationId: list } } }`,
      { list: 'GET /v1/o' },
    ],
    [
      'variables',
      `${HEAD}servers: [{ url: 'https://{host}.example.com/{version}', variables: { host: { default: a }, version: { default: v3 } } }]\npaths: { /o: { get: { operationId: list } } }`,
      { list: 'GET /v3/o' },
    ],
    [
      'servers of a path, and of an operation',
      `${HEAD}servers: [{ url: /a }]\npaths:\n  /o:\n    servers: [{ url: /b }]\n    get: { operationId: one }\n    put: { operationId: two, servers: [{ url: /c }] }`,
      { one: 'GET /b/o', two: 'PUT /c/o' },
    ],
    [
      'parameters with other characters',
      `${HEAD}paths: { '/o/{order-id}/{2nd}': { get: { operationId: get } } }`,
      { get: 'GET /o/{order_id}/{_2nd}' },
    ],
    ['the root', `${HEAD}paths: { /: { get: { operationId: root } } }`, { root: 'GET /' }],
    ['operations without an id', `${HEAD}paths: { /o: { get: {}, parameters: [] , x-a: 1 }, x-b: 1 }`, {}],
    ['no paths', HEAD, {}],
    [
      'numbers that nobody can hold',
      `${HEAD}components: { schemas: { A: { maximum: 99999999999999999999 } } }\npaths: { /o: { get: { operationId: a, responses: { 200: { description: ok } } } } }`,
      { a: 'GET /o' },
    ],
  ]
  for (const [name, text, operations] of cases) test(name, () => assert.deepEqual(read(text), { operations, problems: [] }))

  test('a base path that the resource says goes before all servers', () =>
    assert.deepEqual(
      read(`${HEAD}servers: [{ url: /a }, { url: /b }]\npaths: { /o: { servers: [{ url: /c }], get: { operationId: list } } }`, '/x')
        .operations,
      { list: 'GET /x/o' },
    ))
})

describe('what can not be used', () => {
  const cases: readonly (readonly [text: string, problem: RegExp])[] = [
    ['', /^1:1 the document is no map/],
    ['[', /^\d+:\d+ it is not valid YAML or JSON/],
    ['{"openapi": "3.0.0", ', /not valid YAML or JSON/],
    ['swagger: "2.0"', /Swagger 2\.0/],
    ['openapi: 4.0.0', /^1:10 it is of version 4\.0\.0/],
    ['paths: {}', /does not say `openapi/],
    [`${HEAD}paths: []`, /`paths` is no map/],
    [`${HEAD}paths: { o: {} }`, /`o` does not start with/],
    [`${HEAD}paths: { /o: { $ref: other.yaml } }`, /somewhere else/],
    [`${HEAD}paths: { /o: { get: { operationId: 7 } } }`, /is a text/],
    [`${HEAD}paths: { /o: { get: x } }`, /no map/],
    [`${HEAD}paths: { /o: { get: { operationId: a } }, /o: {} }`, /there twice/],
    [`${HEAD}paths:\n  /o: { get: { operationId: a } }\n  /p: { get: { operationId: a } }`, /^4:29 the operation id `a` is there twice/],
    [`${HEAD}servers: [{ url: /a }, { url: /b }]\npaths: {}`, /different paths: `\/a`, `\/b`/],
    [`${HEAD}servers: [{ url: 'https://x/{v}' }]\npaths: {}`, /no URL that tells a path/],
    [`${HEAD}servers: [{ url: v1 }]\npaths: {}`, /no URL that tells a path/],
    [`${HEAD}servers: [{}]\npaths: {}`, /no URL that tells a path/],
    ['['.repeat(5000), /./],
  ]
  for (const [text, problem] of cases)
    test(JSON.stringify(text.slice(0, 60)), () => {
      const { problems } = read(text)
      assert.match(problems[0] ?? '', problem)
    })
})

test('only files of the folder are named', () => {
  for (const good of ['api.yaml', 'api/orders.json', 'a-b/c_d.v1.yaml']) assert.ok(OPENAPI_FILE.test(good), good)
  for (const bad of ['/etc/passwd', '../api.yaml', 'a/../../b', './a', 'a//b', '.hidden', 'a/.git/x', 'a\nb', '', 'https://x/y', 'a\\b'])
    assert.ok(!OPENAPI_FILE.test(bad), bad)
  const wiring = {
    path: 'ostiary.yaml',
    text: 'resources: { a: { openapi: b.yaml }, b: { openapi: { file: a.yaml } }, c: { openapi: ../x.yaml }, d: { openapi: 7 }, e: 1 }',
  }
  const environment = { name: 'x', path: 'environments/x.yaml', text: 'resources: { a: { openapi: c.yaml } }' }
  assert.deepEqual(openApiFiles({ wiring, environment }), ['a.yaml', 'b.yaml', 'c.yaml'])
  assert.deepEqual(openApiFiles({ wiring: { path: 'x', text: '{' }, environment: undefined }), [])
})
