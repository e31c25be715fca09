/**
 * Whether what reached an API server is what the gateway decided. The door sends the decision's id as `Audit-ID`; but anybody who reaches
 * the API server can send one, so an id alone proves nothing: who, what and when have to be the decision's, too, and once.
 */
import { ALL, type KubernetesAction } from '../../core/action.ts'
import { DEFAULT_PREFIX, EXTRA_DOMAIN, userName } from '../users.ts'
import type { AuditUser, ServerEvent } from './events.ts'

/** A decision as joining needs it. */
export interface JoinDecision {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly allowed: boolean
  readonly action: KubernetesAction
  readonly issuer: string
  readonly subject: string
}

/**
 * - `joined`: a request that the gateway let through.
 * - `bypassed`: of a user, and the gateway decided nothing like it: it came another way.
 * - `denied`: the gateway refused it, and it reached the API server.
 * - `someone-else`: the decision was about another one.
 * - `differs`: the decision was about something else.
 * - `reused`: the decision's id came with another request before, or long after the decision.
 * - `component`: of a part of the cluster, which isn't expected to come through the gateway.
 */
export type FindingKind = 'joined' | 'bypassed' | 'denied' | 'someone-else' | 'differs' | 'reused' | 'component'

export interface Finding {
  readonly kind: FindingKind
  readonly event: ServerEvent
  readonly decision: JoinDecision | undefined
  /** Of `differs`: what the decision says, and what the event says. Of `someone-else`: whom. */
  readonly expected: string | undefined
  readonly actual: string | undefined
}

export interface JoinParts {
  /** The decision with this id. */
  readonly lookup: (auditId: string) => JoinDecision | undefined
  /** When the request came that an id was first seen with, as the server wrote it. Kept between calls by the caller, who bounds it. */
  readonly seen: Map<string, string>
  /** Before the names of users and groups in this cluster. */
  readonly prefix?: string
  /** Users besides those that begin with `system:` who are parts of the cluster. */
  readonly components?: ReadonlySet<string>
  /** False where the cluster takes the caller's own token, so that nobody is impersonated. Default: true. */
  readonly impersonates?: boolean
  /** Addresses of the gateway, if they are to be the last that the API server saw. */
  readonly gateways?: ReadonlySet<string>
}

/** A request reaches the API server this long after its decision at most, clocks of both included. */
const AFTER = 120_000
/** And this long before, by clocks that differ. */
const BEFORE = 60_000

const CONNECTS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy'])

/**
 * What is to be said of each request among the events: told once for each, by the first event that comes of it. That a request was
 * received says nothing yet of who it was taken for, so that stage is passed over.
 */
export function ingest(events: Iterable<ServerEvent>, parts: JoinParts): readonly Finding[] {
  const findings: Finding[] = []
  for (const event of events) {
    if (event.stage === 'RequestReceived') continue
    const before = parts.seen.get(event.auditId)
    if (before === event.receivedText) continue
    if (before === undefined) parts.seen.set(event.auditId, event.receivedText)
    findings.push(judge(event, before !== undefined, parts))
  }
  return findings
}

function judge(event: ServerEvent, again: boolean, parts: JoinParts): Finding {
  const { lookup, prefix = DEFAULT_PREFIX, gateways } = parts
  const finding = (kind: FindingKind, decision?: JoinDecision, expected?: string, actual?: string): Finding => ({
    kind,
    event,
    decision,
    expected,
    actual,
  })
  const decision = lookup(event.auditId)
  if (decision === undefined) return finding(isComponent(event, parts) ? 'component' : 'bypassed')
  if (again || event.received > decision.time + AFTER || event.received < decision.time - BEFORE) return finding('reused', decision)
  const last = event.sourceIps.at(-1)
  if (gateways !== undefined && (last === undefined || !gateways.has(last))) return finding('bypassed', decision, undefined, last)
  const someone = event.impersonated
  // Where the cluster trusts the provider itself the name is the provider's, which says nothing here.
  if (someone === undefined ? parts.impersonates !== false : !isSubject(someone, decision, prefix))
    return finding('someone-else', decision, userName(decision.issuer, decision.subject, prefix), (someone ?? event.user).name)
  const difference = differenceOf(event, decision.action)
  if (difference !== undefined) return finding('differs', decision, ...difference)
  return finding(decision.allowed ? 'joined' : 'denied', decision)
}

/** Parts of a cluster act as themselves; one that acts as somebody is looked at as that one. */
function isComponent({ user, impersonated, object }: ServerEvent, { components }: JoinParts): boolean {
  if (impersonated !== undefined) return false
  // Probes of health come without a credential; who is after resources does not.
  if (user.name === 'system:anonymous') return object === undefined
  return user.name.startsWith('system:') || components?.has(user.name) === true
}

function isSubject({ name, extra }: AuditUser, { issuer, subject }: JoinDecision, prefix: string): boolean {
  const from = extra.get(`${EXTRA_DOMAIN}issuer`)
  const who = extra.get(`${EXTRA_DOMAIN}subject`)
  // Nobody in particular goes on as nobody in particular.
  if (issuer === '' && subject === '') return name === 'system:anonymous' && extra.size === 0
  const own = userName(issuer, subject, prefix)
  // By policy one may act as another: an extra field still says who it was.
  const by = extra.get(`${EXTRA_DOMAIN}impersonated-by`)
  if (by !== undefined) return by.length === 1 && by[0] === own
  if (from !== undefined || who !== undefined) return from?.length === 1 && who?.length === 1 && from[0] === issuer && who[0] === subject
  return name === own
}

/** What the decision says and what the event says, where they differ. */
function differenceOf({ verb, object, uri }: ServerEvent, action: KubernetesAction): readonly [string, string] | undefined {
  if (object === undefined) {
    const path = uri.split('?', 1)[0]!
    // Of resources it is `get` to an API server, too; of paths it is the method.
    const same = (verb === 'head' ? 'get' : verb) === action.verb && path === action.path
    return same ? undefined : [told(action), `${verb} ${path}`]
  }
  const canonical = CONNECTS.has(object.subresource) ? 'create' : verb
  const scope = action.namespace === ALL ? '' : action.namespace
  const same =
    action.path === '' &&
    canonical === action.verb &&
    object.group === action.group &&
    object.resource === action.resource &&
    object.subresource === action.subresource &&
    // A namespace is said to be in itself.
    (object.namespace === scope || (object.group === '' && object.resource === 'namespaces' && object.namespace === object.name)) &&
    (action.name === ALL || object.name === action.name)
  return same ? undefined : [told(action), told({ ...action, ...object, path: '', verb: canonical })]
}

function told({ verb, group, resource, subresource, namespace, name, path }: KubernetesAction): string {
  if (path !== '') return `${verb} ${path}`
  const kind = `${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`
  const place = namespace === '' || namespace === ALL ? '' : ` -n ${namespace}`
  return `${verb} ${kind}${name === ALL || name === '' ? '' : ` ${name}`}${place}`
}
