/** What is emitted, through Kuma's translation and Envoy's filters, against the meaning of the native policy. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { EvaluatedRequest } from '../../envoy/evaluate.ts'
import { shadowsOf } from '../../envoy/evaluateshadow.ts'
import { FILTERS, RBAC } from '../../envoy/filters.ts'
import { OBSERVED, UNGRANTED } from '../../envoy/metadata.ts'
import { statementOf, type Json } from '../../envoy/rbac.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { decideNative } from '../../policy/native/decide.ts'
import { issuers, tokenOf } from '../../policy/testdata/native.ts'
import { action, filesOf, identity, policyData } from '../../policy/testdata/random.ts'
import { contains, parseAddress, parseNetwork } from '../../policy/when/cidr.ts'
import { load, NOW, OBSERVING } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { evaluateKuma, translateKuma } from './evaluate.ts'
import { MESH_TLS, plainInbound } from './testdata/inbound.ts'
import { compiled, kumaConfig, LABELS } from './testdata/world.ts'

const WEB = 'spiffe://default.zone1.mesh.local/ns/shop/sa/web'
const HOSTS: Readonly<Record<string, readonly string[]>> = { orders: ['orders.example'], wiki: ['wiki.example', 'Pages.example'] }

/** Both behind one inbound, or each behind its own. */
const shape = fc.record({ apart: fc.boolean(), peers: fc.boolean(), version: fc.constantFrom('2.13', '2.14', '3.0') })

describe('a policy as filters of a mesh', () => {
  test('means what the native policy means, for several resources of the same dataplanes', async () => {
    const told: Told = { allowed: 0, denied: 0, byGuardrail: 0, wouldBe: 0, ungranted: 0, elsewhere: 0, byPeer: 0 }
    const isEnough = (): boolean => Math.min(...Object.values(told)) > 5 && told.allowed > 40 && told.denied > 200
    await untilEnough(
      () => asked(told),
      isEnough,
      () => told,
    )
  })
})

type Told = Record<'allowed' | 'denied' | 'byGuardrail' | 'wouldBe' | 'ungranted' | 'elsewhere' | 'byPeer', number>

/** Filters that decide, in the first chain of a listener. */
function filtersIn(listener: Json): readonly (readonly [string, Json])[] {
  const [chain] = listener['filterChains'] as readonly [{ readonly filters: readonly { readonly typedConfig: Json }[] }]
  const filters = chain.filters.flatMap(({ typedConfig }) => (typedConfig['httpFilters'] ?? []) as readonly Json[])
  return filters.flatMap(({ name, typedConfig }) =>
    (typedConfig as Json)['@type'] === RBAC ? [[name as string, typedConfig as Json] as const] : [],
  )
}

function asked(told: Told): void {
  fc.assert(
    fc.property(
      policyData,
      shape,
      fc.array(
        fc.tuple(
          fc.option(identity, { freq: 6 }),
          action,
          fc.constantFrom(NOW, NOW + 2000),
          fc.constantFrom(8000, 8000, 8000, 8001),
          fc.constantFrom(WEB, WEB, `${WEB}x`, undefined),
        ),
        { minLength: 20, maxLength: 20 },
      ),
      fc.boolean(),
      (data, { apart, peers, version }, requests, isObserved) => {
        const { policy } = load(filesOf(data), isObserved ? { wiring: OBSERVING } : {})
        fc.pre(policy !== undefined)
        const portOf = (resource: string): number => (apart && resource === 'wiki' ? 8001 : 8000)
        const workload = (resource: string): object => ({
          labels: LABELS,
          inbound: { port: portOf(resource), protocol: 'http' },
          ...(peers ? { peers: [{ exact: WEB }] } : {}),
        })
        const config = kumaConfig({ version, workloads: { orders: workload('orders'), wiki: workload('wiki') } })
        const { documents, diagnostics } = compiled({ policy, config })
        if (documents.length === 0) {
          assert.ok(diagnostics.length > 0)
          return
        }
        const inbounds = [8000, 8001].map((port) => ({
          port,
          listener: plainInbound({ port, service: `localhost:${port}`, protocol: 'http', transports: [peers ? MESH_TLS : undefined] }),
        }))
        const { listeners } = translateKuma(documents, { mesh: 'default', labels: { ...LABELS, tier: 'x' } }, inbounds)
        const byPort = new Map([
          [8000, listeners[0]!],
          [8001, listeners[1]!],
        ])
        for (const name of ['orders', 'wiki']) {
          const { native } = compileNative({ model: policy.model, resource: name, issuers })
          for (const [index, [caller, { method, path }, time, port, peer]] of requests.entries()) {
            const ip = parseAddress(index % 2 === 0 ? '10.0.0.1' : '192.0.2.1')!
            const inNetwork = (address: string, bits: number): boolean => contains(parseNetwork(`${address}/${bits}`)!, ip)
            // What isn't in its one form is refused before.
            if (method !== method.toUpperCase() || !regexes.wholly('/(?:[A-Za-z0-9:]|/)*', path) || path.includes('//')) continue
            const token = caller === null ? undefined : tokenOf(caller)
            const from = caller === null ? undefined : issuers.get(caller.issuer)![0]!
            const isTaken = from === undefined || native.issuers.some(({ form }) => form === from.form)
            const host = HOSTS[name]![index % HOSTS[name]!.length]!
            const asked: EvaluatedRequest = {
              host: index % 7 === 0 ? `${host}.other` : host,
              method,
              path: `${path}?q`,
              authorization: token && 'Bearer a.b.c',
              token: token && { header: {}, payload: { ...token.payload, iss: from!.iss } },
              isIn: inNetwork,
              time,
              port,
              ...(peers ? { peer: peer === undefined ? [] : [peer] } : {}),
            }
            const made = evaluateKuma(byPort.get(port)!, asked, regexes)
            const meant = decideNative(
              native,
              { method, path, token, isIn: (all) => all.some(({ address, bits }) => inNetwork(address, bits)), time },
              regexes.wholly,
            )
            const isHere = index % 7 !== 0 && port === portOf(name)
            const isPeer = !peers || peer === WEB
            const context = JSON.stringify([data, name, token, method, path, made, meant])
            assert.equal(made.allowed, isHere && isPeer && isTaken && meant.allowed, context)
            if (made.allowed) told.allowed++
            else told.denied++
            if (made.allowed) {
              const left = shadowsOf(filtersIn(byPort.get(port)!), asked, regexes)
              const isUngranted = left[UNGRANTED.key] === UNGRANTED.value
              assert.equal(left[OBSERVED.key] === undefined && !isUngranted, meant.wouldBeAllowed, `${context} ${JSON.stringify(left)}`)
              if (left[OBSERVED.key] !== undefined) told.wouldBe++
              if (isUngranted) told.ungranted++
            }
            if (meant.allowed && !isHere) told.elsewhere++
            if (meant.allowed && !isPeer) told.byPeer++
            if (made.filter === FILTERS.guardrails && !made.policy!.startsWith('(')) {
              told.byGuardrail++
              assert.ok(meant.guardrails.includes(statementOf(made.policy!)), context)
            }
          }
        }
      },
    ),
    { numRuns: runs(10) },
  )
}
