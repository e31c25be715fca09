/**
 * Where API servers ask and tell the gateway: `/webhooks/<cluster>/authorize`, and `/audit`. Whoever comes there is let in by policy, as an
 * action on the gateway's own resource.
 */
import type { Clock } from '../../core/clock.ts'
import type { Meter } from '../../core/meter.ts'
import type { Admitted, Pipeline } from '../../core/pipeline.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import type { Answer, Plan, RawRequest } from '../../http/engine.ts'
import { callerOf, type TrustedProxies } from '../../http/forwarded.ts'
import { OWN_BODY_MS } from '../../http/ownbody.ts'
import type { Trace } from '../../http/trace.ts'
import { isNamespaced } from '../../policy/actions/kubernetes/known.ts'
import { OWN_RESOURCE } from '../../policy/world.ts'
import { presentedIn } from './actions.ts'
import { answerAuthorize, type AskingCluster, type AuthorizeParts } from './authorize.ts'
import type { Auditing } from './auditing.ts'
import type { Clusters } from './clusters.ts'
import { deny, problemOf } from './deny.ts'
import type { KubernetesResource } from './schema.ts'

export interface WebhookParts {
  readonly pipeline: Pipeline
  /** Whether a client certificate by itself can prove who somebody is. */
  readonly certificates: boolean
  readonly clock: Clock
  readonly meter: Meter
  readonly trusted: TrustedProxies
  /** Name of the door in records. */
  readonly name: string
  readonly authorize: Omit<AuthorizeParts, 'clock' | 'meter' | 'name' | 'letThrough'>
  readonly auditing: Auditing
  readonly clusters: () => Clusters
  /** Also those that nobody reaches through the gateway. */
  readonly resources: () => Readonly<Record<string, KubernetesResource>>
}

/** Answers a request for a webhook; undefined for any other. */
export type Webhooks = (raw: RawRequest, request: CanonicalRequest, trace: () => Trace) => Promise<Plan> | undefined

interface Webhook {
  /** Bytes of a body at most. */
  readonly limit: number
  /** Bodies that may be under way at once; undefined for as many as come. */
  readonly atOnce?: number
  readonly answer: (body: Buffer, cluster: string, config: KubernetesResource) => Promise<Answer>
}

const PATH = /^\/webhooks\/([a-z][a-z0-9-]{0,62})\/([a-z]+)$/
/** Bytes of a review: somebody may be in hundreds of groups. */
const REVIEW_BYTES = 256 * 1024
/** Bytes of a batch of events: an API server sends up to 10 MiB, and doesn't cut it. */
const EVENTS_BYTES = 10 * 1024 * 1024
const BATCHES = 4
/** How long it is waited for what a cluster says of a kind of its own: less than it waits itself. */
const FIND_MS = 1000

export function createWebhooks(parts: WebhookParts): Webhooks {
  const { pipeline, clock, meter, trusted, name } = parts
  const authorize: AuthorizeParts = {
    ...parts.authorize,
    clock,
    meter,
    name,
    letThrough: (cluster, id) => parts.auditing.letThrough(cluster, id),
  }
  const webhooks: Readonly<Record<string, Webhook>> = {
    authorize: {
      limit: REVIEW_BYTES,
      answer: (body, cluster, config) => answerAuthorize(askingOf(cluster, config, parts), body, authorize),
    },
    audit: {
      limit: EVENTS_BYTES,
      atOnce: BATCHES,
      answer: (body, cluster, config) => parts.auditing.answer(body, cluster, config),
    },
  }
  const underWay = new Map<Webhook, number>()

  async function admit(
    raw: RawRequest,
    request: CanonicalRequest,
    { webhook, cluster }: { readonly webhook: Webhook; readonly cluster: string },
    trace: () => Trace,
  ): Promise<Plan> {
    const { credential } = presentedIn(request, () => `https://${request.host}${request.path}`)
    const certificate = raw.certificate?.()
    const passage = await pipeline.admit({
      door: name,
      resource: OWN_RESOURCE,
      action: { protocol: 'http', method: request.method, path: request.path },
      credential:
        credential === undefined && certificate !== undefined && parts.certificates ? { kind: 'certificate', certificate } : credential,
      certificate,
      ip: callerOf(raw.peer, raw.secure, request, trusted).ip,
      trace: trace().id,
      recordMode: 'spool',
    })
    meter.count('kubernetes_webhooks', { verdict: passage.verdict.kind })
    const { verdict } = passage
    if (verdict.kind !== 'allowed') return deny(verdict, { decision: passage.id })
    // Whoever is not let in is told nothing of which clusters there are.
    const config = ownValue(parts.resources(), cluster)
    if (config === undefined) return over(passage, problemOf('kubernetes/no-cluster', { decision: passage.id }), 0)
    const now = underWay.get(webhook) ?? 0
    if (webhook.atOnce !== undefined && now >= webhook.atOnce)
      return over(passage, problemOf('kubernetes/audit-busy', { decision: passage.id }, {}, ['Retry-After', '1']), 0)
    underWay.set(webhook, now + 1)
    const ended = (): void => void underWay.set(webhook, (underWay.get(webhook) ?? 1) - 1)
    // A body that never comes is answered by nobody.
    const gone = clock.after(OWN_BODY_MS + FIND_MS, () => {
      ended()
      complete(passage, 'client-aborted', 0, 0, 0)
    })
    return {
      kind: 'own',
      limit: webhook.limit,
      expectsContinue: request.expectsContinue,
      answer: async (body) => {
        gone.cancel()
        try {
          return over(passage, await webhook.answer(body, cluster, config), body.length)
        } finally {
          ended()
        }
      },
    }
  }

  function over(passage: Admitted, answer: Answer, bytesIn: number): Answer {
    complete(passage, answer.status < 400 ? 'completed' : 'refused', answer.status, bytesIn, answer.body.length)
    return answer
  }

  function complete(
    passage: Admitted,
    result: 'completed' | 'refused' | 'client-aborted',
    status: number,
    bytesIn: number,
    bytesOut: number,
  ): void {
    passage.completed({ result, status, bytesIn, bytesOut, duration: clock.now() - passage.time })
  }

  return (raw, request, trace) => {
    if (request.method !== 'POST' || request.upgrade !== undefined) return undefined
    const [, cluster, which] = PATH.exec(request.path) ?? []
    const webhook = which === undefined ? undefined : ownValue(webhooks, which)
    return webhook === undefined || cluster === undefined ? undefined : admit(raw, request, { webhook, cluster }, trace)
  }
}

function ownValue<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}

/** Where nobody reaches the cluster through the gateway, only what every cluster has is known. */
function askingOf(name: string, config: KubernetesResource, { clusters, clock }: WebhookParts): AskingCluster {
  const discovery = clusters().all.find((one) => one.name === name)?.discovery
  if (discovery === undefined)
    return { name, config, find: () => undefined, namespaced: (group, _version, resource) => isNamespaced(group, resource) }
  return {
    name,
    config,
    namespaced: discovery.namespaced,
    find(group, version, resource) {
      if (discovery.knows(group, version, resource)) return undefined
      return new Promise((resolve) => {
        const timer = clock.after(FIND_MS, resolve)
        void discovery.ask(group, version).then(() => {
          timer.cancel()
          resolve()
        })
      })
    },
  }
}
