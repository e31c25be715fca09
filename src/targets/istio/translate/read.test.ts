/** Resources are read wholly or not at all. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { OstiaryError } from '../../../core/errors.ts'
import { runs } from '../../../testing/runs.ts'
import { character } from '../../../testing/text.ts'
import { istioOf, parseIstio, readIstio } from './read.ts'

function policy(
  spec: string,
  metadata = '{name: a, namespace: shop}',
  head = 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy',
): string {
  return `${head}\nmetadata: ${metadata}\nspec: ${spec}\n`
}
function tokens(spec: string): string {
  return policy(spec, undefined, 'apiVersion: security.istio.io/v1\nkind: RequestAuthentication')
}
function problems(text: string): readonly string[] {
  const { resources, diagnostics } = readIstio('a.yaml', text)
  assert.equal(resources === undefined, diagnostics.length > 0)
  return diagnostics.map(({ message }) => message)
}

const FULL = `{selector: {matchLabels: {app: a}}, action: DENY, rules: [{from: [{source: {principals: ["*"]}}], to: [{operation: {ports: ["80"], paths: ["/a/{*}"]}}], when: [{key: "request.auth.claims[a][b]", notValues: [x]}]}]}`

describe('resources of Istio', () => {
  test('are read with all they say', () => {
    const [read, ...more] = parseIstio('a.yaml', policy(FULL))
    assert.equal(more.length, 0)
    assert.ok(read?.kind === 'AuthorizationPolicy')
    const [rule] = read.rules
    assert.deepEqual(
      [read.action, read.selector, read.targetRefs, rule!.to[0]!.ports, rule!.from[0]!.principals, rule!.when],
      ['DENY', { __proto__: null, app: 'a' }, [], ['80'], ['*'], [{ key: 'request.auth.claims[a][b]', values: [], notValues: ['x'] }]],
    )
  })

  test('that are not there, or empty documents, are none', () => {
    assert.deepEqual(readIstio('a.yaml', '---\n---\n').resources, [])
    assert.deepEqual(readIstio('a.yaml', '').resources, [])
  })

  const REFUSED: readonly (readonly [string, string, RegExp])[] = [
    ['an unknown field of a policy', policy('{rule: []}'), /unknown key `rule` in `spec`/],
    ['an unknown field of a source', policy('{rules: [{from: [{source: {principal: [a]}}]}]}'), /unknown key `principal` in `spec.rules\[0\].from\[0\].source`/],
    ['an unknown field of a rule', policy('{rules: [{form: []}]}'), /unknown key `form`/],
    ['a field of the wrong case', policy('{rules: [{to: [{operation: {Methods: [GET]}}]}]}'), /unknown key `Methods`/],
    ['fields without their `source`', policy('{rules: [{from: [{principals: [a]}]}]}'), /unknown key `principals`/],
    ['a source without anything', policy('{rules: [{from: [{source: {}}]}]}'), /`spec.rules\[0\].from\[0\].source`: it is empty/],
    ['a source that is null', policy('{rules: [{from: [{source: null}]}]}'), /must be of type a mapping/],
    ['an empty list', policy('{rules: [{to: [{operation: {methods: []}}]}]}'), /`spec.rules\[0\].to\[0\].operation.methods`: it is empty/],
    ['an empty text', policy('{rules: [{to: [{operation: {methods: [""]}}]}]}'), /it is empty/],
    ['a rule that is null', policy('{rules: [null]}'), /must be of type a mapping/],
    ['rules that are null', policy('{rules: null}'), /must be of type a list/],
    ['a number', policy('{rules: [{to: [{operation: {ports: [80]}}]}]}'), /must be of type text; numbers and booleans go in quotes/],
    ['no port', policy('{rules: [{to: [{operation: {ports: ["65536"]}}]}]}'), /it is no port/],
    ['no port either', policy('{rules: [{to: [{operation: {ports: ["8*"]}}]}]}'), /it is no port/],
    ['no network', policy('{rules: [{from: [{source: {ipBlocks: ["1.2.3.4/33"]}}]}]}'), /no address and no network/],
    ['a network with a leading zero', policy('{rules: [{from: [{source: {ipBlocks: ["1.2.3.04"]}}]}]}'), /no address and no network/],
    ['a network in a condition', policy('{rules: [{when: [{key: source.ip, values: [a]}]}]}'), /no address and no network/],
    ['a key that Istio has not', policy('{rules: [{when: [{key: request.auth.groups, values: [a]}]}]}'), /`request.auth.groups` is no key/],
    ['a claim without a name', policy('{rules: [{when: [{key: "request.auth.claims[a][]", values: [a]}]}]}'), /is no key/],
    ['a header without a name', policy('{rules: [{when: [{key: "request.headers[]", values: [a]}]}]}'), /is no key/],
    ['a condition without values', policy('{rules: [{when: [{key: source.ip}]}]}'), /needs `values` or `notValues`/],
    ['an action in small letters', policy('{action: deny}'), /`spec.action` must be of type `ALLOW` or `DENY`/],
    ['a provider without `CUSTOM`', policy('{provider: {name: a}}'), /belongs to `action: CUSTOM` alone/],
    ['`CUSTOM` without a provider', policy('{action: CUSTOM, rules: [{}]}'), /`provider` is missing/],
    ['`CUSTOM` about who calls', policy('{action: CUSTOM, provider: {name: a}, rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}'), /before callers are verified/],
    ['`CUSTOM` about a claim', policy('{action: CUSTOM, provider: {name: a}, rules: [{when: [{key: "request.auth.claims[a]", values: [a]}]}]}'), /before callers are verified/],
    ['accounts and principals', policy('{rules: [{from: [{source: {serviceAccounts: [a], principals: [a]}}]}]}'), /can not stand with/],
    ['an account with a wildcard', policy('{rules: [{from: [{source: {serviceAccounts: ["a/*"]}}]}]}'), /no service account/],
    ['a selector and a target', policy('{selector: {}, targetRefs: [{kind: Gateway, name: a}]}'), /only one of/],
    ['a label with a wildcard', policy('{selector: {matchLabels: {app: "a*"}}}'), /no wildcard/],
    ['a target in another namespace', policy('{targetRefs: [{kind: Gateway, name: a, namespace: b}]}'), /unknown key `namespace`/],
    ['a template with another wildcard', policy('{rules: [{to: [{operation: {paths: ["/a/{*}/b*"]}}]}]}'), /no other wildcard/],
    ['a template with two that become one', policy('{rules: [{to: [{operation: {paths: ["/a/{*}{*}"]}}]}]}'), /no two stand together/],
    ['a template with one after the last', policy('{rules: [{to: [{operation: {paths: ["/{**}/{*}"]}}]}]}'), /the last wildcard/],
    ['a template that no path has', policy('{rules: [{to: [{operation: {paths: ["/{*}/a b"]}}]}]}'), /no sign that a path has not/],
    ['too many rules', policy(`{rules: [${'{},'.repeat(513)}]}`), /more than 512/],
    ['a dry run that is neither', policy('{}', '{name: a, namespace: b, annotations: {istio.io/dry-run: "yes"}}'), /neither true nor false/],
    ['no namespace', policy('{}', '{name: a}'), /`namespace` is missing/],
    ['a name that is none', policy('{}', '{name: "a]-rule[0", namespace: b}'), /no name of a Kubernetes resource/],
    ['another kind', policy('{}', undefined, 'apiVersion: security.istio.io/v1\nkind: AuthorizationPolcy'), /`kind` must be/],
    ['another version', policy('{}', undefined, 'apiVersion: security.istio.io/v2\nkind: AuthorizationPolicy'), /`apiVersion` must be/],
    ['a second of the same name', `${policy('{}')}---\n${policy('{}')}`, /is there twice/],
    ['a key that is there twice', policy('{action: ALLOW, action: DENY}'), /unique/],
    ['an alias', policy('&a {rules: []}'), /aliases and anchors/],
    ['a tag', policy('{rules: [{to: [{operation: {ports: [!!str 80]}}]}]}'), /tags/],
    ['a word that Kubernetes reads as yes', policy('{rules: [{to: [{operation: {methods: [on]}}]}]}'), /read in two ways/],
    ['a number in two ways', policy('{rules: [{to: [{operation: {methods: [1:30]}}]}]}'), /read in two ways/],
    ['no issuer', tokens('{jwtRules: [{jwks: \'{"keys":[]}\'}]}'), /`issuer` is missing/],
    ['two sources of keys', tokens('{jwtRules: [{issuer: a, jwks: \'{"keys":[]}\', jwksUri: "https://a/k"}]}'), /only one of/],
    ['keys that are none', tokens('{jwtRules: [{issuer: a, jwks: abc}]}'), /no JSON Web Key Set/],
    ['keys elsewhere', tokens('{jwtRules: [{issuer: a, jwksUri: "file:///a"}]}'), /no http or https address/],
    ['an empty list of audiences', tokens('{jwtRules: [{issuer: a, audiences: []}]}'), /it is empty/],
    ['a presence', tokens('{jwtRules: [{issuer: a, presence: REQUIRED}]}'), /does nothing with it/],
    ['a header that is none', tokens('{jwtRules: [{issuer: a, fromHeaders: [{name: "a b"}]}]}'), /no name of a header/],
    ['a boolean in quotes', tokens('{jwtRules: [{issuer: a, forwardOriginalToken: "true"}]}'), /must be of type `true` or `false`/],
  ] // oxfmt-ignore
  for (const [name, text, expected] of REFUSED)
    test(`with ${name} are refused`, () => {
      const found = problems(text)
      assert.match(found.join('\n'), expected)
    })

  test('point at the line of what is wrong', () => {
    const { diagnostics } = readIstio(
      'a.yaml',
      `${policy('{}')}---\n${policy('\n  rules:\n  - to:\n    - operation:\n        metods: [GET]', '{name: b, namespace: shop}')}`,
    )
    assert.deepEqual(
      diagnostics.map(({ span }) => [span?.line, span?.file]),
      [[13, 'a.yaml']],
    )
  })

  test('as objects are read just so', () => {
    const object: unknown = parse(policy(FULL))
    assert.deepEqual(istioOf([object]), parseIstio('a.yaml', policy(FULL)))
    assert.throws(
      () => istioOf([object, object]),
      (error) => error instanceof OstiaryError && /twice/.test(error.message),
    )
    for (const rule of [new Map(), new Set(), new Date(0), Object.create({}) as object])
      assert.throws(() => istioOf([{ ...(object as object), spec: { rules: [rule] } }]), /`spec.rules\[0\]` must be of type a mapping/)
    assert.throws(() => istioOf([{ ...(object as object), sepc: {} }]), /unknown key `sepc` in `the resource`/)
  })
})

const CORPUS = new URL('../../../../test/corpus/istio-authz/http/', import.meta.url)
const inputs = readdirSync(CORPUS)
  .filter((name) => name.endsWith('-in.yaml'))
  .map((name) => readFileSync(new URL(name, CORPUS), 'utf8'))

describe('hostile documents', () => {
  test('of any text are read or refused, and never throw', () => {
    const text = fc.oneof(
      fc.string({ unit: character, maxLength: 300 }),
      fc
        .array(
          fc.constantFrom(
            'a:',
            '- ',
            '{',
            '}',
            '[',
            ']',
            '\n',
            '  ',
            '"',
            "'",
            '&a',
            '*a',
            '!!',
            '|',
            '>',
            '#',
            '---',
            '...',
            '%YAML 1.1',
            '<<:',
            'spec',
            'rules',
            ': ',
            ',',
            '\t',
            '? ',
          ),
          { maxLength: 60 },
        )
        .map((all) => all.join('')),
      fc
        .tuple(fc.constantFrom(...inputs), fc.nat(), fc.nat({ max: 20 }), fc.string({ unit: character, maxLength: 8 }))
        .map(([input, at, gone, put]) => input.slice(0, at % input.length) + put + input.slice((at % input.length) + gone)),
    )
    fc.assert(
      fc.property(text, (source) => {
        const { resources, diagnostics } = readIstio('a.yaml', source)
        assert.equal(resources === undefined, diagnostics.length > 0)
        for (const { message, span } of diagnostics) assert.ok(message.length > 0 && span?.file === 'a.yaml')
      }),
      { numRuns: runs(150) },
    )
  })

  test('of any object are read or refused with an error of the catalogue', () => {
    const inside = fc.anything({
      withNullPrototype: true,
      withMap: true,
      withSet: true,
      withBigInt: true,
      withDate: true,
      withSparseArray: true,
    })
    const object = fc.oneof(
      inside,
      fc.record({
        apiVersion: fc.constant('security.istio.io/v1'),
        kind: fc.constantFrom('AuthorizationPolicy', 'RequestAuthentication'),
        metadata: fc.constant({ name: 'a', namespace: 'b' }),
        spec: fc.oneof(
          inside,
          fc.record({ rules: fc.array(inside, { maxLength: 2 }) }),
          fc.record({ jwtRules: fc.array(inside, { maxLength: 2 }) }),
        ),
      }),
    )
    fc.assert(
      fc.property(object, (one) => {
        try {
          const read = istioOf([one])[0]!
          // All that can be read of what nobody meant is a rule that is written as empty, or tokens that nobody issues.
          assert.deepEqual(
            read.kind === 'AuthorizationPolicy'
              ? read.rules.filter(({ from, to, when }) => from.length + to.length + when.length > 0)
              : read.jwtRules,
            [],
          )
        } catch (error) {
          assert.ok(error instanceof OstiaryError && error.code.startsWith('config/'), String(error))
        }
      }),
      { numRuns: runs(150) },
    )
  })

  test('with one field more, anywhere, are refused', () => {
    const places = (value: unknown, path: readonly string[]): readonly (readonly string[])[] =>
      typeof value !== 'object' || value === null
        ? []
        : [...(Array.isArray(value) ? [] : [path]), ...Object.entries(value).flatMap(([key, each]) => places(each, [...path, key]))]
    let refused = 0
    for (const input of inputs)
      for (const source of input.split('\n---').filter((each) => each.includes('kind:'))) {
        const whole = parse(source) as object
        for (const path of places(whole, [])) {
          if (['labels', 'matchLabels', 'annotations'].includes(path.at(-1) ?? '')) continue
          const copy = structuredClone(whole)
          let at = copy as Record<string, unknown>
          for (const step of path) at = at[step] as Record<string, unknown>
          at['surplus'] = ['x']
          assert.match(problems(stringify(copy)).join(), /unknown key `surplus`/)
          refused++
        }
      }
    assert.ok(refused > 200, String(refused))
  })

  test('with one value of another type, anywhere, are refused', () => {
    const swap = (value: unknown): readonly unknown[] => {
      if (typeof value === 'string') return [5, true, null, [value], { value }]
      if (Array.isArray(value))
        return [
          value[0] ?? 'x',
          { first: value[0] as unknown },
          null,
          ...value.flatMap((each, at) => swap(each).map((other) => value.with(at, other))),
        ]
      if (typeof value !== 'object' || value === null) return ['x']
      return [
        [value],
        'x',
        null,
        ...Object.entries(value).flatMap(([key, each]) => swap(each).map((other) => ({ ...value, [key]: other }))),
      ]
    }
    let refused = 0
    for (const input of inputs.slice(0, 8))
      for (const source of input.split('\n---').filter((each) => each.includes('kind:')))
        for (const other of swap(parse(source)).slice(0, 300)) {
          // An empty document is none at all.
          if (other === null) continue
          const { resources } = readIstio('a.yaml', stringify(other, { aliasDuplicateObjects: false }))
          assert.equal(resources, undefined, stringify(other))
          refused++
        }
    assert.ok(refused > 300, String(refused))
  })
})
