import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Decision } from '../../core/decision.ts'
import { OstiaryError, type Diagnostic } from '../../core/errors.ts'
import type { GrantSource } from '../../core/policy.ts'
import type { Principal } from '../../core/principal.ts'
import {
  mayProceed,
  OWN_RESOURCE,
  readEvaluations,
  readSearch,
  searchActions,
  searchResources,
  type CompiledPolicy,
  type Evaluation,
  type Search,
} from '../../policy/index.ts'
import type { Seen } from '../seen.ts'
import { withActive } from './active.ts'
import type { AdminEnv } from './app.ts'
import { textOf } from './body.ts'
import type { AdminParts } from './parts.ts'
import { judge, SEARCH_COSTS } from './people.ts'

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
      search_subject_endpoint: `${origin}/access/v1/search/subject`,
      search_resource_endpoint: `${origin}/access/v1/search/resource`,
      search_action_endpoint: `${origin}/access/v1/search/action`,
    })
  })

  routes.post('/access/v1/evaluation', limit, (context) => answer(context, parts, false))
  routes.post('/access/v1/evaluations', limit, (context) => answer(context, parts, true))
  for (const what of ['subject', 'resource', 'action'] as const)
    routes.post(`/access/v1/search/${what}`, limit, (context) => answerSearch(context, parts, what))
  return routes
}

interface Answer {
  readonly decision: boolean
  readonly context: object
}

/** The text of a request. */
async function bodyOf(context: Context<AdminEnv>): Promise<string> {
  const text = await textOf(context)
  if (!isJson(text)) throw wrong('the body is not JSON')
  return text
}

/** Whoever asked finds its own name for the question in the answer. */
function sameId(context: Context<AdminEnv>): void {
  const id = context.req.header('x-request-id')
  if (id !== undefined && /^[\x21-\x7e]{1,128}$/.test(id)) context.header('x-request-id', id)
}

function problems(found: readonly Diagnostic[]): OstiaryError {
  return wrong(
    found
      .slice(0, 5)
      .map(({ message }) => message)
      .join('; '),
  )
}

async function answer(context: Context<AdminEnv>, parts: AdminParts, many: boolean): Promise<Response> {
  const text = await bodyOf(context)
  const { principal } = context.get('passage')
  const policy = parts.policy()
  const now = parts.now()
  const read = readEvaluations(text, many, { policy, now, vouches: (issuer) => mayVouch(policy, principal, issuer, now) })
  if (!('questions' in read)) throw problems(read)
  if (!parts.mayAsk(principal, read.questions.length)) throw new OstiaryError('server/too-many-questions')
  const answers: Answer[] = []
  for (const question of read.questions) {
    const decision = decide(policy, question, parts.activations)
    const may = mayProceed(decision, question.understood)
    parts.evaluated(principal, question, decision, may)
    const decided = { decision: may, context: contextOf(decision) }
    answers.push(decided)
    if (read.semantic === (decided.decision ? 'permit_on_first_permit' : 'deny_on_first_deny')) break
  }
  sameId(context)
  return context.json(read.single ? answers[0] : { evaluations: answers })
}

/** What somebody, or something, may; people and workloads are those that the record knows. */
async function answerSearch(context: Context<AdminEnv>, parts: AdminParts, what: Search['what']): Promise<Response> {
  const text = await bodyOf(context)
  const { principal } = context.get('passage')
  const policy = parts.policy()
  const now = parts.now()
  const search = readSearch(text, what, { policy, now, vouches: (issuer) => mayVouch(policy, principal, issuer, now) })
  if (!('what' in search)) throw problems(search)
  if (!parts.mayAsk(principal, SEARCH_COSTS)) throw new OstiaryError('server/too-many-questions')
  const { results, incomplete } =
    search.what === 'resource'
      ? searchResources(policy, { ...search, context: withActive(search.context, search.identity, parts.activations) })
      : search.what === 'action'
        ? searchActions(policy, { ...search, context: withActive(search.context, search.identity, parts.activations) })
        : subjects(await parts.seen(), policy, search, parts.activations)
  parts.searched(principal, search, results.length)
  sameId(context)
  const { from, limit } = search.page
  const next = from + limit < results.length ? String(from + limit) : ''
  const found = results.slice(from, from + limit)
  return context.json({
    results: found,
    page: { next_token: next, count: found.length, total: results.length },
    context: { policy_version: policy.version, ...(incomplete === undefined ? {} : { incomplete }) },
  })
}

function subjects(
  { principals, whole }: Seen,
  policy: CompiledPolicy,
  { kind, type, understood, ...asked }: Extract<Search, { what: 'subject' }>,
  active: GrantSource,
): { readonly results: readonly object[]; readonly incomplete: string } {
  const ofKind = { principals: principals.filter(({ identity }) => identity.kind === kind), whole }
  const { judged, incomplete } = judge(ofKind, policy, asked, active)
  const results = judged
    .filter(({ decision }) => mayProceed(decision, understood))
    .map(({ identity, seenAt }) => ({ type, id: identity.subject, properties: { issuer: identity.issuer, seen_at: seenAt } }))
  return { results, incomplete }
}

function decide(policy: CompiledPolicy, { identity, action, resource, context }: Evaluation, active: GrantSource): Decision {
  const principal = identity === undefined ? policy.anonymous : policy.bind(identity)
  return policy.decide(principal, action, resource, withActive(context, identity, active))
}

/** What a subject is said to be counts only where the policy lets the caller say so, as `POST /vouch/{issuer}` on the gateway itself. */
function mayVouch(policy: CompiledPolicy, principal: Principal, issuer: string, now: number): boolean {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(issuer)) return false
  const action = { protocol: 'http', method: 'POST', path: `/vouch/${issuer}` } as const
  return policy.decide(principal, action, OWN_RESOURCE, { time: now, ip: '' }).effect === 'allow'
}

function contextOf({ effect, rules, reasons, requirements, approvals, obligations, observed, policyVersion }: Decision): object {
  const obliged = obligations.length === 0 ? undefined : obligations
  return { effect, rules, reasons, requirements, approvals, obligations: obliged, observed, policy_version: policyVersion }
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
