/**
 * Role definitions and role assignments as Azure Resource Manager has them. Each definition is for one group at one scope and assigned to
 * nobody else, so that changing it gives nobody what was meant for others; its name is made of these two, so that it is changed in place.
 */
import { createHash } from 'node:crypto'
import type { TargetDocument } from '../../target.ts'
import { PROVIDER } from './known.ts'

const AUTHORIZATION = 'Microsoft.Authorization'
/** Of names made of names (RFC 9562, version 5): ours alone. */
const NAMES = '6f737469-6172-5979-8a75-72652d726f6c'

export interface Assigned {
  /** Object id of an Entra group. */
  readonly principal: string
  /** Undefined for the whole cluster. */
  readonly namespace: string | undefined
  /** Without the provider, sorted. */
  readonly actions: readonly string[]
}

/** @param cluster Resource id of the cluster */
export function documentsOf(target: string, cluster: string, all: readonly Assigned[]): readonly TargetDocument[] {
  const parts = cluster.split('/')
  const [subscription, group, name] = [parts.slice(0, 3).join('/'), parts.slice(0, 5).join('/'), parts.at(-1)!]
  const made = all.map(({ principal, namespace, actions }) => {
    const scope = namespace === undefined ? cluster : `${cluster}/namespaces/${namespace}`
    const definition = guid(['definition', cluster.toLowerCase(), target, principal, namespace ?? ''])
    const assignment = guid(['assignment', definition])
    const where = namespace === undefined ? `in \`${name}\`` : `in \`${namespace}\` of \`${name}\``
    return [
      resource(group, 'roleDefinitions', definition, {
        roleName: `ostiary ${target} ${definition}`,
        description: `What group ${principal} may do ${where}, by the policy of target \`${target}\``,
        type: 'CustomRole',
        permissions: [{ actions: [], notActions: [], dataActions: actions.map((one) => `${PROVIDER}/${one}`), notDataActions: [] }],
        assignableScopes: [group],
      }),
      resource(scope, 'roleAssignments', assignment, {
        roleDefinitionId: `${subscription}/providers/${AUTHORIZATION}/roleDefinitions/${definition}`,
        principalId: principal,
        principalType: 'Group',
      }),
    ] as const
  })
  return [...made.map(([definition]) => definition), ...made.map(([, assignment]) => assignment)]
}

function resource(scope: string, type: string, name: string, properties: TargetDocument): TargetDocument {
  return { id: `${scope}/providers/${AUTHORIZATION}/${type}/${name}`, type: `${AUTHORIZATION}/${type}`, name, properties }
}

/** The same for the same. */
function guid(of: readonly string[]): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(NAMES.replaceAll('-', ''), 'hex'))
    .update(JSON.stringify(of))
    .digest()
    .subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
