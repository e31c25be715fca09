/** What is only observed in a mesh of Istio: dry runs that enforce nothing, what is enforced when it is compiled again, and what the prover says of either. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { evaluateIstio, type IstioRequest } from './translate/evaluate.ts'
import { load, NOW, wiring as policyWiring } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import type { ResourceProof, TargetDocument } from '../target.ts'
import { proveIstio } from './prove.ts'
import { ask, BOTH, compiled, issuers, payloadOf, proxyOf, targetOf, wiringOf, without, type Call } from './testing.ts'
import type { Translated } from './translate/translate.ts'

const END = NOW + 60_000
const LATER = END + 60_000
const instant = (time: number): string => new Date(time).toISOString()
const ROLES = `roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
  senior: { bind: [{ issuer: entra, claim: level, any: [5] }] }
rules:
  - { id: read, role: admin, resource: [orders, wiki], actions: [GET /a, GET /b, GET /c] }
`
const GUARDRAILS = `guardrails:
  - { id: kept, for: [admin], resource: orders, deny: [GET /c] }
  - { id: soon, for: [admin], resource: orders, deny: [GET /b], mode: observe, until: '${instant(END)}' }
`

interface Given {
  readonly text?: string
  /** When it is compiled. */
  readonly now?: number
  /** Whether all of the resource is only observed until `LATER`. */
  readonly open?: boolean
  readonly config?: Readonly<Record<string, unknown>>
}

function policyOf({ text = GUARDRAILS, now = NOW, open = false }: Given) {
  const { wiki, ...rest } = policyWiring.resources
  const orders = { ...rest['orders']!, ...(open ? { observe: { until: instant(LATER) }, issuers: ['entra'] } : {}) }
  const { policy, diagnostics } = load(ROLES + text, { now, wiring: { ...policyWiring, resources: { ...rest, orders, wiki: wiki! } } })
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  return policy
}

const made = (given: Given = {}) => compiled(policyOf(given), targetOf(given.config))

function documentsOf(given: Given = {}): readonly TargetDocument[] {
  const { documents, diagnostics } = made(given)
  assert.deepEqual(diagnostics, [])
  return documents
}

interface Metadata {
  readonly name: string
  readonly annotations?: Readonly<Record<string, string>>
}
const metadataOf = ({ metadata }: TargetDocument): Metadata => metadata as Metadata
const isTried = (one: TargetDocument): boolean => metadataOf(one).annotations?.['istio.io/dry-run'] === 'true'
/** Names without what makes them unique. */
const namesOf = (all: readonly TargetDocument[]): readonly string[] => all.map((one) => metadataOf(one).name.replace(/-[0-9a-f]{10}$/, ''))

const admin = { token: { groups: ['admins'] } }
const allows = (proxy: Translated, call: Call): boolean => ask(proxy, call).allowed

describe('a guardrail that is only observed', () => {
  test('is a dry run, and is not cut out of what is allowed', () => {
    const documents = documentsOf()
    assert.deepEqual(namesOf(documents.filter(isTried)), ['ostiary-deny-soon'])
    const proxy = proxyOf(documents)
    assert.deepEqual(
      ['/a', '/b', '/c'].map((path) => allows(proxy, { ...admin, path })),
      [true, true, false],
    )
    // Without the documents that deny, too, and without the dry run: nobody else is let in by it.
    const without = proxyOf(documents.filter((one) => !isTried(one)))
    for (const call of [{ ...admin, path: '/b' }, { ...admin, path: '/c' }, { path: '/b' }, { path: '/c' }])
      assert.equal(allows(proxy, call), allows(without, call), JSON.stringify(call))
  })

  test('is what Istio counts, and says in its own words', () => {
    const filters = proxyOf(documentsOf()).http.flatMap(({ typedConfig }) => {
      const { rules, shadowRules, shadowRulesStatPrefix } = typedConfig as Readonly<
        Record<string, { readonly action?: string } | undefined>
      >
      return shadowRules === undefined ? [] : [[rules?.action, shadowRules.action, shadowRulesStatPrefix, shadowRules]]
    })
    assert.equal(filters.length, 1)
    assert.deepEqual(filters[0]!.slice(0, 3), ['DENY', 'DENY', 'istio_dry_run_deny_'])
    assert.match(
      JSON.stringify(filters[0]![3]),
      /^\{"action":"DENY","policies":\{"ns\[shop\]-policy\[ostiary-deny-soon-[0-9a-f]{10}\]-rule\[0\]"/,
    )
  })

  test('is enforced when it is compiled once that has ended, under the same name', () => {
    const [before, after] = [documentsOf(), documentsOf({ now: END })]
    assert.deepEqual(namesOf(after.filter(isTried)), [])
    const nameOf = (all: readonly TargetDocument[]) => all.map((one) => metadataOf(one).name).find((name) => name.includes('-deny-soon-'))
    assert.equal(nameOf(after), nameOf(before))
    assert.equal(allows(proxyOf(after), { ...admin, path: '/b' }), false)
    // It is cut out by now: nothing depends on the denial.
    assert.equal(allows(proxyOf(after.filter((one) => !metadataOf(one).name.includes('-deny-'))), { ...admin, path: '/b' }), false)
  })

  test('is told with the instant, and refused unless somebody says that it is applied again', () => {
    assert.deepEqual([made().until, made({ now: END }).until], [END, undefined])
    assert.ok(
      made().residues.some(
        ({ effect, text }) =>
          effect === 'assumed' &&
          text.startsWith('reapplied-when-observation-ends: ') &&
          text.includes(`guardrail \`soon\` until ${instant(END)}`),
      ),
    )
    const { documents, diagnostics } = made({ config: without('reapplied-when-observation-ends') })
    assert.deepEqual(
      [documents, diagnostics.map(({ code, message }) => `${code}: ${message}`)],
      [[], ['target/can-not-tell: Istio `mesh` can not tell when something is no longer only observed: it has no clock']],
    )
    // Once it has ended there is nothing to be said of it.
    assert.deepEqual(made({ now: END, config: without('reapplied-when-observation-ends') }).diagnostics, [])
  })

  test('that no mesh can enforce afterwards is refused before it begins', () => {
    const text = GUARDRAILS.replace('for: [admin], resource: orders, deny: [GET /b]', 'for: [senior], resource: orders, deny: [GET /b]')
    const { documents, diagnostics } = made({ text })
    assert.deepEqual(documents, [])
    assert.match(diagnostics.map(({ message }) => message).join(), /`read` can not be enforced by .*neither numbers nor truth values/)
  })

  test('ends for itself: of two, the first says until when it all holds', () => {
    const text = `${GUARDRAILS}  - { id: later, for: [admin], resource: orders, deny: [GET /a], mode: observe, until: '${instant(LATER)}' }\n`
    assert.deepEqual([made({ text }).until, made({ text, now: END }).until, made({ text, now: LATER }).until], [END, LATER, undefined])
    const proxy = proxyOf(documentsOf({ text, now: END }))
    assert.deepEqual(
      ['/a', '/b', '/c'].map((path) => allows(proxy, { ...admin, path })),
      [true, false, false],
    )
  })
})

describe('a resource that is only observed', () => {
  const open = { open: true }
  test('lets everybody through with a good credential or none, also of an issuer that it does not accept', () => {
    const documents = documentsOf(open)
    const proxy = proxyOf(documents)
    for (const call of [{}, admin, { token: {} }, { token: {}, iss: 'https://ci.example' }])
      for (const path of ['/', '/a', '/c', '/x/y']) assert.equal(allows(proxy, { ...call, path }), true, JSON.stringify([call, path]))
    for (const call of [
      { token: {}, iss: 'https://other.example' },
      { token: { exp: NOW / 1000 - 100 } },
      { token: { cnf: { jkt: 'x' } } },
      { headers: { authorization: 'Basic YTpi' } },
      { port: 9090 },
      { host: 'wiki.example' },
    ])
      assert.equal(allows(proxy, { path: '/a', ...call }), false, JSON.stringify(call))
    assert.deepEqual(namesOf(documents.filter(isTried)), ['ostiary-allow-read', 'ostiary-deny-kept', 'ostiary-deny-soon'])
  })

  test('has dry runs of its rules, as if it were enforced: without them it is the same', () => {
    const documents = documentsOf(open)
    const shadows = proxyOf(documents).http.flatMap(({ typedConfig }) =>
      typedConfig['shadowRules'] === undefined ? [] : [typedConfig['shadowRulesStatPrefix']],
    )
    assert.deepEqual(shadows, ['istio_dry_run_deny_', 'istio_dry_run_allow_'])
    const plain = proxyOf(documents.filter((one) => !isTried(one)))
    const request: IstioRequest = {
      method: 'GET',
      path: '/c',
      host: 'orders.example',
      port: 8080,
      source: '192.0.2.1',
      time: NOW,
      metadata: { 'envoy.filters.http.ext_authz': {} },
      tokens: [{ payload: payloadOf({ groups: ['admins'] }) }],
    }
    assert.equal(evaluateIstio(plain, request, regexes).allowed, true)
    // What it would be: the same documents, with nothing left that is only tried.
    const enforced = documents
      .filter((one) => !namesOf([one])[0]!.startsWith('ostiary-observe'))
      .map((one) => (isTried(one) ? { ...one, metadata: { ...metadataOf(one), annotations: {} } } : one))
    const then = proxyOf(enforced)
    assert.deepEqual(
      ['/a', '/b', '/c'].map((path) => allows(then, { ...admin, path })),
      [true, false, false],
    )
    assert.equal(allows(then, { path: '/a' }), false)
  })

  test('is closed where it was open, when it is compiled once that has ended', () => {
    const nameOf = (all: readonly TargetDocument[]) =>
      all.map((one) => metadataOf(one).name).find((name) => name.startsWith('ostiary-observe-'))
    const after = documentsOf({ ...open, now: LATER })
    assert.equal(nameOf(after), nameOf(documentsOf(open)))
    assert.deepEqual(
      after.filter((one) => metadataOf(one).name === nameOf(after)).map(({ spec }) => spec),
      [{ selector: { matchLabels: { app: 'web' } } }],
    )
    const proxy = proxyOf(after)
    assert.deepEqual(
      ['/a', '/b', '/c', '/x'].map((path) => allows(proxy, { ...admin, path })),
      [true, false, false, false],
    )
    assert.equal(allows(proxy, { path: '/a', token: {}, iss: 'https://ci.example' }), false)
    // Applied over what is there, nothing that let everything through is left.
    const byName = new Map([...documentsOf(open), ...after].map((one) => [metadataOf(one).name, one]))
    assert.equal(allows(proxyOf([...byName.values()]), { path: '/x' }), false)
  })

  test('opens nothing of its neighbours on the same workload', () => {
    const proxy = proxyOf(documentsOf({ ...open, config: BOTH }))
    assert.equal(allows(proxy, { path: '/x' }), true)
    assert.equal(allows(proxy, { path: '/x', host: 'wiki.example' }), false)
    assert.equal(allows(proxy, { token: { ...admin.token, scope: 'Wiki.Read' }, path: '/a', host: 'wiki.example' }), true)
  })

  test('is no matter for a ztunnel', () => {
    const { documents, diagnostics } = made({
      ...open,
      config: { workloads: { orders: { mode: 'ztunnel', namespace: 'shop', selector: { app: 'web' }, ports: [8080] } } },
    })
    assert.deepEqual(documents, [])
    assert.match(diagnostics.map(({ message }) => message).join(), /a ztunnel sees neither token nor host/)
  })
})

describe('the order in which documents come', () => {
  test('takes dry runs of grants before what grants, and those of denials last', () => {
    const order = namesOf(documentsOf({ open: true }))
    const at = (name: string): number => order.indexOf(`ostiary-${name}`)
    assert.ok(at('allow-read') < at('observe'), order.join())
    assert.ok(at('observe') < at('deny-kept'), order.join())
    assert.equal(order[0], 'ostiary-allow-nothing')
    assert.deepEqual(order.slice(-2), ['ostiary-deny-kept', 'ostiary-deny-soon'])
  })
})

describe('the proof', () => {
  const linesOf = (all: readonly ResourceProof[]): string =>
    all
      .flatMap(({ counterexamples, problems, notProven }) => [
        ...counterexamples.filter(({ direction }) => direction === 'wider').map(({ actions }) => `wider ${actions}`),
        ...problems,
        ...notProven,
      ])
      .join('\n')
  const proof = (given: Given, documents: readonly TargetDocument[], at = given.now ?? NOW): string => {
    const input = { name: 'mesh', config: targetOf(given.config), wiring: wiringOf(), policy: policyOf(given), issuers }
    return linesOf(proveIstio({ ...input, keys: undefined, revision: 'a'.repeat(64) }, documents, at))
  }
  const shapes: readonly Given[] = [{}, { now: END }, { open: true }, { open: true, now: END }, { open: true, now: LATER }]

  test('is there as it is compiled, before and after', () => {
    for (const given of shapes) assert.equal(proof(given, documentsOf(given)), '', JSON.stringify(given))
  })

  test('is none of what was compiled before an observation ended, and none later than that', () => {
    assert.match(proof({ now: END }, documentsOf()), /wider GET \/b/)
    assert.match(proof({ open: true, now: LATER }, documentsOf({ open: true })), /wider/)
    assert.match(proof({}, documentsOf(), END), /it was compiled for the time before/)
  })

  test('is none where something is only tried that has to be enforced', () => {
    for (const given of shapes)
      for (const [index, one] of documentsOf(given).entries()) {
        if (isTried(one) || one['kind'] !== 'AuthorizationPolicy') continue
        const documents = documentsOf(given).map((each, at) =>
          at === index
            ? { ...each, metadata: { ...metadataOf(each), annotations: { ...metadataOf(each).annotations, 'istio.io/dry-run': 'T' } } }
            : each,
        )
        if (given.open === true && metadataOf(one).name.startsWith('ostiary-observe')) continue // Then less is let through.
        assert.match(
          proof(given, documents),
          /is only tried, and what it says has to be enforced|nothing denies by default/,
          JSON.stringify([given, metadataOf(one).name]),
        )
      }
  })
})
