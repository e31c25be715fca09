/** A door for clusters between raw clients and stand-ins for API servers, all on loopback, with a policy and records that tests can read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubernetesAction } from '../core/action.ts'
import { systemClock, type Clock } from '../core/clock.ts'
import type { AuthResult, Credential, Verified } from '../core/credential.ts'
import type { Decision, Reason } from '../core/decision.ts'
import type { Limiter } from '../core/limiter.ts'
import { Pipeline } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import type { Identity, Principal } from '../core/principal.ts'
import type { GatewayEvent, Outcome } from '../core/record.ts'
import { createKubernetesDoor, type KubernetesDoor, type KubernetesDoorParts } from '../doors/kubernetes/door.ts'
import { doorSchema, resourceSchema } from '../doors/kubernetes/schema.ts'
import { seededEntropy } from './clock.ts'
import { identityOf, policyOf, RawConnection, readAnswer, swappable, TOKEN, type ReadAnswer, type Recorded } from './httpdoor.ts'
import type { StandInApiServer } from './standin-apiserver.ts'

/** The gateway's own token in the stand-in. */
export const GATEWAY_TOKEN = 'token-of-the-gateway'

/** What a test lets the policy say: true allows, false denies for want of a role, a reason denies with it, and more is taken as it is. */
export type ClusterRule = (action: KubernetesAction, principal: Principal) => boolean | Reason | Partial<Decision>

/** @param inPart Whether some of a list may be allowed of which the whole is not */
export function clusterPolicy(rule: ClusterRule, { version = 'sha256:1', inPart = true } = {}): Policy {
  const base = policyOf(() => true, version)
  return {
    ...base,
    mayInPart: () => inPart,
    decide(principal, action): Decision {
      const said = rule(action as KubernetesAction, principal)
      const given = typeof said === 'object' && !('code' in said) ? said : {}
      const allowed = said === true || given.effect === 'allow'
      const reason: Reason =
        typeof said === 'object' && 'code' in said
          ? said
          : allowed
            ? { code: 'granted', id: 'read' }
            : { code: 'role-not-held', id: 'read', role: 'reader' }
      return {
        effect: allowed ? 'allow' : 'deny',
        rule: allowed ? 'read' : undefined,
        rules: allowed ? ['read'] : [],
        reasons: [reason],
        obligations: [],
        policyVersion: version,
        ...given,
      }
    },
  }
}

export interface ClusterDoorOptions {
  readonly rule?: ClusterRule
  readonly policy?: Policy
  readonly limiter?: Limiter
  /** Resources by name. The `server`, `ca` and `credential` are the stand-in's where they say nothing else. */
  readonly clusters?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly door?: Readonly<Record<string, unknown>>
  readonly identity?: Partial<Identity>
  readonly exchanger?: KubernetesDoorParts['exchanger']
  readonly recordings?: KubernetesDoorParts['recordings']
  readonly authenticate?: (credential: Credential) => AuthResult
  readonly clock?: Clock
}

export interface ClusterDoor {
  readonly door: KubernetesDoor
  readonly port: number
  readonly pipeline: Pipeline
  readonly policies: ReturnType<typeof swappable>
  readonly records: Map<string, Recorded>
  readonly notes: GatewayEvent[]
  readonly counts: Map<string, number>
  readonly verified: Verified
  connect(): RawConnection
  close(): Promise<void>
}

/** A door on a free port of 127.0.0.1 whose cluster `bed` is the stand-in. Who has `reader-token` is `entra`'s `tenant/user`. */
export async function clusterDoor(api: StandInApiServer | undefined, options: ClusterDoorOptions = {}): Promise<ClusterDoor> {
  const clock = options.clock ?? systemClock
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-clusterdoor-'))
  writeFileSync(join(folder, 'token'), GATEWAY_TOKEN)
  if (api !== undefined) writeFileSync(join(folder, 'ca.crt'), api.ca)
  const policies = swappable(options.policy ?? clusterPolicy(options.rule ?? (() => true)))
  const records = new Map<string, Recorded>()
  const notes: GatewayEvent[] = []
  const counts = new Map<string, number>()
  const verified: Verified = { identity: identityOf('tenant/user', options.identity), expiresAt: clock.now() + 3_600_000, revoked: false }
  const authenticate =
    options.authenticate ??
    ((credential: Credential): AuthResult =>
      (credential.kind === 'bearer' || credential.kind === 'dpop') && credential.token.reveal() === TOKEN
        ? { outcome: 'verified', verified }
        : { outcome: 'rejected', reason: 'signature' })
  let ids = 0
  const pipeline = new Pipeline({
    clock,
    newId: () => `d${++ids}`,
    authenticator: { authenticate },
    policies,
    limiter: options.limiter,
    recorder: {
      decided: (event, mode) => void records.set(event.id, { event, mode, outcomes: [] }),
      completed: (id, outcome) => void records.get(id)?.outcomes.push(outcome),
      note: () => undefined,
      noteDurably: () => Promise.resolve(),
    },
  })
  const own = { server: api?.url ?? 'https://127.0.0.1:9', ...(api === undefined ? {} : { ca: 'ca.crt' }) }
  const door = createKubernetesDoor({
    config: doorSchema.parse({ listen: [{ address: '127.0.0.1:0' }], ...options.door }),
    resources: Object.fromEntries(
      Object.entries(options.clusters ?? { bed: {} }).map(([name, more]) => {
        const credential = (more['mode'] ?? 'impersonate') === 'impersonate' ? { credential: { token: { file: 'token' } } } : {}
        return [name, resourceSchema.parse({ protocol: 'kubernetes', ...own, ...credential, ...more })]
      }),
    ),
    pipeline,
    exchanger: options.exchanger,
    recordings: options.recordings,
    note: (event) => void notes.push(event),
    clock,
    entropy: seededEntropy(),
    meter: {
      count: (name, labels = {}) => {
        const key = [name, ...Object.values(labels)].join(' ')
        counts.set(key, (counts.get(key) ?? 0) + 1)
      },
    },
    folder,
  })
  const port = (await door.listen())[0]!.port
  const open = new Set<RawConnection>()
  return {
    door,
    port,
    pipeline,
    policies,
    records,
    notes,
    counts,
    verified,
    connect() {
      const connection = new RawConnection(connect(port, '127.0.0.1'))
      open.add(connection)
      return connection
    },
    async close() {
      for (const { socket } of open) socket.destroy()
      await door.close()
      pipeline.open.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The bytes of a request to cluster `bed`, with the token of the one caller unless the fields say who asks. */
export function requestOf(line: string, fields: readonly string[] = [], body = ''): string {
  const [method, path] = line.split(' ') as [string, string]
  const known = (name: RegExp): boolean => fields.some((field) => name.test(field))
  return [
    `${method} ${path.startsWith('/clusters/') || path.startsWith('!') ? path.replace(/^!/, '') : `/clusters/bed${path}`} HTTP/1.1`,
    ...(known(/^host:/i) ? [] : ['Host: kube.localhost']),
    ...(known(/^authorization:|^nobody/i) ? [] : [`Authorization: Bearer ${TOKEN}`]),
    ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...fields.filter((field) => field !== 'nobody'),
    '',
    body,
  ].join('\r\n')
}

/** Sends one request on a connection of its own and reads the whole answer. */
export async function askCluster(door: ClusterDoor, line: string, fields: readonly string[] = [], body = ''): Promise<ReadAnswer> {
  const text = await door
    .connect()
    .send(requestOf(line, ['Connection: close', ...fields], body))
    .whole()
  const answer = readAnswer(text)
  const whole = answer.fields.get('transfer-encoding')?.[0] === 'chunked' ? unchunked(answer.body) : answer.body
  return { ...answer, body: Buffer.from(whole, 'latin1').toString() }
}

/** As far as it goes: half an answer is half of it. */
function unchunked(body: string): string {
  let whole = ''
  for (let at = 0; ;) {
    const end = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (end === -1 || !(size > 0)) return whole
    whole += body.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}

/** A `metav1.Status` that came as the answer. */
export function statusIn({ body }: ReadAnswer): { readonly code: number; readonly reason: string; readonly message: string } {
  const status = JSON.parse(body) as { kind: string; code: number; reason: string; message: string }
  if (status.kind !== 'Status') throw new Error(`no Status: ${body}`)
  return status
}

/** What was decided, as one line each: the action, the verdict, and what came of it. */
export function recordsOf({ records }: ClusterDoor): readonly string[] {
  return [...records.values()].map(({ event: { action, verdict }, outcomes }) => {
    const { verb, resource, subresource, namespace, name, path } = action as KubernetesAction
    const what = path === '' ? `${resource}${subresource === '' ? '' : `/${subresource}`} ${namespace}/${name}` : path
    const told = outcomes.map(({ result, status }: Outcome) => ` ${result} ${status}`).join('')
    return `${verb} ${what}: ${verdict.kind}${verdict.kind === 'malformed' ? ` ${verdict.code}` : verdict.kind === 'rejected' ? ` ${verdict.reason}` : ''}${told}`
  })
}

/** Resolves once `ready` holds; looked at whenever the event loop comes round. */
export async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise((resolve) => setImmediate(resolve))
}
