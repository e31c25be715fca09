/** What tests of Azure's roles share: a target whose cluster Azure authorizes, and what Azure answers of documents. */
import { isAssigned, readAzure } from './evaluate.ts'
import type { KubernetesTarget } from '../schema.ts'
import { requestsOf } from '../requests.ts'
import { actionOf, targetOf } from '../testing.ts'
import type { TargetDocument } from '../../target.ts'

export const GROUP = '/subscriptions/6f1c2a34-7b58-4c1d-9e0f-2a3b4c5d6e7f/resourceGroups/shop'
export const CLUSTER = `${GROUP}/providers/Microsoft.ContainerService/managedClusters/prod`
/** Object ids of the groups of `reader` and, two of them, of `developer`. */
export const READERS = '11111111-1111-1111-1111-111111111111'
export const DEVELOPERS = '22222222-2222-2222-2222-222222222222'
export const OTHERS = '33333333-3333-3333-3333-333333333333'

export const ASSUMED = ['default-roles', 'undelegated-tokens', 'unrevoked-tokens', 'served-resources'] as const

export function azureTarget(more: Readonly<Record<string, unknown>> = {}): KubernetesTarget {
  return targetOf({ subjects: 'object-ids', azure: { cluster: CLUSTER }, assume: ASSUMED, ...more })
}

/** Of each request by which an action may come. */
export function answers(documents: readonly TargetDocument[], text: string, ...groups: readonly string[]): readonly boolean[] {
  const read = readAzure(JSON.parse(JSON.stringify(documents)) as readonly unknown[])
  return requestsOf(actionOf(text), { user: 'somebody', groups }).map((request) => isAssigned(read, CLUSTER, request))
}

/** Data actions by group and scope, without what they all begin with. */
export function givenBy(documents: readonly TargetDocument[]): Readonly<Record<string, readonly string[]>> {
  const { definitions, assignments } = readAzure(JSON.parse(JSON.stringify(documents)) as readonly unknown[])
  return Object.fromEntries(
    assignments.map(({ scope, definition, principal }) => [
      `${principal.slice(0, 8)}${scope.slice(CLUSTER.length)}`,
      definitions.get(definition)!.permissions.flatMap(({ dataActions }) => dataActions.map((one) => one.split('/').slice(2).join('/'))),
    ]),
  )
}
