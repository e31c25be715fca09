/** What was compiled for a mesh of Istio, in its cluster: applied in an order that never opens anything, and compared. */
import { isDeepStrictEqual } from 'node:util'
import { LABELS } from '../targets/istio/documents.ts'
import { isDryRun } from '../targets/istio/translate/authorization.ts'
import type { TargetDocument } from '../targets/target.ts'
import type { Kubectl } from './kubectl.ts'

/** A document as far as it is known by name. */
interface Known extends TargetDocument {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly generation?: number
  }
  /** As the cluster tells it: anything. */
  readonly status?: unknown
  readonly spec?: { readonly action?: string; readonly rules?: unknown; readonly jwtRules?: readonly Readonly<Record<string, unknown>>[] }
}

const PLURAL: Readonly<Record<string, string>> = {
  AuthorizationPolicy: 'authorizationpolicies.security.istio.io',
  RequestAuthentication: 'requestauthentications.security.istio.io',
  ServiceEntry: 'serviceentries.networking.istio.io',
  Telemetry: 'telemetries.telemetry.istio.io',
}
const KINDS = Object.values(PLURAL).join(',')
const OWN = ['--server-side', '--field-manager', 'ostiary']

/** What a document does, in the order in which it may come: what is applied before the next lets in less than both. */
function phaseOf(document: Known): 'nothing' | 'deny' | 'allow' | 'rest' {
  const { kind, spec } = document
  if (kind !== 'AuthorizationPolicy') return 'rest'
  // What is only tried may have granted or denied before: the one is taken away first, the other last.
  if (isDryRun(document)) return spec?.action === 'ALLOW' ? 'deny' : 'rest'
  if (spec?.action === undefined || spec.action === 'ALLOW') return spec?.rules === undefined ? 'nothing' : 'allow'
  return 'deny'
}

const idOf = ({ kind, metadata }: Known): string => `${kind} ${metadata.namespace}/${metadata.name}`

/**
 * Applies documents, and stops at the first that is refused.
 * @param prunes Whether what this target applied before and isn't among them is removed; but never what denies everything at a workload:
 *   without it, one that isn't wired any more would be open to everybody
 * @returns What was removed
 * @throws OstiaryError `target/kubectl`
 */
export async function applyToCluster(
  target: string,
  documents: readonly TargetDocument[],
  prunes: boolean,
  kubectl: Kubectl,
): Promise<readonly string[]> {
  const wanted = documents as readonly Known[]
  const names = new Set(wanted.map(idOf))
  const left = prunes ? (await live(target, kubectl)).filter((one) => !names.has(idOf(one))) : []
  const apply = async (...phases: readonly ReturnType<typeof phaseOf>[]): Promise<void> => {
    for (const phase of phases) {
      const items = wanted.filter((one) => phaseOf(one) === phase)
      if (items.length > 0) await kubectl.run(['apply', ...OWN, '-f', '-'], listOf(items))
    }
  }
  const remove = async (...phases: readonly ReturnType<typeof phaseOf>[]): Promise<readonly string[]> => {
    const gone = left.filter((one) => phases.includes(phaseOf(one)))
    for (const { kind, metadata } of gone)
      await kubectl.run(['delete', PLURAL[kind]!, metadata.name, '--namespace', metadata.namespace, '--ignore-not-found'])
    return gone.map(idOf)
  }
  await apply('nothing', 'deny')
  // What is allowed no longer goes before anything new is allowed, and what denies only after.
  const first = await remove('allow')
  await apply('allow', 'rest')
  return [...first, ...(await remove('deny', 'rest'))]
}

export interface Drift {
  readonly document: string
  /** `foreign`: allows something at what may be a workload of the target, and isn't of it. */
  readonly is: 'missing' | 'changed' | 'left-over' | 'foreign'
  /** Of what is left over: it denies everything, and is never removed. */
  readonly stays?: boolean
}

const SAID: Readonly<Record<Drift['is'], string>> = {
  missing: 'missing',
  changed: 'not as it should be',
  'left-over': 'no part of this any more, and still in force (`--prune` removes it, unless it denies everything)',
  foreign: 'allows something in the same namespace, and is not of this target',
}

/** For people. */
export function driftText({ is }: Drift): string {
  return SAID[is]
}

/** What a control plane has written to a document about itself. */
export interface Condition {
  readonly document: string
  readonly type: string
  readonly isTrue: boolean
  readonly message: string
}

export interface ClusterLook {
  readonly drift: readonly Drift[]
  /** On the documents that should be there and are. */
  readonly revisions: readonly string[]
  /** Only those about documents as they are now. Most clusters report none. */
  readonly conditions: readonly Condition[]
}

/**
 * How a cluster differs from what was compiled. Keys are compared where they were asked for.
 * @throws OstiaryError `target/kubectl`
 */
export async function driftOf(
  target: string,
  documents: readonly TargetDocument[],
  withKeys: boolean,
  kubectl: Kubectl,
): Promise<readonly Drift[]> {
  return (await lookAtCluster(target, documents, withKeys, kubectl)).drift
}

/** The same, with what is written on the documents. @throws OstiaryError `target/kubectl` */
export async function lookAtCluster(
  target: string,
  documents: readonly TargetDocument[],
  withKeys: boolean,
  kubectl: Kubectl,
): Promise<ClusterLook> {
  const wanted = documents as readonly Known[]
  const found = new Map((await live(target, kubectl)).map((one) => [idOf(one), one]))
  const names = new Set(wanted.map(idOf))
  const told = (one: Known): unknown => (withKeys ? one.spec : withoutKeys(one))
  const own = wanted.flatMap((one): readonly Drift[] => {
    const there = found.get(idOf(one))
    if (there === undefined) return [{ document: idOf(one), is: 'missing' }]
    const isSame = isDryRun(there) === isDryRun(one) && isDeepStrictEqual(plain(told(there)), plain(told(one)))
    return isSame ? [] : [{ document: idOf(one), is: 'changed' }]
  })
  const leftOver = [...found.values()]
    .filter((one) => !names.has(idOf(one)))
    .map((one): Drift => ({ document: idOf(one), is: 'left-over', ...(phaseOf(one) === 'nothing' ? { stays: true } : {}) }))
  const namespaces = [...new Set(wanted.map(({ metadata }) => metadata.namespace))].toSorted()
  const foreign: Drift[] = []
  for (const namespace of namespaces)
    for (const one of itemsOf((await kubectl.run(['get', PLURAL['AuthorizationPolicy']!, '--namespace', namespace, '-o', 'json'])).stdout))
      if (one.metadata.labels?.[LABELS.target] !== target && phaseOf(one) === 'allow' && wanted.some((own) => mayMeet(own, one)))
        foreign.push({ document: idOf(one), is: 'foreign' })
  const there = wanted.flatMap((one) => found.get(idOf(one)) ?? [])
  return {
    drift: [...own, ...leftOver, ...foreign],
    revisions: [...new Set(there.map(({ metadata }) => metadata.labels?.[LABELS.revision] ?? ''))],
    conditions: there.flatMap(conditionsOf),
  }
}

/** What is said of an earlier state of a document says nothing of this one. */
function conditionsOf(document: Known): readonly Condition[] {
  const { conditions, observedGeneration } = objectOf(document.status)
  const { generation = 0 } = document.metadata
  return (Array.isArray(conditions) ? conditions : []).map(objectOf).flatMap((one) => {
    const seen = Number(one['observedGeneration'] ?? observedGeneration ?? generation)
    const { type, status, message } = one
    if (typeof type !== 'string' || !(seen >= generation) || (status !== 'True' && status !== 'False')) return []
    const said = typeof message === 'string' ? message.slice(0, MAX_MESSAGE) : ''
    return [{ document: idOf(document), type: type.slice(0, MAX_MESSAGE), isTrue: status === 'True', message: said }]
  })
}

const MAX_MESSAGE = 500

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

/** Whether both may be for one workload: what labels it has besides, nobody knows here. */
function mayMeet(own: Known, other: Known): boolean {
  if (own.metadata.namespace !== other.metadata.namespace) return false
  const [mine, theirs] = [own, other].map(({ spec }) => spec as Attached | undefined) as [Attached | undefined, Attached | undefined]
  const refs = theirs?.targetRefs ?? (theirs?.targetRef === undefined ? [] : [theirs.targetRef])
  if (refs.length > 0)
    return refs.some(({ kind, name }) => mine?.targetRefs?.some((one) => one.kind === kind && one.name === name) === true)
  const labels = theirs?.selector?.matchLabels ?? {}
  return Object.entries(mine?.selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === undefined || labels[name] === value)
}

interface Attached {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> }
  readonly targetRef?: { readonly kind: string; readonly name: string }
  readonly targetRefs?: readonly { readonly kind: string; readonly name: string }[]
}

async function live(target: string, kubectl: Kubectl): Promise<readonly Known[]> {
  const { stdout } = await kubectl.run(['get', KINDS, '--all-namespaces', '-l', `${LABELS.target}=${target}`, '-o', 'json'])
  return itemsOf(stdout)
}

function itemsOf(text: string): readonly Known[] {
  return (JSON.parse(text) as { readonly items: readonly Known[] }).items
}

function listOf(items: readonly TargetDocument[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

function withoutKeys({ spec }: Known): unknown {
  if (spec?.jwtRules === undefined) return spec
  const jwtRules = spec.jwtRules.map((rule) => {
    const { jwks: _, ...rest } = rule
    return rest
  })
  return { ...spec, jwtRules }
}

/** What a cluster stores of it: without what is undefined, and an empty text that stands for a default. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, one]) => one !== undefined && !(key === 'group' && one === ''))
      .map(([key, one]) => [key, plain(one)]),
  )
}
