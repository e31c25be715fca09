/** What is emitted, read by the evaluator, against the meaning of the native policy. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { compileNative } from '../../policy/native/compile.ts'
import { decideNative } from '../../policy/native/decide.ts'
import { action, filesOf, identity, policyData } from '../../policy/testdata/random.ts'
import { issuers, tokenOf } from '../../policy/testdata/native.ts'
import { contains, parseAddress, parseNetwork } from '../../policy/when/cidr.ts'
import { load, NOW, OBSERVING } from '../../policy/testdata/world.ts'
import { statementOf, type Json } from '../../envoy/rbac.ts'
import { emitEnvoy, FILTERS, type EnvoyResource } from './emit.ts'
import { evaluateEnvoy, type EvaluatedRequest } from '../../envoy/evaluate.ts'
import { takenBy } from '../../envoy/evaluateroute.ts'
import { shadowsOf } from '../../envoy/evaluateshadow.ts'
import { OBSERVED, UNGRANTED } from '../../envoy/metadata.ts'
import { regexes } from '../../testing/regexes.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import type { TreeLimits } from './tree.ts'

const ORDER = [FILTERS.callers, FILTERS.guardrails, FILTERS.rules]
const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }

/** So that even a small policy comes to a tree of routes. */
const TREE = { listUpTo: 1, leafUpTo: 1 }

describe('a policy as filters of Envoy', () => {
  for (const tree of [undefined, TREE])
    test(`means what the native policy means${tree === undefined ? '' : ', as a tree of routes'}`, () => check(tree))
})

/** What is said of a request that would be denied. */
function observedOf(routes: Json, host: string, path: string, asked: EvaluatedRequest) {
  const taken = takenBy(routes, host, path)!
  const perFilter = {
    ...(taken.host['typedPerFilterConfig'] as Json),
    ...(taken.route['typedPerFilterConfig'] as Json | undefined),
  }
  const left = shadowsOf(
    // Those who are let in at all are asked about.
    ORDER.filter((filter) => filter !== FILTERS.callers).map((filter) => [filter, (perFilter[filter] as Json)['rbac'] as Json]),
    asked,
    regexes,
  )
  return { guardrail: left[OBSERVED.key], ungranted: left[UNGRANTED.key] === UNGRANTED.value }
}

async function check(tree: TreeLimits | undefined): Promise<void> {
  const told = { allowed: 0, denied: 0, byGuardrail: 0, wouldBe: 0, ungranted: 0, trees: 0 }
  await untilEnough(
    () =>
      fc.assert(
        fc.property(
          policyData,
          fc.array(fc.tuple(fc.option(identity, { freq: 6 }), action, fc.constantFrom(NOW, NOW + 2000)), { minLength: 20, maxLength: 20 }),
          fc.boolean(),
          (data, requests, isObserved) => {
            const { policy } = load(filesOf(data), isObserved ? { wiring: OBSERVING } : {})
            fc.pre(policy !== undefined)
            for (const name of ['orders', 'wiki']) {
              const { native, refused } = compileNative({ model: policy.model, resource: name, issuers })
              if (refused.length > 0) continue
              const resource: EnvoyResource = {
                native,
                hosts: [`${name}.example`],
                upstream,
                websocket: false,
                forwardAuthorization: false,
              }
              const { routes, extensions } = emitEnvoy({
                name: 'edge',
                address: { host: '127.0.0.1', port: 1 },
                resources: [resource],
                keys: new Map(),
                tls: undefined,
                logs: undefined,
                tree,
              })
              if (JSON.stringify(routes).includes('"matcherTree"')) told.trees++
              for (const [index, [caller, { method, path }, time]] of requests.entries()) {
                const ip = parseAddress(index % 2 === 0 ? '10.0.0.1' : '192.0.2.1')!
                const inNetwork = (address: string, bits: number): boolean => contains(parseNetwork(`${address}/${bits}`)!, ip)
                // What isn't in its one form is refused before: see the paths below.
                if (method !== method.toUpperCase() || !regexes.wholly('/(?:[A-Za-z0-9:]|/)*', path) || path.includes('//')) continue
                const issuer = native.issuers.find((one) => one.name === caller?.issuer)
                if (caller !== null && issuer === undefined) continue
                const token = caller === null ? undefined : tokenOf(caller)
                const payload = token && { ...token.payload, iss: issuer!.iss }
                const asked: EvaluatedRequest = {
                  host: `${name}.example`,
                  method,
                  path: `${path}?q`,
                  authorization: token && 'Bearer a.b.c',
                  token: token && { header: {}, payload },
                  isIn: inNetwork,
                  time,
                }
                const made = evaluateEnvoy(routes[0]!, ORDER, asked, regexes, extensions)
                const meant = decideNative(
                  native,
                  { method, path, token, isIn: (all) => all.some(({ address, bits }) => inNetwork(address, bits)), time },
                  regexes.wholly,
                )
                assert.equal(made.allowed, meant.allowed, JSON.stringify([data, name, token, method, path, made, meant]))
                if (made.allowed) told.allowed++
                else told.denied++
                // Who is let in at all is no matter of what is observed.
                if (made.allowed) {
                  const said = observedOf(routes[0]!, `${name}.example`, `${path}?q`, asked)
                  assert.equal(
                    said.guardrail === undefined && !said.ungranted,
                    meant.wouldBeAllowed,
                    JSON.stringify([data, name, token, method, path, said, meant]),
                  )
                  if (said.guardrail !== undefined) told.wouldBe++
                  if (said.ungranted) told.ungranted++
                }
                if (made.filter === FILTERS.guardrails && !made.policy!.startsWith('(scope)')) {
                  told.byGuardrail++
                  assert.ok(meant.guardrails.includes(statementOf(made.policy!)))
                }
              }
            }
          },
        ),
        { numRuns: runs(50) },
      ),
    () =>
      told.allowed > 50 &&
      told.denied > 50 &&
      told.byGuardrail > 10 &&
      told.wouldBe > 10 &&
      told.ungranted > 30 &&
      (tree === undefined || told.trees > 30),
    () => told,
  )
  if (tree === undefined) assert.equal(told.trees, 0)
}
