/** What to do with a request for a cluster: from its raw head to a plan. No bytes are moved here. */
import type { KubernetesAction } from '../../core/action.ts'
import type { Clock, Entropy } from '../../core/clock.ts'
import type { Code, Details } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { Exchange } from '../../core/passage.ts'
import type { Admitted, Pipeline } from '../../core/pipeline.ts'
import type { Secret } from '../../core/secret.ts'
import { canonical, harmless, type CanonicalRequest, type Refusal } from '../../http/canonical.ts'
import type { TokenExchanger } from '../../identity/index.ts'
import type { Answer, Failure, Gate, Plan, RawRequest, UpgradeProtocol } from '../../http/engine.ts'
import { callerOf, type Caller, type TrustedProxies } from '../../http/forwarded.ts'
import { maskerOf } from '../../http/mask.ts'
import type { HttpLimits } from '../../http/schema.ts'
import { tracer, type Trace } from '../../http/trace.ts'
import { actionsOf, impersonationIn, type Impersonated } from '../../kubernetes/impersonation.ts'
import { isMisread, readRequest, type ClusterRequest } from '../../kubernetes/request.ts'
import { clusterUser, EXTRA_DOMAIN } from '../../kubernetes/users.ts'
import { presentedIn, selfReviewOf, unreadAction } from './actions.ts'
import { identityIn } from './callers.ts'
import type { Cluster, Clusters, Found } from './clusters.ts'
import { deny, problemOf, type DenyContext } from './deny.ts'
import { fieldOf, kept, plainlyAsked } from './headers.ts'
import { answerReview, type ReviewParts } from './reviews.ts'
import { filterOf, filters, unpaged, type Shown } from './lists.ts'
import { tapOf, type SessionParts } from './sessions.ts'
import type { Webhooks } from './authorizewebhooks.ts'

export interface GateParts extends SessionParts {
  readonly pipeline: Pipeline
  /** Whether a client certificate by itself can prove who somebody is. */
  readonly certificates: boolean
  readonly exchanger: TokenExchanger | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  /** Key of hashes in masked fields. */
  readonly maskKey: Uint8Array
  readonly meter: Meter
  readonly trusted: TrustedProxies
  readonly limits: HttpLimits
  readonly clusters: () => Clusters
  /** Where API servers ask and tell; undefined where nobody answers them. */
  readonly webhooks: Webhooks | undefined
  /** Is told of each decision whose id the API server will tell of. */
  readonly decided: (passage: Admitted) => void
  /** Name of the door in records. */
  readonly name: string
}

/** A request on its way. */
interface Arrival {
  readonly request: CanonicalRequest
  readonly found: Found
  readonly read: ClusterRequest
  readonly caller: Caller
  readonly trace: Trace
  /** Whom the caller asks to act as. */
  readonly as: Impersonated | undefined
  readonly fields: readonly string[]
  readonly token: Secret | undefined
  /** Exchanges that were admitted beside the request's own, each of which has to be completed. */
  readonly beside: Admitted[]
}

const UPGRADES: ReadonlySet<UpgradeProtocol> = new Set(['websocket', 'spdy/3.1'])

export function createGate(parts: GateParts): Gate {
  const { pipeline, clock, meter, trusted } = parts
  const limits = { ...parts.limits, spdy: true }
  const traceOf = tracer(parts.entropy)

  async function admit(raw: RawRequest): Promise<Plan> {
    const read = canonical(raw, limits)
    if (!read.ok) return refuse(raw, read)
    const { request } = read
    const found = parts.clusters().find(request.authority, request.path)
    if (found === undefined) {
      const asked = parts.webhooks?.(raw, request, () => traceOf(request.traceparent, request.tracestate))
      return asked ?? turnedAway('kubernetes/no-cluster')
    }
    if (found.byHost && raw.serverName !== undefined && raw.serverName.toLowerCase() !== request.authority.host)
      return turnedAway('http/server-name')
    const { cluster } = found
    const caller = callerOf(raw.peer, raw.secure, request, trusted)
    const trace = traceOf(request.traceparent, request.tracestate)
    const { credential, fields, token } = presentedIn(request, () => `https://${request.host}${request.path}`)
    const certificate = raw.certificate?.()
    const byItself =
      credential === undefined && certificate !== undefined && parts.certificates
        ? { kind: 'certificate' as const, certificate }
        : credential
    const exchange: Omit<Exchange, 'action'> = {
      door: parts.name,
      resource: cluster.name,
      credential: byItself,
      certificate,
      maxTokenLifetime: cluster.config.maxTokenLifetime,
      ip: caller.ip,
      trace: trace.id,
      recordMode: cluster.config.record,
    }
    const malformed = async (code: Code, details: Details): Promise<Answer> => {
      meter.count('kubernetes_refused', { code })
      const passage = await pipeline.admit({
        ...exchange,
        action: unreadAction(request.method, harmless(raw).path),
        credential: undefined,
        malformed: code,
      })
      return problemOf(code, { decision: passage.id }, details)
    }
    const head = { method: request.method, path: found.path, query: request.query, contentType: fieldOf(fields, 'content-type') }
    const operation = await readWith(cluster, head)
    if (isMisread(operation))
      return malformed(operation.status === 405 ? 'kubernetes/method' : 'kubernetes/request', { problem: operation.problem })
    if (
      request.upgrade !== undefined &&
      operation.stream === undefined &&
      operation.action.subresource !== 'proxy' &&
      operation.action.verb !== 'watch'
    )
      return malformed('kubernetes/request', { problem: 'it asks to switch the protocol of what is no stream' })
    const as = impersonationIn(raw.rawHeaders)
    if (typeof as === 'string') return malformed('kubernetes/impersonation', { problem: as })
    if (as !== undefined && Object.keys(as.extra).some((key) => key.startsWith(EXTRA_DOMAIN)))
      return malformed('kubernetes/impersonation', { problem: `keys that begin with \`${EXTRA_DOMAIN}\` are the gateway’s` })

    const arrival: Arrival = { request, found, read: operation, caller, trace, as, fields, token, beside: [] }
    // What the request may do besides is decided first: nothing of it is done before all of it is allowed.
    for (const action of [...(as === undefined ? [] : actionsOf(as)), ...operation.also]) {
      const passage = await pipeline.admit({ ...exchange, action })
      if (passage.verdict.kind !== 'allowed') {
        withdraw(arrival)
        return denied(passage, cluster, action)
      }
      arrival.beside.push(passage)
    }
    const whole = { ...exchange, action: operation.action }
    const passage = await pipeline.admit(filters(cluster, operation, request) ? { ...whole, inPart: true } : whole)
    return safely(passage, arrival)
  }

  async function readWith(cluster: Cluster, head: Parameters<typeof readRequest>[0]): Promise<ReturnType<typeof readRequest>> {
    let unknown: readonly [string, string] | undefined
    const read = readRequest(head, (group, version, resource) => {
      if (!cluster.discovery.knows(group, version, resource)) unknown = [group, version]
      return cluster.discovery.namespaced(group, version, resource)
    })
    if (unknown === undefined) return read
    await cluster.discovery.ask(...unknown)
    return readRequest(head, cluster.discovery.namespaced)
  }

  /** A fault after the decision ends what it may have opened. */
  async function safely(passage: Admitted, arrival: Arrival): Promise<Plan> {
    try {
      return await decided(passage, arrival)
    } catch {
      return withdrawn(passage, arrival, 'http/unavailable')
    }
  }

  async function decided(passage: Admitted, arrival: Arrival): Promise<Plan> {
    const {
      found: { cluster },
      read,
      request,
    } = arrival
    meter.count('kubernetes_requests', { verdict: passage.verdict.kind })
    parts.decided(passage)
    if (passage.verdict.kind !== 'allowed') {
      withdraw(arrival)
      return denied(passage, cluster, read.action)
    }
    if (typeof request.body === 'number' && limits.body > 0 && request.body > limits.body)
      return withdrawn(passage, arrival, 'http/body-too-large')
    const identity = await identityIn(cluster, passage, arrival, parts.exchanger)
    if ('refused' in identity) return withdrawn(passage, arrival, identity.refused, identity.details)
    const review = selfReviewOf(read.action)
    if (review !== undefined) return reviewed(review, passage, arrival, identity.fields)
    return forward(passage, arrival, identity.fields)
  }

  function denied(passage: Admitted, cluster: Cluster, action: KubernetesAction): Answer {
    const { verdict } = passage
    if (verdict.kind === 'allowed') throw new Error('it is allowed')
    return deny(verdict, contextOf(passage, cluster, action))
  }

  function reviewed(
    review: ReturnType<typeof selfReviewOf> & string,
    passage: Admitted,
    arrival: Arrival,
    identity: readonly string[],
  ): Plan {
    const {
      found: { cluster, path },
      request,
    } = arrival
    const own: ReviewParts = {
      cluster,
      passage,
      path: path + request.query,
      fields: [...arrival.fields, ...identity, 'Audit-ID', passage.id],
      now: () => clock.now(),
      completed: (status, bytesIn, bytesOut) => {
        complete(passage, arrival, status, bytesIn, bytesOut, 'completed')
      },
    }
    return {
      kind: 'own',
      limit: REVIEW_BYTES,
      expectsContinue: request.expectsContinue,
      answer: (body) => answerReview(review, body, own),
      abandoned: (answered) => complete(passage, arrival, answered?.status ?? 0, 0, answered?.body.length ?? 0, 'refused'),
    }
  }

  function forward(passage: Admitted, arrival: Arrival, identity: readonly string[]): Plan {
    const maskOf = ({ decision }: Admitted) => decision?.obligations.find((one) => one.kind === 'mask')
    const masked = maskOf(passage)
    // What has no end can't be masked as a whole; and of an answer to two actions there is one mask.
    const unmaskable = arrival.read.open || arrival.read.stream !== undefined || arrival.request.upgrade !== undefined
    if ((masked !== undefined && unmaskable) || arrival.beside.some((other) => maskOf(other) !== undefined))
      return withdrawn(passage, arrival, 'http/unmaskable')
    const mask = masked === undefined ? undefined : { masker: maskerOf(masked.fields, parts.maskKey), limit: limits.maskedBody }
    const { request, found, read, caller, trace } = arrival
    const { cluster, path } = found
    const shown: Shown | undefined = passage.decision?.inPart === true ? { action: read.action, passage } : undefined
    const session =
      request.upgrade === undefined || read.stream === undefined ? undefined : tapOf(read.stream, request, read, passage, cluster, parts)
    const fields = shown === undefined && mask === undefined ? [...arrival.fields] : plainlyAsked(arrival.fields, mask === undefined)
    return {
      kind: 'forward',
      passage: withBeside(passage, arrival),
      target: cluster.target,
      upgrade: request.upgrade,
      bodyLimit: limits.body,
      maxDuration: limits.maxDuration,
      mask,
      request: {
        method: request.method,
        target: path + (shown === undefined ? request.query : unpaged(request.query)),
        host: cluster.host,
        fields: [
          ...fields,
          ...identity,
          'Audit-ID',
          passage.id,
          'X-Forwarded-For',
          caller.forwardedFor,
          'traceparent',
          trace.traceparent,
          'Via',
          '1.1 ostiary',
        ],
        body: request.upgrade === undefined ? request.body : 'none',
        expectsContinue: request.expectsContinue,
        announcesTrailers: false,
        acceptsTrailers: false,
      },
      // The gateway's own credential is what it refuses: nobody else could bring a better one.
      refuses: (status) => status === 401 && cluster.config.mode === 'impersonate',
      filter: (status, upstream) => filterOf(status, upstream, read, shown),
      ...(session === undefined ? {} : { tap: session }),
      respond: (_status, upstream) => [...kept(upstream), 'Ostiary-Decision', passage.id],
      failure: (failure: Failure) => {
        meter.count('kubernetes_failures', { failure })
        return problemOf(FAILURES[failure] ?? `http/${failure as 'upstream-failed'}`, contextOf(passage, cluster, read.action))
      },
    }
  }

  /** The policy allows it and the door still doesn't carry it out: the record says both. */
  function withdrawn(passage: Admitted, arrival: Arrival, code: Code, details: Details = {}): Answer {
    meter.count('kubernetes_refused', { code })
    const {
      found: { cluster },
      read,
    } = arrival
    const answer = problemOf(code, contextOf(passage, cluster, read.action), details)
    complete(passage, arrival, answer.status, 0, answer.body.length, 'refused')
    return answer
  }

  function complete(
    passage: Admitted,
    arrival: Arrival,
    status: number,
    bytesIn: number,
    bytesOut: number,
    result: 'completed' | 'refused',
  ): void {
    const outcome = { result, status, bytesIn, bytesOut, duration: clock.now() - passage.time }
    passage.completed(outcome)
    for (const other of arrival.beside) other.completed(outcome)
  }

  /** What was admitted for a request that comes to nothing. */
  function withdraw({ beside }: Arrival): void {
    for (const passage of beside)
      passage.completed({ result: 'refused', status: 403, bytesIn: 0, bytesOut: 0, duration: clock.now() - passage.time })
  }

  function turnedAway(code: Code): Answer {
    meter.count('kubernetes_refused', { code })
    return problemOf(code)
  }

  /** A request without canonical form. Where it names a cluster, its refusal is recorded. */
  async function refuse(raw: RawRequest, { code, authority }: Refusal): Promise<Answer> {
    meter.count('kubernetes_refused', { code })
    const { method, path } = harmless(raw)
    const found = authority === undefined ? undefined : parts.clusters().find(authority, path)
    // Where a message ends may be what is wrong with it: nothing after it on the connection is read.
    if (found === undefined) return { ...problemOf(code), close: true }
    const passage = await pipeline.admit({
      door: parts.name,
      resource: found.cluster.name,
      action: unreadAction(method, path),
      credential: undefined,
      malformed: code,
      ip: callerOf(raw.peer, raw.secure, undefined, trusted).ip,
      trace: undefined,
      recordMode: found.cluster.config.record,
    })
    return { ...problemOf(code, { decision: passage.id }), close: true }
  }

  return {
    upgrades: UPGRADES,
    admit: (raw) => admit(raw).catch(() => turnedAway('http/unavailable')),
    unreadable: turnedAway,
  }
}

/** Bytes of a question about one's own access. */
const REVIEW_BYTES = 64 * 1024

const FAILURES: Partial<Record<Failure, Code>> = {
  unmaskable: 'kubernetes/unfilterable',
  'upstream-refused': 'kubernetes/refused-gateway',
  upgrade: 'kubernetes/recording',
}

function contextOf(passage: Admitted, cluster: Cluster, action: KubernetesAction): DenyContext {
  const { principal, verified } = passage
  const user = verified === undefined ? undefined : clusterUser(principal, cluster.config.prefix).name
  return { decision: passage.id, action, user, help: cluster.config.help }
}

/** An exchange that is completed together with those beside it. */
function withBeside(passage: Admitted, { beside }: Arrival): Admitted {
  if (beside.length > 0) passage.takeAlong(beside)
  return passage
}
