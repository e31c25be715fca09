/** Brings documents to a control plane, and looks at what became of them. */
import { OstiaryError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { TargetDocument } from '../target.ts'
import type { KumaClient } from './client.ts'
import { differences } from './compare.ts'
import { isShadow, KINDS, LABELS, type Kind } from './documents.ts'
import { configProblems, describedProblems, expectedOf, isSelected, type Running } from './running.ts'
import type { KumaTarget } from './schema.ts'

export interface PushInput {
  /** Names of the target and of the gateway. */
  readonly name: string
  readonly gateway: string
  readonly config: KumaTarget
  readonly documents: readonly TargetDocument[]
}

/** One document, and how what is there differs from it; `missing` where there is none. */
export interface Kept {
  readonly kind: Kind
  readonly name: string
  readonly missing: boolean
  /** Which revision is written on what there is. */
  readonly revision: string | undefined
  readonly differences: readonly string[]
}

/** What was applied for this target once, and is no part of it any more. */
export interface Stale {
  readonly kind: Kind
  readonly name: string
}

export interface Looked {
  readonly documents: readonly Kept[]
  readonly stale: readonly Stale[]
  /** What is only tried, and enforces nothing. */
  readonly tried: readonly Stale[]
  readonly dataplanes: readonly Running[]
  /** How many configurations the Envoy of each dataplane has rejected since it connected, where that is told. */
  readonly rejected: Readonly<Record<string, number>>
  /** What isn't wrong by itself, for people to look at. */
  readonly warnings: readonly string[]
}

/** @throws OstiaryError `target/control-plane`, `target/control-plane-version` */
export async function checkVersion(client: KumaClient, { name, config: { version } }: Pick<PushInput, 'name' | 'config'>): Promise<string> {
  const found = await client.version()
  if (!new RegExp(`^v?${version.replace('.', '\\.')}(\\.|-|\\+|$)`).test(found))
    throw new OstiaryError('target/control-plane-version', { found, name, version })
  return found
}

/** Writes documents in their order, and ends at the first that isn't taken. @returns Warnings. @throws OstiaryError as `KumaClient.put` */
export async function putAll(client: KumaClient, { documents }: PushInput): Promise<readonly string[]> {
  const warnings: string[] = []
  for (const document of documents)
    for (const warning of await client.put(document)) warnings.push(`\`${String(document['name'])}\`: ${warning}`)
  return warnings
}

/** Removes what is no part of the target any more: what lets callers in first, and what takes away last. */
export async function prune(client: KumaClient, stale: readonly Stale[]): Promise<void> {
  const last = (kind: Kind): number => Object.keys(KINDS).toReversed().indexOf(kind)
  for (const { kind, name } of stale.toSorted((a, b) => last(a.kind) - last(b.kind))) await client.remove(kind, name)
}

/** What there is, against what there should be; nothing is changed. @throws OstiaryError `target/control-plane` */
export async function look(client: KumaClient, input: PushInput): Promise<Looked> {
  const { config, documents } = input
  const lists = new Map<Kind, readonly JsonObject[]>()
  // On Kubernetes, documents are kept under other names, and `kubectl diff` compares them.
  if (config.mode === 'universal') for (const kind of Object.keys(KINDS) as Kind[]) lists.set(kind, await client.list(kind))
  const kept = config.mode === 'universal' ? documents.map((document) => keptOf(document, lists)) : []
  const dataplanes = await client.dataplanes()
  const rejected = await rejectionsOf(client, dataplanes, input)
  const tried = triedOf(lists, input)
  return {
    documents: kept,
    stale: staleOf(lists, input),
    tried,
    dataplanes: await runningOf(client, dataplanes, input),
    rejected: Object.fromEntries([...rejected].flatMap(([name, count]) => (count === undefined ? [] : [[name, count]]))),
    warnings: [
      ...othersOf(lists, input),
      ...tried.map((one) => `${one.kind} \`${one.name}\` is only tried, and enforces nothing (\`--prune\` removes it)`),
      ...[...rejected].flatMap(([name, count]) => rejectionText(name, count)),
    ],
  }
}

function keptOf(document: TargetDocument, lists: ReadonlyMap<Kind, readonly JsonObject[]>): Kept {
  const [kind, name] = [document['type'] as Kind, document['name'] as string]
  const found = lists.get(kind)?.find((one) => one['name'] === name)
  if (found === undefined) return { kind, name, missing: true, revision: undefined, differences: [] }
  const revision = labelsOf(found)[LABELS.revision]
  const isText = typeof revision === 'string'
  return { kind, name, missing: false, revision: isText ? revision : undefined, differences: differences(document, found) }
}

function labelsOf(document: JsonObject): JsonObject {
  return (document['labels'] ?? {}) as JsonObject
}

function isOurs(document: JsonObject, { name, gateway }: PushInput): boolean {
  return labelsOf(document)[LABELS.gateway] === gateway && labelsOf(document)[LABELS.target] === name
}

/** Of a dry run that was ended in between. */
function triedOf(lists: ReadonlyMap<Kind, readonly JsonObject[]>, input: PushInput): readonly Stale[] {
  return [...lists].flatMap(([kind, all]) =>
    all.filter((one) => isOurs(one, input) && isShadow(one)).map((one) => ({ kind, name: nameOf(one) })),
  )
}

/** Whether a document that is there is of the same target as another. */
export function ofTarget(there: JsonObject, document: TargetDocument): boolean {
  const wanted = document['labels'] as Readonly<Record<string, unknown>>
  return [LABELS.gateway, LABELS.target].every((label) => labelsOf(there)[label] === wanted[label])
}

function staleOf(lists: ReadonlyMap<Kind, readonly JsonObject[]>, input: PushInput): readonly Stale[] {
  const { documents } = input
  const wanted = new Set(documents.map((one) => `${String(one['type'])} ${nameOf(one)}`))
  return [...lists].flatMap(([kind, all]) =>
    all
      .filter((one) => isOurs(one, input) && !isShadow(one))
      .map((one) => ({ kind, name: nameOf(one) }))
      .filter((one) => !wanted.has(`${kind} ${one.name}`)),
  )
}

/** Whoever else changes the same proxies comes after or before us, and may take our filters away. */
function othersOf(lists: ReadonlyMap<Kind, readonly JsonObject[]>, { gateway, documents, config }: PushInput): readonly string[] {
  const expected = expectedOf(documents, config)
  return (lists.get('MeshProxyPatch') ?? []).flatMap((one) => {
    if (labelsOf(one)[LABELS.gateway] === gateway || isShadow(one)) return []
    const { kind, labels = {} } = ((one['spec'] as JsonObject | undefined)?.['targetRef'] ?? {}) as {
      readonly kind?: string
      readonly labels?: JsonObject
    }
    const meets =
      kind !== 'Dataplane' ||
      expected.some((ours) => Object.entries(labels).every(([key, value]) => !(key in ours.labels) || ours.labels[key] === value))
    return meets ? [`MeshProxyPatch \`${nameOf(one)}\` of somebody else changes the same dataplanes`] : []
  })
}

async function runningOf(
  client: KumaClient,
  dataplanes: readonly JsonObject[],
  { documents, config }: PushInput,
): Promise<readonly Running[]> {
  const found: Running[] = []
  for (const expected of expectedOf(documents, config)) {
    const selected = dataplanes.filter((one) => isSelected(one, expected))
    if (selected.length === 0) {
      const labels = Object.entries(expected.labels).map(([key, value]) => `${key}: ${value}`)
      found.push({ dataplane: `{ ${labels.join(', ')} }`, problems: ['no dataplane has these labels'] })
    }
    for (const one of selected) {
      const dataplane = nameOf(one)
      const described = describedProblems(one, expected, config.version)
      found.push({ dataplane, problems: [...described, ...configProblems(await client.configOf(dataplane), expected)] })
    }
  }
  return found
}

/** What a control plane tells of is not always taken: an Envoy that rejects it goes on with what it had. */
async function rejectionsOf(
  client: KumaClient,
  dataplanes: readonly JsonObject[],
  { documents, config }: PushInput,
): Promise<ReadonlyMap<string, number | undefined>> {
  const expected = expectedOf(documents, config)
  const found = new Map<string, number | undefined>()
  for (const one of dataplanes.filter((dataplane) => expected.some((group) => isSelected(dataplane, group))))
    found.set(nameOf(one), await client.rejectedBy(nameOf(one)))
  return found
}

function rejectionText(name: string, rejected: number | undefined): readonly string[] {
  if (rejected === undefined) return [`nobody tells whether the Envoy of dataplane ${name} has taken what it was told`]
  if (rejected === 0) return []
  return [
    `the Envoy of dataplane ${name} has rejected ${rejected} configurations since it connected, and kept what it had: its log says why`,
  ]
}

/** Whether everything is as it should be. */
export function isEnforced({ documents, stale, dataplanes }: Looked): boolean {
  return (
    documents.every((one) => !one.missing && one.differences.length === 0) &&
    stale.length === 0 &&
    dataplanes.every(({ problems }) => problems.length === 0)
  )
}

export function nameOf({ name }: Readonly<Record<string, unknown>>): string {
  return typeof name === 'string' ? name : ''
}
