/** What is applied, translated and evaluated by code that shares nothing with the compiler, against the meaning of the native policy. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { holdsOf, type AskedToken, type NativeIssuer } from '../../core/token.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { decideNative } from '../../policy/native/decide.ts'
import { filesOf, policyData } from '../../policy/testdata/random.ts'
import { contains, parseAddress, parseNetwork } from '../../policy/when/cidr.ts'
import { load, NOW } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { ask, BOTH, compiled, issuers, observing, observings, payloadOf, proxyOf, targetOf, toldOnly } from './testing.ts'
import { readPath } from './translate/paths.ts'

const VALUES = ['a', 'b', 'c']
const odd = fc.constantFrom<unknown>(null, 5, true, '', 'a', 'a b', [], ['a'], [''], [5], { a: 'a' }, '*')
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 })
const list = fc.oneof(
  { weight: 6, arbitrary: fc.subarray(VALUES, { minLength: 1 }) },
  { weight: 1, arbitrary: fc.constantFrom(['a', 5], [null, 'b']) },
)
const text = fc.constantFrom(...VALUES, 'z')
const good = {
  issuer: fc.constantFrom('entra', 'entra', 'ci'),
  roles: maybe(list),
  groups: maybe(list),
  department: maybe(text),
  repository: maybe(text),
  scope: maybe(fc.constantFrom('Wiki.Read', 'Wiki.Write Wiki.Read', 'x Wiki.Write y', 'Wiki')),
  scp: fc.option(fc.constantFrom('Wiki.Read', 'x Wiki.Write y'), { nil: undefined, freq: 1 }),
}
const bad = {
  issuer: fc.constantFrom('entra', 'ci', 'other'),
  groups: odd,
  department: odd,
  scope: odd,
  client_id: fc.constantFrom<unknown>('c', 's', undefined, 5),
  cnf: fc.constantFrom<unknown>(undefined, { jkt: 'x' }, 'x'),
  act: fc.constantFrom<unknown>(undefined, { sub: 'x' }),
  nonce: fc.constantFrom(undefined, 'x'),
  _claim_names: fc.constantFrom<unknown>(undefined, { groups: 'src1' }),
  exp: fc.constantFrom(undefined, NOW / 1000 - 50, NOW / 1000 + 9000),
}
const token = fc
  .oneof({ weight: 8, arbitrary: fc.record(good) }, { weight: 1, arbitrary: fc.record({ ...good, ...bad }, { requiredKeys: ['issuer'] }) })
  .chain(({ issuer, ...claims }) =>
    fc.constantFrom('at+jwt', 'at+jwt', 'at+jwt', 'at+jwt', 'JWT').map((typ) => ({
      issuer,
      header: { alg: 'ES256', kid: 'k', typ },
      payload: JSON.parse(JSON.stringify(payloadOf(claims, `https://${issuer}.example`))) as Record<string, unknown>,
    })),
  )

const segment = fc.constantFrom(
  'a',
  'a',
  'b',
  'A',
  'z',
  ':',
  '%3A',
  '%3a',
  '%61',
  'a%2Fb',
  'a%5cb',
  '.',
  '..',
  '%2e%2e',
  '',
  'a;b',
  'a*b',
  '%C3%A4',
  '%c3%a4',
)
const path = fc
  .tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom('', '', '/', '?x=/b'))
  .map(([parts, end]) => `/${parts.join('/')}${end}`)
const request = fc.record({
  method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'get', 'PROPFIND'),
  path,
  host: fc.constantFrom('orders', 'wiki'),
  token: fc.option(token, { nil: undefined, freq: 6 }),
  source: fc.constantFrom('10.0.0.1', '192.0.2.1'),
})

function isAsAssumed({ credential }: NativeIssuer, asked: AskedToken): boolean {
  const { payload } = asked
  const isEmpty = (value: unknown): boolean =>
    value === '' || (Array.isArray(value) && !value.some((one) => typeof one === 'string' && one !== ''))
  return holdsOf(credential, asked, NOW, regexes.wholly) && payload['sub'] !== payload['client_id'] && !Object.values(payload).some(isEmpty)
}

const isFrom =
  (ip: string) =>
  (all: readonly { readonly address: string; readonly bits: number }[]): boolean =>
    all.some(({ address, bits }) => contains(parseNetwork(`${address}/${bits}`)!, parseAddress(ip)!))

for (const pathNormalization of ['DECODE_AND_MERGE_SLASHES', 'MERGE_SLASHES'] as const)
  describe(`a policy as resources of Istio, with ${pathNormalization}`, () => {
    test('means what the native policy means of what is forwarded', async () => {
      const told = { allowed: 0, denied: 0, observed: 0, narrower: 0, compiled: 0, refused: 0, unassumed: 0, guarded: 0 }
      const config = targetOf({ ...BOTH, pathNormalization, addresses: 'source' })
      await untilEnough(
        () =>
          fc.assert(
            fc.property(
              policyData.map(toldOnly),
              fc.array(request, { minLength: 60, maxLength: 60 }),
              observings,
              (plain, requests, which) => {
                const { data, more } = observing(plain, which)
                const time = more.now!
                const { policy } = load(filesOf(data), more)
                fc.pre(policy !== undefined)
                const { documents, diagnostics } = compiled(policy, config)
                if (diagnostics.length > 0) {
                  told.refused++
                  assert.ok(
                    diagnostics.every(({ code }) => code === 'target/not-native'),
                    JSON.stringify(diagnostics),
                  )
                  assert.deepEqual(documents, [])
                  return
                }
                told.compiled++
                const proxy = proxyOf(documents, config)
                for (const { method, path: raw, host, token: shown, source } of requests) {
                  const { native } = compileNative({ model: policy.model, resource: host, issuers })
                  const made = ask(proxy, {
                    method,
                    path: raw,
                    host: `${host}.example`,
                    source,
                    tokens: shown === undefined ? [] : [{ payload: shown.payload }],
                  })
                  const read = readPath(raw, proxy.connection)
                  const issuer = shown && native.issuers.find(({ name }) => name === shown.issuer)
                  const asked = shown && issuer && { header: shown.header, payload: shown.payload, form: issuer.form }
                  const isKnown = shown === undefined || (asked !== undefined && isAsAssumed(issuer!, asked))
                  if (shown !== undefined && issuer === undefined) {
                    assert.equal(made.allowed, false, 'a token of nobody’s')
                    continue
                  }
                  if (!isKnown) {
                    told.unassumed++
                    continue
                  }
                  const forwarded = 'path' in read ? read.path.replace(/[?#].*$/s, '') : undefined
                  const meant =
                    forwarded === undefined
                      ? undefined
                      : decideNative(native, { method, path: forwarded, token: asked, isIn: isFrom(source), time }, regexes.wholly)
                  const context = (): string => JSON.stringify([data, host, method, raw, forwarded, shown, made, meant])
                  if (made.allowed) assert.ok(meant?.allowed, `wider: ${context()}`)
                  else if (meant?.allowed === true) {
                    told.narrower++
                    // Declared: a `*` in a segment, a method that is no standard one or has small letters, and another spelling.
                    assert.ok(
                      method === 'PROPFIND' ||
                        method === 'get' ||
                        forwarded!.includes('*') ||
                        forwarded!.split('/').some((one) => /%3[aA]|%c3|%2[fF]|%5[cC]/.test(one)),
                      `narrower: ${context()}`,
                    )
                  }
                  if (made.allowed) told.allowed++
                  else told.denied++
                  if (meant?.allowed === true && !meant.wouldBeAllowed) told.observed++
                  if ((meant?.guardrails.length ?? 0) > 0) told.guarded++
                }
              },
            ),
            { numRuns: runs(10) },
          ),
        () =>
          told.compiled > 20 && told.allowed > 100 && told.observed > 100 && told.denied > 100 && told.unassumed > 100 && told.guarded > 20,
        () => told,
      )
    })
  })
