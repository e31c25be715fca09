/** A dry run of all that is written: the same documents with a label by which a control plane only says what it would make of them. */
import { isDeepStrictEqual } from 'node:util'
import { OstiaryError } from '../../core/errors.ts'
import { FILTERS } from '../../envoy/filters.ts'
import type { Json } from '../../envoy/rbac.ts'
import type { TargetDocument } from '../target.ts'
import type { KumaClient } from './client.ts'
import { EFFECT, isShadow, type Kind } from './documents.ts'
import { HEADERS_FILTER, PEERS_FILTER } from './filters.ts'
import { nameOf, ofTarget, type PushInput } from './push.ts'
import { configProblems, describedProblems, expectedOf, isSelected } from './running.ts'

/** What would become of a dataplane. */
export interface TriedDataplane {
  readonly dataplane: string
  /** What would be wrong; empty where it would enforce what it should. */
  readonly problems: readonly string[]
  /** Where its configuration would be another, as JSON pointers of what the control plane says. */
  readonly changes: readonly string[]
}

/**
 * Of several for the same dataplanes, a control plane comes to the one with the least name last. So it takes away what the one in force has
 * put there, and what it says is what there would be without that.
 */
const PREFIX = 'dry-run-'
const OURS = [PEERS_FILTER, FILTERS.tokens, FILTERS.callers, FILTERS.guardrails, FILTERS.checks, FILTERS.rules, HEADERS_FILTER]

/**
 * In the form of universal mode.
 * @param inForce What there is of each document, by its name
 */
export function shadowsOf(
  documents: readonly TargetDocument[],
  inForce: ReadonlyMap<string, TargetDocument> = new Map(),
): readonly TargetDocument[] {
  return documents.map((document) => {
    const name = String(document['name'])
    const isPatch = document['type'] === 'MeshProxyPatch'
    const before = inForce.get(name)?.['spec'] as PatchSpec | undefined
    const spec = isPatch ? inPlaceOf(before, document['spec'] as PatchSpec) : document['spec']
    return { ...document, name: `${PREFIX}${name}`, labels: { ...(document['labels'] as object), [EFFECT.label]: EFFECT.shadow }, spec }
  })
}

interface PatchSpec {
  readonly default: { readonly appendModifications: readonly Json[] }
}

function inPlaceOf(before: PatchSpec | undefined, spec: PatchSpec): PatchSpec {
  const removals = OURS.map((name) => ({ httpFilter: { operation: 'Remove', match: { name, origin: 'inbound' } } }))
  const [there] = before?.default.appendModifications.flatMap((one) => managerIn(one) ?? []) ?? []
  const own = spec.default.appendModifications.map((one) => {
    const manager = managerIn(one)
    if (manager === undefined || there === undefined) return one
    // Lists of the two would be one after the other: what is in force already is not said again.
    const typedConfig = Object.fromEntries(
      Object.entries(manager.typedConfig).filter(([key, value]) => !LISTS.has(key) || !isDeepStrictEqual(value, there.typedConfig[key])),
    )
    return { networkFilter: { ...(one['networkFilter'] as Json), value: `${JSON.stringify({ ...manager, typedConfig })}\n` } }
  })
  return { ...spec, default: { appendModifications: [...removals, ...own] } }
}

const LISTS: ReadonlySet<string> = new Set(['localReplyConfig', 'accessLog'])

/** What a modification says of connection managers; undefined for one of something else. */
function managerIn({ networkFilter }: Json): { readonly name: string; readonly typedConfig: Json } | undefined {
  if (networkFilter === undefined) return undefined
  return JSON.parse((networkFilter as Json)['value'] as string) as { readonly name: string; readonly typedConfig: Json }
}

/**
 * Writes the documents so that nothing is enforced, asks what would become of each dataplane, and removes them again, whatever happens.
 * @param settled Called until it says that there is no use in asking again
 * @throws OstiaryError as `KumaClient.put`, and `target/control-plane` where the label isn't kept
 */
export async function tryOut(
  client: KumaClient,
  input: PushInput,
  settled: (tried: readonly TriedDataplane[]) => Promise<boolean>,
): Promise<readonly TriedDataplane[]> {
  const inForce = new Map<string, TargetDocument>()
  for (const document of input.documents) {
    const name = document['name'] as string
    const there = await client.get(document['type'] as Kind, name)
    // What is there may be anybody's by now: only what can be read as ours is compared.
    if (there !== undefined && !isShadow(there) && isReadable(there)) inForce.set(name, there)
  }
  const documents = shadowsOf(input.documents, inForce)
  try {
    for (const document of documents) await putTried(client, document)
    for (;;) {
      const tried = await triedIn(client, input)
      if (await settled(tried)) return tried
    }
  } finally {
    await removeTried(client, documents)
  }
}

function isReadable(document: TargetDocument): boolean {
  try {
    const { default: patch } = (document['spec'] ?? {}) as Partial<PatchSpec>
    const isKnown = (one: Json): boolean => {
      const config: unknown = managerIn(one)?.typedConfig
      return one['networkFilter'] === undefined || (typeof config === 'object' && config !== null)
    }
    return document['type'] !== 'MeshProxyPatch' || patch?.appendModifications.every(isKnown) === true
  } catch {
    return false
  }
}

/** Without its label a document would be enforced. */
async function putTried(client: KumaClient, document: TargetDocument): Promise<void> {
  const [kind, name] = [document['type'] as Kind, document['name'] as string]
  const before = await client.get(kind, name)
  if (before !== undefined && !isShadow(before)) throw notKept(name, 'there is one of that name that is in force')
  await client.put(document)
  const kept = await client.get(kind, name)
  if (kept === undefined || !isShadow(kept))
    throw notKept(name, `it keeps no label \`${EFFECT.label}\`, and would enforce what is only tried`)
}

function notKept(name: string, problem: string): OstiaryError {
  return new OstiaryError('target/rejected', { document: name, problem })
}

async function removeTried(client: KumaClient, documents: readonly TargetDocument[]): Promise<void> {
  let failed: unknown
  for (const document of documents) {
    const [kind, name] = [document['type'] as Kind, document['name'] as string]
    try {
      const there = await client.get(kind, name)
      // What is in force under that name is somebody else's, or is ours by a label that was lost: the one stays, the other goes.
      if (there !== undefined && (isShadow(there) || ofTarget(there, document))) await client.remove(kind, name)
    } catch (error) {
      // The others go all the same.
      failed ??= error
    }
  }
  if (failed !== undefined) throw failed
}

async function triedIn(client: KumaClient, { documents, config }: PushInput): Promise<readonly TriedDataplane[]> {
  const dataplanes = await client.dataplanes()
  const found: TriedDataplane[] = []
  for (const expected of expectedOf(documents, config)) {
    const selected = dataplanes.filter((one) => isSelected(one, expected))
    if (selected.length === 0) {
      const labels = Object.entries(expected.labels).map(([key, value]) => `${key}: ${value}`)
      found.push({ dataplane: `{ ${labels.join(', ')} }`, problems: ['no dataplane has these labels'], changes: [] })
    }
    for (const one of selected) {
      const dataplane = nameOf(one)
      const { xds, changes } = await client.shadowOf(dataplane)
      found.push({ dataplane, problems: [...describedProblems(one, expected, config.version), ...configProblems(xds, expected)], changes })
    }
  }
  return found
}
