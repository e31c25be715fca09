import { withMembers } from '../claims.ts'
import type { ClaimInfo } from '../issuer.ts'
import { isObject, type JsonObject, type JsonValue } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { readText } from '../signed.ts'
import type { Workload } from '../workload.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }

/** Claims of service-account tokens that policy may speak of. All but `sub` are derived from the claim `kubernetes.io`. */
export const kubernetesClaims = {
  sub: text,
  namespace: text,
  serviceAccount: text,
  serviceAccountUid: text,
  pod: text,
  podUid: text,
  node: text,
  nodeUid: text,
} as const satisfies Readonly<Record<string, ClaimInfo>>

/** A DNS label (RFC 1123), as names of namespaces are; and a DNS subdomain, as most others are. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const MAX_NAME = 253
const MAX_UID = 128

const PRIVATE = 'kubernetes.io'

/**
 * Reads a bound service-account token. `sub` says which account it is, and the claim `kubernetes.io` says it again: both must agree.
 * @throws Refusal `claim`
 */
export function readServiceAccount(payload: JsonObject): Workload {
  const subject = readText(payload, 'sub', 512)
  const told = payload[PRIVATE]
  if (!isObject(told)) throw new Refusal('claim', PRIVATE)
  const { namespace, serviceaccount } = told
  if (typeof namespace !== 'string' || !LABEL.test(namespace)) throw new Refusal('claim', PRIVATE)
  const account = reference(serviceaccount)
  if (account === undefined) throw new Refusal('claim', PRIVATE)
  if (subject !== `system:serviceaccount:${namespace}:${account.name}`) throw new Refusal('claim', 'sub')
  const pod = reference(told['pod'])
  const node = reference(told['node'])
  const derived = {
    namespace,
    serviceAccount: account.name,
    serviceAccountUid: account.uid,
    pod: pod?.name,
    podUid: pod?.uid,
    node: node?.name,
    nodeUid: node?.uid,
  } satisfies Readonly<Record<Exclude<keyof typeof kubernetesClaims, 'sub'>, string | undefined>>
  return { subject, client: subject, display: `${namespace}/${account.name}`, payload: withMembers(payload, derived) }
}

/** `{ name, uid }`; undefined where there is none. @throws Refusal `claim` */
function reference(value: JsonValue | undefined): { readonly name: string; readonly uid: string } | undefined {
  if (value === undefined) return undefined
  const { name, uid } = isObject(value) ? value : {}
  if (typeof name !== 'string' || name.length > MAX_NAME || !SUBDOMAIN.test(name)) throw new Refusal('claim', PRIVATE)
  if (typeof uid !== 'string' || uid === '' || uid.length > MAX_UID) throw new Refusal('claim', PRIVATE)
  return { name, uid }
}
