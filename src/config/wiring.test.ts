import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { Diagnostic } from '../core/errors.ts'
import { runs } from '../testing/runs.ts'
import { character } from '../testing/text.ts'
import { readDocument } from './document.ts'
import { bytes, duration, listenAddress, secretReference, secureUrl } from './fields.ts'
import { issuerBase, resourceBase, type Families } from './schema.ts'
import { validate } from './validate.ts'
import { readWiring } from './wiring.ts'

const families: Families = {
  issuers: {
    oidc: issuerBase.extend({ kind: z.literal('oidc'), issuer: secureUrl() }),
    entra: issuerBase.extend({ kind: z.literal('entra'), tenant: z.string() }),
  },
  resources: { http: resourceBase.extend({ protocol: z.literal('http'), upstream: secureUrl(), secret: secretReference().optional() }) },
  doors: { http: z.strictObject({ listen: listenAddress() }) },
  targets: {},
}

const BASE = `apiVersion: ostiary.dev/v1
issuers:
  corp: { kind: oidc, issuer: 'https://id.example', audiences: [api] }
resources:
  orders: { protocol: http, upstream: 'https://orders.example' }
doors:
  http: { listen: 127.0.0.1:8080 }
`

function read(text: string, environment?: string) {
  const over = environment === undefined ? undefined : { name: 'prod', path: 'environments/prod.yaml', text: environment }
  return readWiring({ wiring: { path: 'ostiary.yaml', text }, environment: over }, families)
}

function short({ code, span, help }: Diagnostic): string {
  return `${code} ${span?.file === 'ostiary.yaml' ? '' : `${span?.file}:`}${span?.line}:${span?.column} ${help}`
}

test('a wiring with its defaults', () => {
  const { wiring, diagnostics } = read(BASE)
  assert.deepEqual(diagnostics, [])
  assert.equal(wiring!.name, 'ostiary')
  assert.equal(wiring!.resources['orders']!.record, 'spool')
  assert.deepEqual(wiring!.admin.listen, { host: '127.0.0.1', port: 8081 })
  assert.equal(wiring!.audit.keepFor, 90 * 86_400_000)
})

describe('what is refused, where, and what to write instead', () => {
  const cases: readonly (readonly [name: string, text: string, expected: readonly string[]])[] = [
    ['an unknown key', BASE.replace('doors:', 'door:'), ['config/missing', 'config/unknown-key 6:1 did you mean `doors`?']],
    [
      'an unknown key of a kind',
      BASE.replace('audiences', 'audience'),
      ['config/missing', 'config/unknown-key 3:53 did you mean `audiences`?'],
    ],
    ['an unknown kind', BASE.replace('kind: oidc', 'kind: odic'), ['config/invalid 3:17 did you mean `oidc`?']],
    ['a wrong type', BASE.replace('[api]', 'api'), ['config/wrong-type 3:64 write a value of type list']],
    ['an URL that is not secure', BASE.replace('https://orders', 'http://orders'), ['config/invalid 5:39 ']],
    ['a secret in plain sight', BASE.replace("example' }\ndoors", "example', secret: hunter2 }\ndoors"), ['config/invalid 5:73 ']],
    ['a name that is none', BASE.replace('corp:', 'Corp:'), ['config/invalid 3:9 ']],
    ['another version', BASE.replace('v1', 'v2'), ['config/invalid 1:13 did you mean `ostiary.dev/v1`?']],
    ['a list for a map', '- a', ['config/wrong-type 1:1 ']],
    [
      'words of JavaScript',
      BASE.replace('corp:', 'constructor:').replace('{ listen', '{ constructor: { x: 1 }, listen'),
      ['config/unknown-key 7:11 '],
    ],
  ]
  for (const [name, text, expected] of cases)
    test(name, () => {
      const { wiring, diagnostics } = read(text)
      const found = diagnostics.map(short)
      assert.equal(wiring, undefined)
      assert.equal(found.length, expected.length, found.join('\n'))
      for (const [i, wanted] of expected.entries()) assert.ok(found[i]!.startsWith(wanted), `${found[i]}\nis not\n${wanted}`)
      assert.doesNotMatch(found.join(''), /hunter2/)
    })
})

describe('an environment', () => {
  test('changes wiring, adds bindings, and its mistakes are shown in its own file', () => {
    const { wiring, bindings, diagnostics } = read(
      BASE,
      `apiVersion: ostiary.dev/v1\nresources: { orders: { record: strict } }\nbindings: { reader: [] }`,
    )
    assert.deepEqual(diagnostics, [])
    assert.equal(wiring!.resources['orders']!.record, 'strict')
    assert.equal(bindings?.kind, 'map')
    const wrong = read(BASE, 'apiVersion: ostiary.dev/v1\nresources: { orders: { recrod: strict } }')
    assert.deepEqual(wrong.diagnostics.map(short), ['config/unknown-key environments/prod.yaml:2:24 did you mean `record`?'])
  })
  test('says no rules, guardrails and roles', () => {
    const { wiring, diagnostics } = read(BASE, 'apiVersion: ostiary.dev/v1\nrules: []\nguardrails: []\nroles: {}')
    assert.equal(wiring, undefined)
    assert.deepEqual(
      diagnostics.map(({ code, span }) => `${code} ${span!.line}`),
      ['config/overlay-key 2', 'config/overlay-key 3', 'config/overlay-key 4'],
    )
  })
  test('carries its own version', () =>
    assert.deepEqual(
      read(BASE, 'resources: {}').diagnostics.map(({ code }) => code),
      ['config/missing'],
    ))
  test('is never the whole wiring', () => {
    const whole = BASE.replace('apiVersion', '# and more\napiVersion')
    for (const base of ['- a', '"text"', '', 'a: [']) assert.equal(read(base, whole).wiring, undefined, base)
    assert.deepEqual(read('- a', whole).diagnostics.map(short), ['config/wrong-type 1:1 write a value of type map'])
  })
  test('is a map', () =>
    assert.deepEqual(
      read(BASE, '- a').diagnostics.map(({ code }) => code),
      ['config/wrong-type'],
    ))
})

test('whatever the text, a wiring comes out only without errors, and nothing throws', () => {
  const line = fc.constantFrom(
    'apiVersion: ostiary.dev/v1',
    'issuers:',
    'resources:',
    '  orders:',
    '  constructor: {}',
    '    protocol: http',
    '    upstream: https://a.example',
    'doors: {}',
    'issuers: {}',
    'resources: {}',
    'admin: { listen: "x" }',
    'audit: []',
    '---',
    '- a',
    '  - b',
    'toString: 1',
  )
  const text = fc.oneof(
    fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n')),
    fc.string({ unit: character }),
  )
  let good = 0
  fc.assert(
    fc.property(text, fc.option(text, { nil: undefined }), (base, over) => {
      const { wiring, diagnostics } = read(base, over)
      assert.equal(
        wiring === undefined,
        diagnostics.some(({ severity }) => severity === 'error'),
      )
      if (wiring !== undefined) good++
    }),
    { numRuns: runs(150), examples: [['apiVersion: ostiary.dev/v1\nissuers: {}\nresources: {}\ndoors: {}', undefined]] },
  )
  assert.ok(good > 0)
})

test('every key of a document is either in what was validated or a finding', () => {
  const schema = z.strictObject({
    a: z.strictObject({ b: z.string().optional() }).optional(),
    r: z.record(z.string(), z.number()).optional(),
  })
  const key = fc.constantFrom('a', 'b', 'r', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '__proto__')
  fc.assert(
    fc.property(
      fc.dictionary(key, fc.oneof(fc.constant('x'), fc.constant(1), fc.dictionary(key, fc.oneof(fc.constant('x'), fc.constant(1))))),
      (value) => {
        const text = JSON.stringify(value)
        const { root } = readDocument('f.yaml', text)
        if (root === undefined) {
          assert.match(text, /__proto__/)
          return
        }
        const { value: out, diagnostics } = validate(schema, root)
        if (out === undefined) assert.notEqual(diagnostics.length, 0)
        else assert.deepEqual(JSON.parse(JSON.stringify(out)), JSON.parse(text))
      },
    ),
    { numRuns: runs(150) },
  )
})

describe('fields', () => {
  const reads = (schema: z.ZodType, text: unknown): unknown => {
    const { success, data } = schema.safeParse(text)
    return success ? data : 'refused'
  }
  test('durations and sizes', () => {
    assert.deepEqual(
      ['500ms', '30s', '15m', '8h', '30d', '0s'].map((text) => reads(duration(), text)),
      [500, 30_000, 900_000, 28_800_000, 2_592_000_000, 0],
    )
    for (const text of ['1', '1w', '-1s', '1.5s', '1 s', '', 's', '1S', '9999999999s', 1])
      assert.equal(reads(duration(), text), 'refused', String(text))
    assert.deepEqual(
      ['512B', '64KiB', '10MiB', '2GiB'].map((text) => reads(bytes(), text)),
      [512, 65_536, 10_485_760, 2_147_483_648],
    )
    for (const text of ['1', '1K', '1KB', '1kib', '-1B']) assert.equal(reads(bytes(), text), 'refused', text)
  })
  test('plain http only where it does not leave the machine', () => {
    for (const text of [
      'https://a.example',
      'https://a.example:8443/x',
      'http://127.0.0.1:1',
      'http://localhost',
      'http://[::1]:8080',
      'http://idp.localhost:8082',
    ])
      assert.equal(reads(secureUrl(), text), text)
    for (const text of [
      'http://a.example',
      'http://127.0.0.1.example',
      'http://localhost.example',
      'http://0.0.0.0',
      'ftp://localhost',
      'https://u:p@a.example',
      'https://a.example?x',
      'https://a.example#x',
      'a.example',
      '',
      'http://[::2]',
      'http://128.0.0.1',
    ])
      assert.equal(reads(secureUrl(), text), 'refused', text)
  })
  test('listeners', () => {
    assert.deepEqual(reads(listenAddress(), '127.0.0.1:0'), { host: '127.0.0.1', port: 0 })
    assert.deepEqual(reads(listenAddress(), '[::1]:8080'), { host: '::1', port: 8080 })
    for (const text of ['8080', ':8080', 'localhost:8080', '127.0.0.1', '127.0.0.1:65536', '127.0.0.1:-1', '::1:8080'])
      assert.equal(reads(listenAddress(), text), 'refused', text)
  })
})
