/** The prover against the compiler: what is emitted is proven, and whatever is changed about it is found. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { evaluateEnvoy } from '../../envoy/evaluate.ts'
import { FILTERS } from '../../envoy/filters.ts'
import { compileNative } from '../../policy/native/compile.ts'
import { action, filesOf, identity, policyData } from '../../policy/testdata/random.ts'
import { issuers, tokenOf } from '../../policy/testdata/native.ts'
import { load, NOW, OBSERVING } from '../../policy/testdata/world.ts'
import { emitEnvoy, type EnvoyConfiguration, type EnvoyResource } from './emit.ts'
import { Pieces } from './pieces.ts'
import type { ResourceProof } from '../target.ts'
import { proveEnvoy } from './prove.ts'
import type { TreeLimits } from './tree.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { regexes } from '../../testing/regexes.ts'
import { runs, untilEnough } from '../../testing/runs.ts'

const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
const ORDER = [FILTERS.callers, FILTERS.guardrails, FILTERS.rules]

function resourcesOf(policy: CompiledPolicy, names: readonly string[]): readonly EnvoyResource[] {
  return names.flatMap((name) => {
    const { native, refused } = compileNative({ model: policy.model, resource: name, issuers })
    return refused.length > 0 ? [] : [{ native, hosts: [`${name}.example`], upstream, websocket: false, forwardAuthorization: false }]
  })
}

/** So that even a small policy comes to a tree of routes. */
const TREE = { listUpTo: 1, leafUpTo: 1 }

function emitted(resources: readonly EnvoyResource[], tree: TreeLimits | undefined): EnvoyConfiguration {
  const address = { host: '127.0.0.1', port: 1 }
  return emitEnvoy({ name: 'edge', address, resources, keys: new Map(), tls: undefined, logs: undefined, tree })
}

function proofs(policy: CompiledPolicy, resources: readonly EnvoyResource[], made: EnvoyConfiguration): readonly ResourceProof[] {
  return proveEnvoy({ snapshot: new Pieces().snapshot(made), resources, policy, now: NOW })
}

describe('what an Envoy is sent', () => {
  test('is proven, whatever the policy', async () => {
    const told = { resources: 0, observed: 0, comparisons: 0, trees: 0 }
    await untilEnough(
      () =>
        fc.assert(
          fc.property(policyData, fc.constantFrom(undefined, TREE), fc.boolean(), (data, tree, isObserved) => {
            const { policy } = load(filesOf(data), isObserved ? { wiring: OBSERVING } : {})
            fc.pre(policy !== undefined)
            const resources = resourcesOf(policy, ['orders', 'wiki'])
            const made = emitted(resources, tree)
            if (isTree(made)) told.trees++
            for (const { resource, counterexamples, problems, notProven, comparisons } of proofs(policy, resources, made)) {
              told.resources++
              if (isObserved) told.observed++
              told.comparisons += comparisons
              assert.deepEqual(
                { resource, counterexamples, problems, notProven },
                { resource, counterexamples: [], problems: [], notProven: [] },
                JSON.stringify(filesOf(data)),
              )
            }
          }),
          { numRuns: runs(4) },
        ),
      () => told.resources > 8 && told.observed > 2 && told.comparisons > 300 && told.trees > 2,
      () => told,
    )
  })

  test('is not proven where a request shows that something was changed', async () => {
    const told = { changed: 0, shown: 0, trees: 0 }
    const asked = fc.array(fc.tuple(fc.option(identity, { freq: 6 }), action), { minLength: 60, maxLength: 60 })
    await untilEnough(
      () =>
        fc.assert(
          fc.property(
            policyData,
            fc.constantFrom(undefined, TREE),
            fc.array(fc.nat(), { minLength: 6, maxLength: 6 }),
            asked,
            (data, tree, choices, requests) => {
              const { policy } = load(filesOf(data))
              fc.pre(policy !== undefined)
              const resources = resourcesOf(policy, ['orders'])
              fc.pre(resources.length > 0)
              const made = emitted(resources, tree)
              for (const choice of choices) {
                const changed = JSON.parse(JSON.stringify(made)) as EnvoyConfiguration
                if (!damage(changed, choice)) continue
                told.changed++
                if (isTree(made)) told.trees++
                const shows = requests.some(([caller, { method, path }]) => {
                  const issuer = resources[0]!.native.issuers.find((one) => one.name === caller?.issuer)
                  if (
                    method !== method.toUpperCase() ||
                    !/^(?:\/[A-Za-z0-9:]*)+$/.test(path) ||
                    path.includes('//') ||
                    (caller !== null && issuer === undefined)
                  )
                    return false
                  const token = caller === null ? undefined : { header: {}, payload: { ...tokenOf(caller).payload, iss: issuer!.iss } }
                  const request = { host: 'orders.example', method, path, authorization: token && 'Bearer a.b.c', token, time: NOW }
                  const allowed = ({ routes, extensions }: EnvoyConfiguration): boolean => {
                    try {
                      return evaluateEnvoy(routes[0]!, ORDER, request, regexes, extensions).allowed
                    } catch {
                      return true // What nobody can read is no proof either way.
                    }
                  }
                  return allowed(made) !== allowed(changed)
                })
                if (!shows) continue
                told.shown++
                if (isTree(made)) told.trees++
                const [proof] = proofs(policy, resources, changed)
                const { counterexamples, problems, notProven } = proof!
                assert.ok(counterexamples.length + problems.length + notProven.length > 0, JSON.stringify([filesOf(data), choice]))
              }
            },
          ),
          { numRuns: runs(4) },
        ),
      () => told.changed > 40 && told.shown > 5 && told.trees > 10,
      () => told,
    )
  })
})

function isTree(made: EnvoyConfiguration): boolean {
  return JSON.stringify(made.routes).includes('"matcherTree"')
}

type Tree = Record<string, unknown>

interface Host {
  readonly typedPerFilterConfig: Tree
  readonly routes?: readonly { readonly metadata?: unknown }[]
  readonly matcher?: { readonly matcherTree: { readonly prefixMatchMap: { readonly map: Record<string, Leaf> } } }
}

interface Leaf {
  readonly action: { readonly typedConfig: { readonly typedPerFilterConfig: Tree; readonly metadata?: unknown } }
}

/** Changes one thing of the filters or of the tree of routes: a text or a number is another, one of several is gone, what is asked is not asked. */
function damage({ routes, extensions }: EnvoyConfiguration, choice: number): boolean {
  const places: (() => void)[] = []
  const texts: string[] = []
  const visit = (value: unknown, set: (to: unknown) => void): void => {
    if (typeof value === 'string') {
      texts.push(value)
      places.push(() => set(texts[(choice * 7) % texts.length] === value ? `${value}x` : texts[(choice * 7) % texts.length]))
    }
    if (typeof value === 'number') places.push(() => set(value + 1))
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      // Names of what is there say nothing by themselves, nor do numbers of nodes.
      if (['id', '@type', 'action', 'filter', 'metadataSource', 'name', 'requirementName'].includes(key)) continue
      const own = value as Tree
      if (key === 'notId' || key === 'notRule') places.push(() => set(inner))
      if (Array.isArray(inner) && inner.length > 1) places.push(() => void inner.splice(choice % inner.length, 1))
      if (key === 'condition') places.push(() => void delete own['condition'])
      visit(inner, (to) => (own[key] = to))
    }
  }
  const [host] = (routes[0] as { readonly virtualHosts: readonly Host[] }).virtualHosts
  const { map } = host!.matcher?.matcherTree.prefixMatchMap ?? { map: {} }
  for (const { action } of Object.values(map)) {
    visit(action.typedConfig.metadata, () => undefined)
    for (const filter of ORDER) visit(action.typedConfig.typedPerFilterConfig[filter], () => undefined)
  }
  for (const filter of ORDER) visit(host!.typedPerFilterConfig[filter], () => undefined)
  visit(
    extensions.find(({ name }) => name === FILTERS.callers),
    () => undefined,
  )
  for (const { metadata } of host!.routes ?? []) visit(metadata, () => undefined)
  for (const [prefix, leaf] of Object.entries(map)) {
    const take = (): void => void delete map[prefix]
    places.push(take, () => {
      take()
      map[texts[(choice * 7) % texts.length]!] = leaf
    })
  }
  if (places.length === 0) return false
  places[choice % places.length]!()
  return true
}
