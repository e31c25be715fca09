/**
 * What an API server tells of requests that reached it (its audit webhook): each is held against what the door decided, and what came by
 * another way is noted in the record. Of objects and their data nothing is kept.
 */
import type { KubernetesAction } from '../../core/action.ts'
import type { Clock } from '../../core/clock.ts'
import type { Meter } from '../../core/meter.ts'
import type { Admitted } from '../../core/pipeline.ts'
import type { GatewayEvent } from '../../core/record.ts'
import type { Answer } from '../../http/engine.ts'
import type { ServerEvent } from '../../kubernetes/audit/events.ts'
import { ingest, type Finding, type FindingKind, type JoinDecision } from '../../kubernetes/audit/join.ts'
import { eventsIn, member, parsed } from '../../kubernetes/audit/logs.ts'
import { problemOf } from './deny.ts'
import type { KubernetesResource } from './schema.ts'

export interface AuditingParts {
  readonly clock: Clock
  readonly meter: Meter
  /** Resolves once it is on disk. */
  readonly note: (event: GatewayEvent) => Promise<void>
}

/** `untold` is of a time that the gateway doesn't remember: whether it decided about it can't be told. */
type Told = FindingKind | 'untold'

/** Decisions of a cluster that are remembered at most, and for how long. A batch comes within half a minute, or much later after a failure. */
const MAX_DECISIONS = 20_000
const DECISION_MS = 10 * 60_000
/** An API server asks about a request while it serves it. */
const LET_THROUGH_MS = 60_000
/** Requests that are remembered to have been told of. */
const MAX_SEEN = 50_000
/** What is alike is noted once in so many milliseconds, with how many there were. */
const WINDOW_MS = 60_000
/** Kinds of requests by another way that are told apart in that time; further ones are noted as others. */
const MAX_ALIKE = 500
const TEXT_LIMIT = 512

interface Remembered {
  readonly decision: JoinDecision
  /** Whether a rule gives it, or part of it. What is let through because the resource is only observed is given by nobody. */
  readonly isGiven: boolean
  seen: boolean
}

interface Alike {
  readonly details: GatewayEvent['details']
  readonly since: number
  count: number
  noted: number
}

/** What is known of one cluster. */
class ClusterAudit {
  /** Oldest first. */
  readonly decisions = new Map<string, Remembered>()
  readonly seen = new Map<string, string>()
  readonly alike = new Map<string, Alike>()
  /** Milliseconds since the epoch: what was decided before is not remembered. */
  since: number
  /** One batch after the other: what is on its way into the record is not noted twice. Never rejects. */
  noting: Promise<void> = Promise.resolve()
  /** When it last told something; of one that tells nothing, nothing is missed. */
  toldAt = Number.NEGATIVE_INFINITY

  constructor(since: number) {
    this.since = since
  }
}

export class Auditing {
  readonly #parts: AuditingParts
  readonly #clusters = new Map<string, ClusterAudit>()
  readonly #start: number

  constructor(parts: AuditingParts) {
    this.#parts = parts
    this.#start = parts.clock.now()
  }

  /** What the door has decided about a request whose id the API server is told. */
  decided({ id, time, verdict, principal, exchange }: Admitted): void {
    const { action, resource } = exchange
    if (action.protocol !== 'kubernetes') return
    const { issuer, subject } = principal
    const cluster = this.#of(resource)
    cluster.decisions.set(id, {
      decision: { id, time, allowed: verdict.kind === 'allowed', action: action satisfies KubernetesAction, issuer, subject },
      isGiven: verdict.kind === 'allowed' && (verdict.decision.rule !== undefined || verdict.decision.inPart === true),
      seen: false,
    })
    this.#forget(cluster)
  }

  /** A decision that let through, not long ago, what rules give. */
  letThrough(cluster: string, id: string): JoinDecision | undefined {
    const { decision, isGiven } = this.#clusters.get(cluster)?.decisions.get(id) ?? {}
    return decision !== undefined && isGiven === true && decision.time >= this.#parts.clock.now() - LET_THROUGH_MS ? decision : undefined
  }

  /** Answers once what came by another way is in the record. Never rejects. */
  async answer(body: Buffer, name: string, config: KubernetesResource): Promise<Answer> {
    const value = parsed(body.toString())
    if (member(value, 'kind') !== 'EventList' || !Array.isArray(member(value, 'items'))) return problemOf('kubernetes/audit-events')
    if (member(value, 'apiVersion') !== 'audit.k8s.io/v1') return problemOf('kubernetes/audit-events')
    const cluster = this.#of(name)
    cluster.toldAt = this.#parts.clock.now()
    this.#forget(cluster)
    const { events, others } = eventsIn(value)
    this.#count('unreadable', others)
    const findings = ingest(events, {
      lookup: (id) => this.#lookup(cluster, id),
      seen: cluster.seen,
      prefix: config.prefix,
      impersonates: config.mode === 'impersonate',
      components: new Set(config.webhook.components),
    })
    while (cluster.seen.size > MAX_SEEN) cluster.seen.delete(cluster.seen.keys().next().value!)
    for (const finding of findings) this.#take(finding, name, cluster)
    try {
      const noting = cluster.noting.then(() => this.#note(cluster))
      cluster.noting = noting.catch(() => undefined)
      await noting
    } catch {
      // It comes again, and what was taken is noted then.
      return problemOf('kubernetes/unanswered', {}, {}, ['Retry-After', '2'])
    }
    return { kind: 'answer', status: 200, fields: ['Content-Type', 'application/json', 'Cache-Control', 'no-store'], body: '{}\n' }
  }

  #of(name: string): ClusterAudit {
    let cluster = this.#clusters.get(name)
    if (cluster === undefined) this.#clusters.set(name, (cluster = new ClusterAudit(this.#start)))
    return cluster
  }

  #lookup({ decisions }: ClusterAudit, id: string): JoinDecision | undefined {
    const found = decisions.get(id)
    if (found === undefined) return undefined
    found.seen = true
    return found.decision
  }

  /** What was let through long ago, and of which an API server that tells of requests told nothing, is counted. */
  #forget(cluster: ClusterAudit): void {
    const now = this.#parts.clock.now()
    for (const [id, { decision, seen }] of cluster.decisions) {
      const isOld = decision.time < now - DECISION_MS
      if (!isOld && cluster.decisions.size <= MAX_DECISIONS) return
      cluster.decisions.delete(id)
      cluster.since = Math.max(cluster.since, decision.time)
      if (isOld && decision.allowed && !seen && decision.time < cluster.toldAt - WINDOW_MS) this.#count('ours-unseen')
    }
  }

  #take(finding: Finding, name: string, cluster: ClusterAudit): void {
    const { event } = finding
    const kind: Told =
      finding.kind === 'bypassed' && finding.decision === undefined && event.received <= cluster.since ? 'untold' : finding.kind
    this.#count(kind)
    // Parts of a cluster aren't expected to come through the gateway, and come by the thousands.
    if (kind === 'joined' || kind === 'component') return
    const { user, impersonated, sourceIps } = event
    const source = sourceIps.at(-1) ?? 'unknown'
    const names = impersonated === undefined ? {} : { as: cut(impersonated.name) }
    const key = JSON.stringify([kind, user.name, names, classOf(event), source])
    const before = cluster.alike.get(key) ?? cluster.alike.get(kind)
    if (before !== undefined) {
      before.count++
      return
    }
    const isOne = cluster.alike.size < MAX_ALIKE
    const example = {
      ...(finding.decision === undefined ? {} : { decision: finding.decision.id }),
      ...(finding.expected === undefined ? {} : { expected: cut(finding.expected) }),
      ...(finding.actual === undefined ? {} : { actual: cut(finding.actual) }),
      auditId: cut(event.auditId),
      first: cut(requestOf(event)),
      at: new Date(event.received).toISOString(),
    }
    const who = isOne ? { user: cut(user.name), ...names, verbs: classOf(event), source: cut(source) } : { user: 'others' }
    const details = { cluster: name, finding: kind, ...who, ...example }
    cluster.alike.set(isOne ? key : kind, { details, since: this.#parts.clock.now(), count: 1, noted: 0 })
  }

  /** @throws OstiaryError `audit/unavailable` */
  async #note({ alike }: ClusterAudit): Promise<void> {
    const now = this.#parts.clock.now()
    const notes: Promise<void>[] = []
    for (const one of alike.values()) {
      const isOver = one.since + WINDOW_MS <= now
      const more = one.count - one.noted
      if (one.noted > 0 && !isOver) continue
      if (more > 0) {
        const noted = this.#parts.note({ kind: 'cluster-audit', time: now, details: { ...one.details, count: more } })
        notes.push(
          noted.then(() => {
            one.noted += more
          }),
        )
      }
    }
    const settled = await Promise.allSettled(notes)
    for (const [key, one] of alike) if (one.since + WINDOW_MS <= now && one.noted === one.count) alike.delete(key)
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  #count(finding: Told | 'unreadable' | 'ours-unseen', by = 1): void {
    if (by > 0) this.#parts.meter.count('kubernetes_audit_events', { finding }, by)
  }
}

const CLASSES: Readonly<Record<string, string>> = { get: 'read', list: 'read', watch: 'read', head: 'read', options: 'read' }
const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection', 'post', 'put'])
const CONNECTS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy'])

function classOf({ verb, object }: ServerEvent): string {
  if (object !== undefined && CONNECTS.has(object.subresource)) return 'connect'
  return Object.hasOwn(CLASSES, verb) ? CLASSES[verb]! : WRITES.has(verb) ? 'write' : 'other'
}

/** Without its query, which holds commands and selectors. */
function requestOf({ verb, object, uri }: ServerEvent): string {
  if (object === undefined) return `${verb} ${uri.split('?', 1)[0]!}`
  const { group, resource, subresource, namespace, name } = object
  const kind = `${resource}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`
  return `${verb} ${kind}${name === '' ? '' : ` ${name}`}${namespace === '' ? '' : ` -n ${namespace}`}`
}

function cut(text: string): string {
  return text.length > TEXT_LIMIT ? `${text.slice(0, TEXT_LIMIT)}…` : text
}
