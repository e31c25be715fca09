/** The door for Envoys that ask before they let a request through: external authorization, for what can't be compiled into them. */
import type { Clock } from '../../core/clock.ts'
import { noMeter, type Meter } from '../../core/meter.ts'
import type { Admitted } from '../../core/pipeline.ts'
import type { Principal } from '../../core/principal.ts'
import type { GatewayEvent, Outcome } from '../../core/record.ts'
import type { CheckRequest, CheckResponse } from '../../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import { IDENTITY } from '../../envoy/metadata.ts'
import { AccessLogs, type Statements } from './accesslog.ts'
import { headOf, type CheckedHead } from './actions.ts'
import { requestsIn, type ResourceOfHost } from './otlp.ts'
import { denied, passed, type Denial, type Fields, type Passed } from './deny.ts'
import { createWire, DEFAULT_CHECK_LIMITS, type Asked, type CheckLimits, type ChecksTrust, type Wire } from './wire.ts'

/** What is said of a request. */
export type Judged =
  | ({ readonly kind: 'denied' } & Denial)
  /** Let through: its record waits to be completed. */
  | {
      readonly kind: 'allowed'
      readonly passage: Admitted
      /** Names of the caller's own fields that go no further. */
      readonly remove: readonly string[]
    }

/** Takes the one path for a request: the canonical form, the credential and the decision are those of the door for HTTP. */
export interface Judge {
  judge(head: CheckedHead): Judged | Promise<Judged>
  /** What is answered where nothing can be judged: a problem document. */
  problem(code: 'http/unavailable' | 'http/denied'): Denial
}

export interface EnvoyDoorParts {
  readonly host: string
  readonly port: number
  readonly trust: ChecksTrust
  readonly limits?: Partial<CheckLimits>
  readonly clock: Clock
  readonly meter?: Meter
  readonly where: string
  readonly judge: Judge
  /** Records what Envoys tell of the requests that they answered. */
  readonly note: (event: GatewayEvent) => void
  /** Whether an Envoy is to ask about a resource; `node` is undefined where Envoys don't prove who they are. */
  readonly mayAsk: (node: string | undefined, resource: string) => boolean
  /** For a node that a mesh configures: which resource a host is of. Undefined for an Envoy that says so by itself. */
  readonly resourceOf?: (node: string | undefined, host: string) => { readonly resource: string | undefined } | undefined
  /** For who tells of requests over OTLP; default: a host is of no resource. */
  readonly resourceTold?: ResourceOfHost
  /** Whether a resource is, or was, only observed; default: none is. */
  readonly isObserved?: (resource: string) => boolean
  readonly statements?: Statements
}

/** @throws OstiaryError `xds/loopback` */
export function createEnvoyDoor(parts: EnvoyDoorParts): Wire {
  const {
    host,
    port,
    trust,
    clock,
    meter = noMeter,
    where,
    note,
    resourceTold = () => undefined,
    isObserved = () => false,
    statements,
  } = parts
  const limits = { ...DEFAULT_CHECK_LIMITS, ...parts.limits }
  const logs = new AccessLogs({ clock, meter, note, ...(statements === undefined ? {} : { statements }) })
  const wire = createWire({
    host,
    port,
    trust,
    limits,
    clock,
    where,
    answer: answering(parts, limits),
    told: (node, message) => logs.take(node, message),
    toldOtlp: (node, { resourceLogs }) => logs.tell(requestsIn(node, resourceLogs, resourceTold, isObserved)),
  })
  return {
    ...wire,
    async close() {
      await wire.close()
      logs.close()
    },
  }
}

/** Answers questions. What it makes never rejects, and never allows what wasn't judged to be. */
export function answering(
  parts: JudgingParts & Pick<EnvoyDoorParts, 'resourceOf'>,
  limits: CheckLimits,
): (asked: Asked) => Promise<CheckResponse> {
  const verdictOf = judging(parts, limits)
  return async ({ request, node, isGone }) => {
    const head = (): CheckedHead | undefined => {
      const found = isFromMesh(request) ? parts.resourceOf?.(node, request.attributes?.request?.http?.host ?? '') : undefined
      return headOf(request, found && (() => found.resource))
    }
    const verdict = await verdictOf({ head, node, isGone })
    return verdict.kind === 'passed' ? passed(verdict) : denied(verdict)
  }
}

/** What is answered, before it is put into anybody's words. */
export type Verdict = ({ readonly kind: 'denied' } & Denial) | ({ readonly kind: 'passed' } & Passed)

export type JudgingParts = Pick<EnvoyDoorParts, 'clock' | 'meter' | 'judge' | 'mayAsk'>

export interface Question {
  /** Undefined for what isn't asked as it should be. */
  readonly head: () => CheckedHead | undefined
  readonly node: string | undefined
  /** Whether nobody waits for the answer any more. */
  readonly isGone: () => boolean
}

/** The same for questions of any form. */
export function judging(
  { clock, meter = noMeter, judge, mayAsk }: JudgingParts,
  limits: Pick<CheckLimits, 'concurrent' | 'answerMs'>,
): (question: Question) => Promise<Verdict> {
  let underWay = 0
  const refused = (code: 'http/unavailable' | 'http/denied', why: string): Verdict => {
    meter.count('envoy_checks', { answer: why })
    const { status, fields, body } = judge.problem(code)
    return { kind: 'denied', status, fields, body }
  }
  return async ({ head: read, node, isGone }) => {
    if (underWay >= limits.concurrent) return refused('http/unavailable', 'too-many')
    underWay++
    try {
      const head = read()
      if (head === undefined) return refused('http/unavailable', 'not-understood')
      if (!mayAsk(node, head.resource)) return refused('http/denied', 'unknown-resource')
      const judged = await inTime(judge.judge(head), clock, limits.answerMs)
      if (judged === undefined) return refused('http/unavailable', 'too-late')
      meter.count('envoy_checks', { answer: judged.kind })
      if (judged.kind === 'denied') return judged
      const { passage, remove } = judged
      // Where nobody waits any more, nothing will be forwarded on this answer.
      complete(passage, clock, isGone() ? 'client-aborted' : 'handed-over')
      const decision = ['ostiary-decision', passage.id]
      return {
        kind: 'passed',
        resource: head.resource,
        identity: [...identityOf(passage.principal), ...decision],
        remove: [...remove, ...Object.values(IDENTITY)],
        response: decision,
      }
    } catch {
      return refused('http/unavailable', 'fault')
    } finally {
      underWay--
    }
  }
}

/** A mesh has no word for which resource a route is of. */
function isFromMesh({ attributes }: CheckRequest): boolean {
  return Object.keys(attributes?.contextExtensions ?? {}).length === 0
}

/** The answer, or undefined after the time; what is let through later than that has no effect, and its record says so. */
async function inTime(judged: Judged | Promise<Judged>, clock: Clock, ms: number): Promise<Judged | undefined> {
  if (!(judged instanceof Promise)) return judged
  let late = false
  const bounded = new Promise<Judged | undefined>((resolve, reject) => {
    const timer = clock.after(ms, () => {
      late = true
      resolve(undefined)
    })
    judged.then(
      (one) => {
        timer.cancel()
        if (late && one.kind === 'allowed') complete(one.passage, clock, 'timed-out')
        resolve(one)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
  return bounded
}

/** What comes of a request that is let through is Envoy's to know. */
function complete(passage: Admitted, clock: Clock, result: Outcome['result']): void {
  const unknown = Number.NaN
  passage.completed({ result, status: unknown, bytesIn: unknown, bytesOut: unknown, duration: clock.now() - passage.time })
}

/** The same fields that an Envoy writes which has verified the token by itself. Of nobody there are none. */
export function identityOf({ identity, subject, claims }: Principal): Fields {
  if (identity === undefined) return []
  const { tid, oid } = claims
  const who =
    typeof tid === 'string' && typeof oid === 'string' && subject === `${tid}/${oid}`
      ? [IDENTITY['tid']!, encoded(tid), IDENTITY['oid']!, encoded(oid)]
      : [IDENTITY['sub']!, encoded(subject)]
  return [IDENTITY['iss']!, encoded(identity.evidence.issuerUrl), ...who]
}

/** Visible ASCII stands for itself, everything else and `%` is percent-encoded, so that no byte of it can end the line. */
function encoded(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x21-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))
}
