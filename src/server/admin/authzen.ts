import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Decision } from '../../core/decision.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Principal } from '../../core/principal.ts'
import { OWN_RESOURCE, readEvaluations, type CompiledPolicy, type Evaluation } from '../../policy/index.ts'
import type { AdminEnv } from './app.ts'
import type { AdminParts } from './parts.ts'

/** Bytes of a request at most. */
const MAX_BODY = 1024 * 1024

/** OpenID AuthZEN, Authorization API 1.0: other enforcement points ask the policy in force. Who may ask, it says itself. */
export function authzenRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()
  const limit = bodyLimit({ maxSize: MAX_BODY, onError: () => Promise.reject(wrong(`the body is longer than ${MAX_BODY} bytes`)) })

  routes.get('/.well-known/authzen-configuration', (context) => {
    const [origin = ''] = parts.origins().toReversed()
    return context.json({
      policy_decision_point: origin,
      access_evaluation_endpoint: `${origin}/access/v1/evaluation`,
      access_evaluations_endpoint: `${origin}/access/v1/evaluations`,
    })
  })

  routes.post('/access/v1/evaluation', limit, (context) => answer(context, parts, false))
  routes.post('/access/v1/evaluations', limit, (context) => answer(context, parts, true))
  return routes
}

interface Answer {
  readonly decision: boolean
  readonly context: object
}

async function answer(context: Context<AdminEnv>, parts: AdminParts, many: boolean): Promise<Response> {
  // No form of another site can say this of its body.
  if (!/^application\/json(;|$)/i.test(context.req.header('content-type') ?? '')) throw wrong('the body must be `application/json`')
  const text = await context.req.text()
  if (!isJson(text)) throw wrong('the body is not JSON')
  const { principal } = context.get('passage')
  const policy = parts.policy()
  const now = parts.now()
  const read = readEvaluations(text, many, { policy, now, vouches: (issuer) => mayVouch(policy, principal, issuer, now) })
  if (!('questions' in read))
    throw wrong(
      read
        .slice(0, 5)
        .map(({ message }) => message)
        .join('; '),
    )
  if (!parts.mayAsk(principal, read.questions.length)) throw new OstiaryError('server/too-many-questions')
  const answers: Answer[] = []
  for (const question of read.questions) {
    const decision = decide(policy, question)
    parts.evaluated(principal, question, decision)
    const decided = { decision: decision.effect === 'allow', context: contextOf(decision) }
    answers.push(decided)
    if (read.semantic === (decided.decision ? 'permit_on_first_permit' : 'deny_on_first_deny')) break
  }
  const id = context.req.header('x-request-id')
  if (id !== undefined && /^[\x21-\x7e]{1,128}$/.test(id)) context.header('x-request-id', id)
  return context.json(read.single ? answers[0] : { evaluations: answers })
}

function decide(policy: CompiledPolicy, { identity, action, resource, context }: Evaluation): Decision {
  return policy.decide(identity === undefined ? policy.anonymous : policy.bind(identity), action, resource, context)
}

/** What a subject is said to be counts only where the policy lets the caller say so, as `POST /vouch/{issuer}` on the gateway itself. */
function mayVouch(policy: CompiledPolicy, principal: Principal, issuer: string, now: number): boolean {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(issuer)) return false
  const action = { protocol: 'http', method: 'POST', path: `/vouch/${issuer}` } as const
  return policy.decide(principal, action, OWN_RESOURCE, { time: now, ip: '' }).effect === 'allow'
}

function contextOf({ effect, rules, reasons, requirements, policyVersion }: Decision): object {
  return { effect, rules, reasons, requirements, policy_version: policyVersion }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function wrong(problem: string): OstiaryError {
  return new OstiaryError('server/bad-request', { problem })
}
