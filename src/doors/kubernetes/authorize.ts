/**
 * What an API server asks before its own roles are looked at (`authorization.k8s.io/v1` SubjectAccessReview): whom it has verified by itself,
 * and what they are about to do. It tells roles and no claims, and no answer of it can be masked, counted or held up for an approval.
 */
import { isUtf8 } from 'node:buffer'
import { ALL, type KubernetesAction } from '../../core/action.ts'
import type { Clock } from '../../core/clock.ts'
import { UNKNOWN_IP, type Decision, type Grant, type Obligation } from '../../core/decision.ts'
import { OstiaryError, type Code } from '../../core/errors.ts'
import { isObject, readJsonText, type JsonValue } from '../../core/json.ts'
import type { Meter } from '../../core/meter.ts'
import type { GrantSource } from '../../core/policy.ts'
import type { Identity, Principal } from '../../core/principal.ts'
import type { Recorder, Verdict } from '../../core/record.ts'
import type { Answer } from '../../http/engine.ts'
import type { JoinDecision } from '../../kubernetes/audit/join.ts'
import type { Namespaced } from '../../kubernetes/request.ts'
import { reviewedAction, type NonResourceAttributes, type ResourceAttributes } from '../../kubernetes/review.ts'
import { EXTRA_DOMAIN } from '../../kubernetes/users.ts'
import type { CompiledPolicy } from '../../policy/compiled.ts'
import { problemOf, whyNot } from './deny.ts'
import type { KubernetesResource } from './schema.ts'

/** What is needed of the policy: it decides about whom another has verified. */
export type ReviewingPolicy = Pick<CompiledPolicy, 'version' | 'anonymous' | 'decide' | 'holding' | 'isGuarded'>

export interface AuthorizeParts {
  readonly policies: { readonly current: ReviewingPolicy }
  /** Without it, no eligible role is active. */
  readonly grants?: Pick<GrantSource, 'ofSubject'> | undefined
  /** Whether somebody was revoked, as far as an API server tells of them. Default: nobody was. */
  readonly revoked?: ((identity: Identity) => boolean) | undefined
  readonly recorder: Pick<Recorder, 'decided' | 'completed'>
  /** What the door has let through of a cluster, by the id of its decision, for as long as an API server may still ask about it. Default: nothing. */
  readonly letThrough?: (cluster: string, id: string) => JoinDecision | undefined
  readonly newId: () => string
  readonly clock: Clock
  readonly meter: Meter
  /** Name of the door in records. */
  readonly name: string
}

/** The cluster whose API server asks. */
export interface AskingCluster {
  readonly name: string
  readonly config: Pick<KubernetesResource, 'prefix' | 'help' | 'record'> & {
    readonly webhook: Pick<KubernetesResource['webhook'], 'deny'> & Partial<Pick<KubernetesResource['webhook'], 'door'>>
  }
  /** Finds out whether that is in namespaces, where nobody knows yet; not for long. */
  readonly find: (group: string, version: string, resource: string) => Promise<void> | undefined
  readonly namespaced: Namespaced
}

/** `status` of the answer. */
interface Opinion {
  readonly allowed: boolean
  readonly denied?: true
  readonly reason?: string
}

interface Asked {
  readonly user: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
  readonly resource: ResourceAttributes | undefined
  readonly path: NonResourceAttributes | undefined
}

interface Who {
  readonly issuer: string
  readonly subject: string
}

const API = 'authorization.k8s.io/v1'
/** Key of the extra field by which the door says which decision let a request through. Only who may impersonate it can. */
export const DECISION = `${EXTRA_DOMAIN}decision`
const KIND = 'SubjectAccessReview'

/** Answers with a SubjectAccessReview, or with a Status where there is nothing to answer. Never rejects. */
export async function answerAuthorize(cluster: AskingCluster, body: Buffer, parts: AuthorizeParts): Promise<Answer> {
  try {
    const asked = askedIn(body)
    if (typeof asked === 'string') {
      parts.meter.count('kubernetes_reviews', { answer: 'unreadable' })
      return problemOf(asked)
    }
    const opinion = await opinionOf(asked, cluster, parts)
    parts.meter.count('kubernetes_reviews', {
      answer: opinion.allowed ? 'allowed' : opinion.denied === true ? 'denied' : 'no-opinion',
    })
    const text = JSON.stringify({ apiVersion: API, kind: KIND, status: opinion })
    return { kind: 'answer', status: 200, fields: ['Content-Type', 'application/json', 'Cache-Control', 'no-store'], body: `${text}\n` }
  } catch {
    parts.meter.count('kubernetes_reviews', { answer: 'fault' })
    // Of whatever isn't an answer, the API server makes what its `failurePolicy` says.
    return problemOf('kubernetes/unanswered')
  }
}

async function opinionOf(asked: Asked, cluster: AskingCluster, parts: AuthorizeParts): Promise<Opinion> {
  const { config } = cluster
  const { prefix } = config
  const { user, groups } = asked
  const roles = groups.filter((group) => group.startsWith(prefix)).map((group) => group.slice(prefix.length))
  if (!user.startsWith(prefix) && roles.length === 0)
    return { allowed: false, reason: `the user is none of those whom the gateway knows by \`${prefix}\`` }
  const who = whoIn(asked, prefix)
  const action = who === undefined ? undefined : await actionOf(asked, cluster)
  // Finding out about a kind may have taken a while: it is decided by the policy that is in force now.
  const policy = parts.policies.current
  const principal = who === undefined ? policy.anonymous : holding(policy, who, roles, parts)
  const review = new Review(parts, cluster, policy, principal)
  if (who === undefined) return review.refuse('kubernetes/reviewed-user', told(asked))
  if (parts.revoked !== undefined && parts.revoked(toldOf(asked, principal.identity!))) return review.reject(action ?? told(asked))
  const decided = action !== undefined && config.webhook.door === 'believed' ? decidedBefore(asked, who, action, cluster, parts) : undefined
  // The door has recorded it, and decided about each who acts.
  if (decided !== undefined) return { allowed: true, reason: `the gateway’s door let it through (decision ${decided})` }
  if (Object.hasOwn(asked.extra, `${EXTRA_DOMAIN}actor`)) return review.refuse('kubernetes/reviewed-chain', told(asked))
  if (action === undefined) return review.refuse('kubernetes/reviewed-request', told(asked))
  return review.decide(action)
}

/** The id of the door's decision about exactly this, of exactly them. */
function decidedBefore(
  { extra }: Asked,
  { issuer, subject }: Who,
  action: KubernetesAction,
  { name }: AskingCluster,
  { letThrough }: AuthorizeParts,
): string | undefined {
  const [id, ...more] = Object.hasOwn(extra, DECISION) ? extra[DECISION]! : []
  const decision = id === undefined || more.length > 0 ? undefined : letThrough?.(name, id)
  if (decision === undefined || decision.issuer !== issuer || decision.subject !== subject) return undefined
  return FIELDS.every((field) => decision.action[field] === action[field]) ? id : undefined
}

const FIELDS = ['verb', 'group', 'resource', 'subresource', 'namespace', 'name', 'path'] as const

/** Somebody is asked about again and again, and stands in the record in full once. By policy, oldest first. */
const known = new WeakMap<ReviewingPolicy, Map<string, { readonly grants: readonly Grant[]; readonly principal: Principal }>>()
const NONE: readonly Grant[] = []
const MAX_KNOWN = 5000

function holding(
  policy: ReviewingPolicy,
  { issuer, subject }: Who,
  roles: readonly string[],
  { grants: source, clock }: Pick<AuthorizeParts, 'grants' | 'clock'>,
): Principal {
  const now = clock.now()
  const grants = source?.ofSubject(issuer, subject, now) ?? NONE
  let all = known.get(policy)
  if (all === undefined) known.set(policy, (all = new Map()))
  const key = JSON.stringify([issuer, subject, roles])
  const before = all.get(key)
  if (before?.grants === grants) return before.principal
  const principal = policy.holding(issuer, subject, roles, grants, now)
  if (all.size >= MAX_KNOWN) all.delete(all.keys().next().value!)
  all.set(key, { grants, principal })
  return principal
}

/** Whom an API server tells of, with the token and the client that it names. When that was issued, it does not say: nothing ends by that here. */
function toldOf({ extra }: Asked, identity: Identity): Identity {
  const only = (key: string): string | undefined => {
    const values = Object.hasOwn(extra, key) ? extra[key]! : []
    return values.length === 1 && values[0] !== '' ? values[0] : undefined
  }
  const { evidence } = identity
  const told = { tokenId: only(`${EXTRA_DOMAIN}token-id`), client: only(`${EXTRA_DOMAIN}client`) }
  return { ...identity, evidence: { ...evidence, ...told, issuedAt: Number.POSITIVE_INFINITY } }
}

/** One answer about somebody of the issuers, recorded before it is given. */
class Review {
  readonly #parts: AuthorizeParts
  readonly #cluster: AskingCluster
  readonly #policy: ReviewingPolicy
  readonly #principal: Principal
  readonly #id: string
  readonly #time: number

  constructor(parts: AuthorizeParts, cluster: AskingCluster, policy: ReviewingPolicy, principal: Principal) {
    this.#parts = parts
    this.#cluster = cluster
    this.#policy = policy
    this.#principal = principal
    this.#id = parts.newId()
    this.#time = parts.clock.now()
  }

  async decide(action: KubernetesAction): Promise<Opinion> {
    const { name, config } = this.#cluster
    const decision = this.#policy.decide(this.#principal, action, name, { time: this.#time, ip: UNKNOWN_IP })
    if (decision.effect !== 'allow') {
      await this.#record(action, { kind: 'denied', decision })
      const told = { allowed: false, reason: this.#told(whyNot(decision)) } as const
      const isFinal =
        config.webhook.deny === 'all' || !givesNothing(decision) || this.#policy.isGuarded(this.#principal, action, name, this.#time)
      return isFinal ? { ...told, denied: true } : told
    }
    const left = decision.obligations.filter(isLeft)
    const strict = decision.obligations.some(({ kind }) => kind === 'record')
    await this.#record(action, { kind: 'allowed', decision }, left.length === 0 ? 'handed-over' : 'refused', strict)
    if (left.length === 0 && decision.rule !== undefined)
      return { allowed: true, reason: this.#told(`rule \`${decision.rule}\` allows it`) }
    // Where the resource is only observed it goes on as it would without a gateway: what nobody gives is for roles of the cluster to say.
    if (left.length === 0) return { allowed: false, reason: this.#told('no rule allows it, and the policy is only observed') }
    return {
      allowed: false,
      denied: true,
      reason: this.#told(`guardrail ${left.map(idsOf).join(', ')} asks for what an API server can not do`),
    }
  }

  /** Their access was revoked, whatever the API server still takes of them. */
  async reject(action: KubernetesAction): Promise<Opinion> {
    await this.#record(action, { kind: 'rejected', reason: 'revoked' })
    return { allowed: false, denied: true, reason: this.#told('access was revoked') }
  }

  /** Who or what it is about can't be decided. */
  async refuse(code: Code, action: KubernetesAction): Promise<Opinion> {
    await this.#record(action, { kind: 'malformed', code })
    const { message, help } = new OstiaryError(code)
    return { allowed: false, denied: true, reason: this.#told(`${message}; ${help}`) }
  }

  async #record(action: KubernetesAction, verdict: Verdict, result: 'handed-over' | 'refused' = 'refused', strict = false): Promise<void> {
    const { recorder, clock, name: door } = this.#parts
    const mode = strict ? 'strict' : this.#cluster.config.record
    const event = {
      id: this.#id,
      time: this.#time,
      door,
      resource: this.#cluster.name,
      action,
      principal: this.#principal,
      ip: UNKNOWN_IP,
      trace: undefined,
      policyVersion: this.#policy.version,
      verdict,
    }
    const waiting = recorder.decided(event, mode)
    if (waiting instanceof Promise) await waiting
    if (verdict.kind !== 'allowed') return
    const unknown = Number.NaN
    const duration = clock.now() - this.#time
    recorder.completed(this.#id, { result, status: unknown, bytesIn: unknown, bytesOut: unknown, duration }, mode)
  }

  #told(why: string): string {
    const { help } = this.#cluster.config
    return `${why}${help === undefined ? '' : `; ${help}`} (decision ${this.#id})`
  }
}

/** Whether nothing more is to be said than that no rule gives it: what roles of the cluster give takes nothing from the policy. */
function givesNothing({ effect, reasons }: Decision): boolean {
  return effect === 'deny' && reasons.every(({ code }) => code === 'no-rule' || code === 'role-not-held')
}

/** What nobody carries out once the API server has the answer. */
function isLeft(one: Obligation): boolean {
  return one.kind === 'mask' || (one.kind === 'limit' && one.observed !== true)
}

function idsOf(one: Obligation): string {
  return (one.kind === 'limit' ? [one.id] : one.ids).map((id) => `\`${id}\``).join(', ')
}

/** Whose name it is; undefined for what is nobody's, or said in two ways. */
function whoIn({ user, extra }: Asked, prefix: string): Who | undefined {
  if (!user.startsWith(prefix)) return undefined
  const [, issuer, subject] = /^([a-z][a-z0-9-]*):(.+)$/s.exec(user.slice(prefix.length)) ?? []
  if (issuer === undefined || subject === undefined) return undefined
  const says = (key: string, what: string): boolean => {
    const values = Object.hasOwn(extra, key) ? extra[key]! : undefined
    return values === undefined || (values.length === 1 && values[0] === what)
  }
  return says(`${EXTRA_DOMAIN}issuer`, issuer) && says(`${EXTRA_DOMAIN}subject`, subject) ? { issuer, subject } : undefined
}

async function actionOf({ resource, path }: Asked, { find, namespaced }: AskingCluster): Promise<KubernetesAction | undefined> {
  if (path !== undefined && !isPath(path.path ?? '')) return undefined
  const { group = '', version = '', resource: name = '' } = resource ?? {}
  // Questions of people name no version, or all of them.
  const at = version === '' || version === ALL ? 'v1' : version
  const finding = group === ALL || name === '' || name === ALL ? undefined : find(group, at, name)
  if (finding !== undefined) await finding
  const action = reviewedAction({ resourceAttributes: resource, nonResourceAttributes: path }, (g, _version, r) => namespaced(g, at, r))
  return action === undefined || action.verb === '' || action.verb === ALL ? undefined : action
}

/** As the door reads it: its segments are decoded, and there is one way to read them. */
function isPath(path: string): boolean {
  if (path === '/') return true
  const [first, ...segments] = path.split('/')
  return (
    first === '' &&
    segments.length > 0 &&
    segments.every((one) => one !== '' && one !== '.' && one !== '..' && one !== ALL && !/[\\%\p{Cc}]/u.test(one))
  )
}

/** What stands in the record for a question that none is decided about. */
function told({ resource, path }: Asked): KubernetesAction {
  const { verb = '', group = '', resource: name = '', subresource = '', namespace = '' } = resource ?? {}
  const base = { protocol: 'kubernetes', verb, group, resource: name, subresource, namespace, name: resource?.name ?? '' } as const
  return { ...base, verb: path?.verb ?? verb, path: path?.path ?? '' }
}

/** The question, or what is wrong with it. Total. */
function askedIn(body: Buffer): Asked | 'kubernetes/review' | 'kubernetes/review-version' {
  if (!isUtf8(body)) return 'kubernetes/review'
  const value = readJsonText(body.toString())
  if (!isObject(value) || value['kind'] !== KIND) return 'kubernetes/review'
  if (value['apiVersion'] !== API) return 'kubernetes/review-version'
  const { spec } = value
  if (!isObject(spec)) return 'kubernetes/review'
  const { user = '', groups, extra, resourceAttributes, nonResourceAttributes } = spec
  const resource = textsIn(resourceAttributes)
  const path = textsIn(nonResourceAttributes)
  const lists = extrasIn(extra)
  const names = listIn(groups)
  if (typeof user !== 'string' || names === undefined || lists === undefined) return 'kubernetes/review'
  if (resource === false || path === false || (resource === undefined) === (path === undefined)) return 'kubernetes/review'
  return { user, groups: names, extra: lists, resource, path }
}

/** Attributes, all of them texts; selectors are objects, and only narrow. False for what they can't be. */
function textsIn(value: JsonValue | undefined): Readonly<Record<string, string>> | undefined | false {
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) return false
  const texts: Record<string, string> = {}
  for (const [key, one] of Object.entries(value)) {
    if (typeof one === 'string') texts[key] = one
    else if (key !== 'fieldSelector' && key !== 'labelSelector') return false
  }
  return texts
}

function listIn(value: JsonValue | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return []
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined
}

function extrasIn(value: JsonValue | undefined): Readonly<Record<string, readonly string[]>> | undefined {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) return undefined
  const lists: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>
  for (const [key, one] of Object.entries(value)) {
    const list = listIn(one)
    if (list === undefined) return undefined
    lists[key] = list
  }
  return lists
}
