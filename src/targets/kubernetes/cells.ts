/** How requests are told apart to be compared, whatever they are compared with. */
import type { KubernetesAction } from '../../core/action.ts'
import type { KubernetesPattern } from '../../policy/actions/kubernetes/template.ts'
import { literal, matchesGlob } from '../../policy/actions/sets/glob.ts'
import { ANY, valuesOf } from '../../policy/actions/sets/values.ts'
import { everyBut, some } from '../../policy/actions/sets/words.ts'
import { takenApart } from './permissions.ts'
import type { KubernetesTarget } from './schema.ts'

export const MAX_CELLS = 500_000
/** Counter-examples that are told, at most. */
export const MAX_TOLD = 100

/** Whether it is granted only by patterns of names, of which the wiring doesn't list this one: said as a residue. */
export function isOpen(
  { namespace, resource, group, subresource }: KubernetesAction,
  granting: readonly { readonly pattern: KubernetesPattern }[],
  { namespaces, apiResources }: KubernetesTarget,
): boolean {
  const isListed = apiResources
    ?.map(takenApart)
    .some((one) => one.resource === resource && one.group === group && one.subresource === subresource)
  return granting.every(({ pattern }) => {
    const byNamespace =
      !pattern.namespaces.any && !pattern.namespaces.globs.some((one) => one.pieces.length === 1 && matchesGlob(one, namespace))
    const byResource = pattern.subresources.every
    return (byNamespace && namespaces?.includes(namespace) === false) || (byResource && isListed === false)
  })
}

/** Of everything that is a resource. */
export const PATTERN: KubernetesPattern = {
  protocol: 'kubernetes',
  text: '* *',
  parameters: [],
  side: 'grants',
  verbs: everyBut(),
  resources: everyBut(),
  groups: everyBut(),
  subresources: everyBut(),
  namespaces: ANY,
  names: ANY,
  paths: undefined,
}

/** Cells that nothing covers are cells all the same. */
export const EVERYTHING: readonly KubernetesPattern[] = [PATTERN, { ...PATTERN, text: '* /**', paths: { segments: [], rest: true } }]

/** What the wiring lists, so that cells are cut by it. */
export function listedIn({ namespaces = [], apiResources = [] }: KubernetesTarget): readonly KubernetesPattern[] {
  return [
    ...namespaces.map((one) => ({ ...PATTERN, namespaces: valuesOf([literal(one)]) })),
    ...apiResources.map(takenApart).map(({ resource, group, subresource }) => ({
      ...PATTERN,
      resources: some([resource]),
      groups: some([group]),
      subresources: some([subresource]),
    })),
  ]
}
