/** Roles and bindings in a cluster: applied in an order in which nobody ever gets what neither version gives, and compared. */
import { isDeepStrictEqual } from 'node:util'
import { LABELS } from '../targets/kubernetes/documents.ts'
import { NOBODY, SIGNED_IN } from '../targets/kubernetes/subjects.ts'
import { endOf } from '../targets/kubernetes/timed.ts'
import type { TargetDocument } from '../targets/target.ts'
import type { Kubectl } from './kubectl.ts'

interface Known extends TargetDocument {
  readonly kind: Kind
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly uid?: string
    readonly resourceVersion?: string
  }
  readonly rules?: readonly unknown[] | null
  readonly roleRef?: unknown
  readonly subjects?: readonly { readonly kind: string; readonly name: string }[] | null
}

const PLURAL = {
  ClusterRole: 'clusterroles',
  Role: 'roles',
  ClusterRoleBinding: 'clusterrolebindings',
  RoleBinding: 'rolebindings',
} as const
type Kind = keyof typeof PLURAL
const GROUP = 'rbac.authorization.k8s.io'
const resourcesOf = (...kinds: readonly Kind[]): string => kinds.map((kind) => `${PLURAL[kind]}.${GROUP}`).join(',')

const idOf = ({ kind, metadata: { name, namespace } }: Known): string => `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
const isBinding = ({ kind }: Known): boolean => kind === 'ClusterRoleBinding' || kind === 'RoleBinding'

/** Whose documents they are, and what groups of theirs begin with. */
export interface RoleOwner {
  readonly target: string
  readonly prefix: string
}

/**
 * Applies roles, which give nobody anything, and then what binds them; and last removes what is no part of it any more, bindings first.
 * What says something else has another name: on the way, somebody may have what they had before and what they will have, and never more.
 * @param prunes Whether what this target applied before and isn't among them is removed, all of it or what was for a time. Until it is, it
 * gives what it gave; what was for a time that is over is removed always
 * @param now Milliseconds since the epoch
 * @returns What was removed
 * @throws OstiaryError `target/kubectl`; nothing after it was done
 */
export async function applyRoles(
  { target }: RoleOwner,
  documents: readonly TargetDocument[],
  prunes: Prunes,
  kubectl: Kubectl,
  now: number,
): Promise<readonly string[]> {
  const wanted = documents as readonly Known[]
  const there = await live(target, kubectl)
  const byId = new Map(wanted.map((one) => [idOf(one), one]))
  // What a binding is of can not be changed: one of ours that somebody made anew for another role goes first.
  for (const one of there) {
    const mine = byId.get(idOf(one))
    if (mine !== undefined && isBinding(one) && !isDeepStrictEqual(one.roleRef, mine.roleRef)) await remove(one, kubectl)
  }
  for (const items of [wanted.filter((one) => !isBinding(one)), wanted.filter(isBinding)])
    if (items.length > 0)
      await kubectl.run(
        // Whoever has changed one of them by hand keeps no part of it.
        ['apply', '--server-side', '--force-conflicts', '--field-manager', 'ostiary', '-f', '-'],
        JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
      )
  const isOver = ({ metadata }: Known): boolean => {
    const end = endOf(metadata.annotations)
    return end !== undefined && (prunes === 'timed' || end <= now)
  }
  const left = there.filter((one) => !byId.has(idOf(one)) && (prunes === true || isOver(one)))
  const inOrder = [...left.filter(isBinding), ...left.filter((one) => !isBinding(one))]
  for (const one of inOrder) await remove(one, kubectl)
  return inOrder.map(idOf)
}

/** What of that which is left over is removed. */
export type Prunes = boolean | 'timed'

/** The very one that was looked at: what has come in its place since, or has another owner by now, stays. */
async function remove({ kind, metadata: { name, namespace, uid, resourceVersion } }: Known, kubectl: Kubectl): Promise<void> {
  // Names of roles may hold what ends a path.
  const path = `/apis/${GROUP}/v1/${namespace === undefined ? '' : `namespaces/${namespace}/`}${PLURAL[kind]}/${encodeURIComponent(name)}`
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } }
  await kubectl.run(['delete', '--raw', path, '-f', '-'], JSON.stringify(options))
}

export interface RoleDrift {
  readonly document: string
  /** `foreign`: binds a group or a user of ours, or everybody, and isn't of this target. */
  readonly is: 'missing' | 'changed' | 'left-over' | 'foreign'
}

const SAID: Readonly<Record<RoleDrift['is'], string>> = {
  missing: 'missing',
  changed: 'not as it should be',
  'left-over': 'no part of this any more, and still in force (`--prune` removes it)',
  foreign: 'gives something to a group or a user of these, or to everybody, and is not of this target',
}

/** For people. */
export function driftText({ is }: RoleDrift): string {
  return SAID[is]
}

/** How a cluster differs from what was compiled, and what is written on the documents that are there. @throws OstiaryError `target/kubectl` */
export async function lookAtRoles(
  { target, prefix }: RoleOwner,
  documents: readonly TargetDocument[],
  kubectl: Kubectl,
): Promise<{ readonly drift: readonly RoleDrift[]; readonly revisions: readonly string[] }> {
  const wanted = documents as readonly Known[]
  const found = new Map((await live(target, kubectl)).map((one) => [idOf(one), one]))
  const names = new Set(wanted.map(idOf))
  const own = wanted.flatMap((one): readonly RoleDrift[] => {
    const there = found.get(idOf(one))
    if (there === undefined) return [{ document: idOf(one), is: 'missing' }]
    return isDeepStrictEqual(contentOf(there), contentOf(one)) ? [] : [{ document: idOf(one), is: 'changed' }]
  })
  const leftOver = [...found.keys()].filter((id) => !names.has(id)).map((document): RoleDrift => ({ document, is: 'left-over' }))
  const bound = new Set([...wanted.flatMap(({ subjects }) => (subjects ?? []).map(({ name }) => name)), ...EVERYBODY])
  const bindings = await listed(['get', resourcesOf('ClusterRoleBinding', 'RoleBinding'), '--all-namespaces', '-o', 'json'], kubectl)
  const foreign = bindings
    .filter((one) => one.metadata.labels?.[LABELS.target] !== target && !isGivenAnyway(one))
    .filter(({ subjects }) => subjects?.some(({ kind, name }) => kind !== 'ServiceAccount' && (bound.has(name) || name.startsWith(prefix))))
    .map((one): RoleDrift => ({ document: idOf(one), is: 'foreign' }))
  const there = wanted.flatMap((one) => found.get(idOf(one)) ?? [])
  return {
    drift: [...own, ...leftOver, ...foreign],
    revisions: [...new Set(there.map(({ metadata }) => metadata.labels?.[LABELS.revision] ?? ''))],
  }
}

/** Groups that whoever comes is in. */
const EVERYBODY: readonly string[] = [SIGNED_IN, NOBODY]
/** What every cluster gives them by itself: roles by the name of their binding, and to whom. */
const GIVEN: Readonly<Record<string, readonly string[]>> = {
  'system:basic-user': [SIGNED_IN],
  'system:discovery': [SIGNED_IN],
  'system:public-info-viewer': EVERYBODY,
}

function isGivenAnyway({ kind, metadata: { name }, roleRef, subjects }: Known): boolean {
  if (kind !== 'ClusterRoleBinding' || !Object.hasOwn(GIVEN, name)) return false
  const to = roleRef as { readonly kind?: unknown; readonly name?: unknown } | undefined
  const all = subjects?.every((one) => one.kind === 'Group' && GIVEN[name]!.includes(one.name)) === true
  return all && to?.kind === 'ClusterRole' && to.name === name
}

/** What it gives, to whom. An empty list is none to an API server; what else stands there, such as aggregation, counts. */
function contentOf(document: Known): unknown {
  const { rules, subjects } = document
  const more = Object.entries(document).filter(([key]) => !['apiVersion', 'kind', 'metadata'].includes(key))
  return { ...Object.fromEntries(more), rules: rules ?? [], subjects: subjects ?? [] }
}

function live(target: string, kubectl: Kubectl): Promise<readonly Known[]> {
  const kinds = resourcesOf('ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding')
  return listed(['get', kinds, '--all-namespaces', '-l', `${LABELS.target}=${target}`, '-o', 'json'], kubectl)
}

async function listed(args: readonly string[], kubectl: Kubectl): Promise<readonly Known[]> {
  const { stdout } = await kubectl.run(args)
  return (JSON.parse(stdout) as { readonly items: readonly Known[] }).items
}
