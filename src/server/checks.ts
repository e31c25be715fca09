import type { Meter } from '../core/meter.ts'
import type { CheckedHead } from '../doors/envoy/actions.ts'
import type { Judge, Judged } from '../doors/envoy/door.ts'
import type { AssertionSigner } from '../doors/http/assertion.ts'
import { problem } from '../http/problem.ts'
import type { Answer, Fields, Gate, Plan } from '../http/engine.ts'
import { trustedProxies } from '../http/forwarded.ts'
import { createGate } from '../doors/http/gate.ts'
import { nameInfo } from '../http/names.ts'
import { directoryOf } from '../doors/http/resources.ts'
import type { HttpResource } from '../doors/http/schema.ts'
import type { HttpLimits } from '../http/schema.ts'
import type { Parts } from './parts.ts'

/** Name of the door in records. */
const DOOR = 'envoy'

/**
 * Judges the requests that Envoys ask about as the door for HTTP judges its own: the same canonical form, credential, path and answers.
 * Only what comes with a browser's session is not there: no cookie of the gateway counts, and nobody is sent to sign in.
 */
export function judgeOf(
  parts: Pick<Parts, 'pipeline' | 'clock' | 'entropy' | 'newId' | 'folder'> & { readonly metrics: Meter },
  limits: HttpLimits,
  assertions: AssertionSigner,
  resources: Readonly<Record<string, HttpResource>>,
): Judge {
  const gates = new Map<string, Gate>()
  for (const [name, config] of Object.entries(resources)) {
    // The upstream is Envoy's to reach, and what it is told of the caller is what an Envoy tells.
    const asked: HttpResource = { ...config, assertion: false, upstream: { ...config.upstream, ca: undefined } }
    const directory = directoryOf({ [name]: asked }, limits.body, parts.folder)
    gates.set(
      name,
      createGate({
        pipeline: parts.pipeline,
        signIn: undefined,
        logout: undefined,
        events: undefined,
        certificates: false,
        assertions,
        maskKey: new Uint8Array(32),
        clock: parts.clock,
        entropy: parts.entropy,
        newId: parts.newId,
        meter: parts.metrics,
        trusted: trustedProxies([]),
        limits,
        directory: () => directory,
        name: DOOR,
      }),
    )
  }
  return {
    judge(head) {
      const plan = gates.get(head.resource)?.admit(rawOf(head))
      if (plan === undefined) return denied(problem('http/denied', {}))
      return plan instanceof Promise ? plan.then((one) => judged(one, head.fields, parts)) : judged(plan, head.fields, parts)
    },
    problem: (code) => problem(code, {}),
  }
}

/** Envoy has read the message whatever its version was; what it forwards has the meaning of HTTP/1.1. */
function rawOf({ method, target, host, secure, fields, ip }: CheckedHead): Parameters<Gate['admit']>[0] {
  return {
    version: '1.1',
    method,
    target,
    // A host among the fields would be a second one.
    rawHeaders: ['host', host, ...fields],
    authority: undefined,
    scheme: undefined,
    protocol: undefined,
    endStream: false,
    secure,
    serverName: undefined,
    peer: ip,
    localPort: 0,
  }
}

function judged(plan: Plan, fields: Fields, { clock }: Pick<Parts, 'clock'>): Judged {
  if (plan.kind === 'answer') return denied(plan)
  // Only the gateway's own addresses have a body that is read, and assertions are not given out here.
  if (plan.kind === 'own') return denied(problem('http/unavailable', {}))
  const { passage, mask } = plan
  if (mask === undefined) return { kind: 'allowed', passage, remove: removed(fields) }
  const answer = problem('http/masked-elsewhere', { decision: passage.id })
  const unknown = Number.NaN
  passage.completed({ result: 'refused', status: answer.status, bytesIn: unknown, bytesOut: 0, duration: clock.now() - passage.time })
  return denied(answer)
}

function denied({ status, fields, body }: Answer): Judged {
  return { kind: 'denied', status, fields, body }
}

/** What the door for HTTP would not pass on: names that tell who calls, in whatever spelling. What Envoy writes itself stays. */
function removed(fields: Fields): readonly string[] {
  return fields.filter((name, index) => {
    if (index % 2 === 1) return false
    const { lower, kind } = nameInfo(name)
    return kind === 'reserved' && !lower.startsWith('x-envoy-')
  })
}
