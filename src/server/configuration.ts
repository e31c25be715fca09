import { createHash } from 'node:crypto'
import { diagnostic, DiagnosticsError, OstiaryError, type Diagnostic } from '../core/errors.ts'
import { didYouMean } from '../config/didyoumean.ts'
import { targetOf } from '../config/places.ts'
import { spanOf, type Located } from '../config/document.ts'
import { readSources } from '../config/load.ts'
import type { Wiring } from '../config/schema.ts'
import { readWiring, type Sources } from '../config/wiring.ts'
import { issuerKinds, meet } from '../identity/index.ts'
import {
  checkPolicy,
  checkWiring,
  loadPolicy,
  runPolicyTests,
  coverageOf,
  type CompiledPolicy,
  type KnownFiles,
  type PolicyTestCoverage,
  type PolicyTestResult,
  actionOf,
  type WhoCan,
} from '../policy/index.ts'
import { operationsOf } from './operations.ts'
import type { EnvoyDoor } from '../doors/envoy/schema.ts'
import { planNode } from '../targets/envoy/nodes.ts'
import { targetKinds } from '../targets/index.ts'
import { speaksHttp } from '../targets/wired.ts'
import { clusterDoubts } from './clusterdoubts.ts'
import { families, GATEWAY_ISSUER, GATEWAY_RESOURCE, kindClaims, nativeIssuers } from './families.ts'

/** One version of the whole configuration: what was read, and what came of it. */
export interface Configuration {
  readonly folder: string
  readonly sources: Sources
  readonly wiring: Wiring | undefined
  /** The merged wiring as a tree, for places in findings of whoever builds from it. */
  readonly root: Located | undefined
  /** Undefined where any finding is an error. */
  readonly policy: CompiledPolicy | undefined
  readonly diagnostics: readonly Diagnostic[]
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Reads and compiles a configuration folder. Findings are answered, not thrown. `now` is in milliseconds since the epoch. */
export function loadConfiguration(folder: string, environment?: string, now = Date.now()): Configuration {
  const configuration = compile(folder, readSources(folder, environment), now)
  return { ...configuration, diagnostics: [...configuration.diagnostics, ...doubts(configuration, now)] }
}

/** What is allowed in a configuration but probably not meant. */
export function doubts({ policy, wiring, root, folder }: Configuration, now: number): readonly Diagnostic[] {
  if (policy === undefined || wiring === undefined) return []
  return [
    ...checkWiring(wiring, root, now),
    ...checkPolicy(policy, now),
    ...clusterDoubts(wiring, policy, now),
    ...targetProblems(wiring, policy, folder),
  ]
}

/** What Envoys and targets of the wiring can't be told: nothing new would be handed out to them, or applied. */
function targetProblems(wiring: Wiring, policy: CompiledPolicy, folder: string): readonly Diagnostic[] {
  const door = wiring.doors['envoy'] as EnvoyDoor | undefined
  const nodes = Object.entries(door?.nodes ?? {})
  const targets = Object.entries(wiring.targets)
  const unasked = Object.entries(door?.checks?.proxies ?? {}).flatMap(([name, { resources }]) =>
    resources
      .filter((resource) => !speaksHttp(wiring, resource))
      .map((resource) => diagnostic('target/no-resource', { target: `proxy \`${name}\``, resource }, undefined)),
  )
  if (nodes.length === 0 && targets.length === 0) return unasked
  const issuers = nativeIssuers(wiring)
  return [
    ...unasked,
    ...nodes.flatMap(([name, node]) => planNode({ name, node, wiring, policy, issuers, folder }).diagnostics),
    ...samePlaces(wiring),
    ...toldOnce(
      targets.flatMap(([place, config]) => {
        const { compile: compiled } = targetKinds[config.kind]!
        // Nobody is asked for keys here, and nothing is applied.
        return compiled({ name: targetOf(place), config: config as never, wiring, policy, issuers, keys: undefined, revision: '' })
          .diagnostics
      }),
    ),
  ]
}

/** What is wrong in each of several places is told once. */
function toldOnce(all: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...new Map(all.map((one) => [JSON.stringify([one.code, one.message, one.span]), one])).values()]
}

/** Two places of one target at one control plane would each remove what the other has applied. */
function samePlaces({ targets }: Wiring): readonly Diagnostic[] {
  const first = new Map<string, string>()
  return Object.entries(targets).flatMap(([place, config]) => {
    const where = targetKinds[config.kind]!.destination?.(config as never)
    if (where === undefined) return []
    const key = JSON.stringify([targetOf(place), where])
    const other = first.get(key)
    if (other === undefined) first.set(key, place)
    return other === undefined ? [] : [diagnostic('target/same-place', { place, other, where }, undefined)]
  })
}

/** Compiles sources that were read before, such as a version kept for the record. */
export function compile(folder: string, sources: Sources, now: number, known?: KnownFiles): Configuration {
  const { wiring, root, bindings, diagnostics } = readWiring(sources, families)
  if (wiring === undefined) return { folder, sources, wiring, root, policy: undefined, diagnostics }
  const { operations, diagnostics: documented } = operationsOf(wiring, root, sources)
  // Without its operations, a policy that speaks of them would look wrong.
  if (documented.length > 0) return { folder, sources, wiring, root, policy: undefined, diagnostics: [...diagnostics, ...documented] }
  const own = [...reserved(wiring, root), ...twice(wiring, root), ...alike(wiring, root)]
  const loaded = loadPolicy({
    sources,
    wiring: withGateway(wiring),
    wiringRoot: root,
    bindings,
    kindClaims,
    operations,
    mustAdminister: true,
    now,
    known,
    digest,
  })
  return {
    folder,
    sources,
    wiring,
    root,
    policy: own.length > 0 ? undefined : loaded.policy,
    diagnostics: [...diagnostics, ...own, ...loaded.diagnostics],
  }
}

/** The gateway's own names can't be given to something else. */
function* reserved(wiring: Wiring, root: Located | undefined): Generator<Diagnostic> {
  const at = (path: readonly string[]) => (root === undefined ? undefined : spanOf(root, path, 'key'))
  if (Object.hasOwn(wiring.issuers, GATEWAY_ISSUER))
    yield diagnostic('server/reserved', { name: GATEWAY_ISSUER, what: 'issuer' }, at(['issuers', GATEWAY_ISSUER]))
  if (Object.hasOwn(wiring.resources, GATEWAY_RESOURCE))
    yield diagnostic('server/reserved', { name: GATEWAY_RESOURCE, what: 'resource' }, at(['resources', GATEWAY_RESOURCE]))
}

/** Kinds whose tokens don't name their issuer can be there once. */
function* twice(wiring: Wiring, root: Located | undefined): Generator<Diagnostic> {
  const first = new Map<string, string>()
  for (const [name, { kind }] of Object.entries(wiring.issuers)) {
    if (issuerKinds[kind]?.single !== true) continue
    const other = first.get(kind)
    const span = root === undefined ? undefined : spanOf(root, ['issuers', name], 'key')
    if (other !== undefined) yield diagnostic('identity/single-kind', { kind, first: other, second: name }, span)
    else first.set(kind, name)
  }
}

/** A token is one issuer's: never is it tried on another. */
function* alike(wiring: Wiring, root: Located | undefined): Generator<Diagnostic> {
  const issuers = Object.entries(wiring.issuers).map(([name, config]) => ({ name, taken: issuerKinds[config.kind]?.takes?.(config) ?? {} }))
  for (const [i, { name, taken }] of issuers.entries()) {
    const other = issuers.slice(0, i).find((one) => meet(one.taken, taken))
    const span = root === undefined ? undefined : spanOf(root, ['issuers', name], 'key')
    if (other !== undefined) yield diagnostic('identity/same-tokens', { first: other.name, second: name }, span)
  }
}

/** The gateway itself is an issuer that policy may bind roles to. */
export function withGateway(wiring: Wiring): Wiring {
  const gateway = { kind: 'gateway', claims: {}, audiences: [wiring.name], clients: [], agents: [], stepUp: 'never' as const }
  return { ...wiring, issuers: { ...wiring.issuers, [GATEWAY_ISSUER]: gateway } }
}

/**
 * Who can do something by the configuration in a folder.
 * @throws DiagnosticsError where the configuration is wrong
 * @throws OstiaryError `cli/usage` where the action or the resource is
 */
export function askConfiguration(
  folder: string,
  environment: string | undefined,
  text: string,
  resource: string,
  now = Date.now(),
): WhoCan {
  const { policy, diagnostics } = compile(folder, readSources(folder, environment), now)
  if (policy === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  const on = policy.resources.find(({ name }) => name === resource)
  const action = actionOf(text, on?.protocol ?? 'http')
  if (on !== undefined && typeof action === 'string')
    throw new OstiaryError('cli/usage', { problem: `\`${text}\` is no action: ${action}`, command: 'who-can' })
  const answer = typeof action === 'string' ? undefined : policy.whoCan(action, resource, now)
  if (answer !== undefined) return answer
  const near = didYouMean(
    resource,
    policy.resources.map(({ name }) => name),
  )
  throw new OstiaryError('cli/usage', {
    problem: `there is no resource \`${resource}\`${near === undefined ? '' : `; ${near}`}`,
    command: 'who-can',
  })
}

/** Runs the policy's own tests. @throws DiagnosticsError where the configuration or a test file itself is wrong */
export function testConfiguration(
  folder: string,
  environment?: string,
  now = Date.now(),
): { readonly results: readonly PolicyTestResult[]; readonly coverage: PolicyTestCoverage } {
  const { policy, sources, diagnostics } = compile(folder, readSources(folder, environment), now)
  if (policy === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  const run = runPolicyTests(policy, sources.tests, now)
  if (run.diagnostics.length > 0) throw new DiagnosticsError(run.diagnostics)
  return { results: run.results, coverage: coverageOf(policy, run.results) }
}
