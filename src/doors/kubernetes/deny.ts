/** How *no* looks to a client of Kubernetes: a `metav1.Status` whose message is one sentence that says why, and what to do. */
import type { KubernetesAction } from '../../core/action.ts'
import { ALL } from '../../core/action.ts'
import type { Decision, Reason, Requirement } from '../../core/decision.ts'
import { denialDetail, REJECTED } from '../../core/denial.ts'
import { OstiaryError, type Code, type Details } from '../../core/errors.ts'
import type { Verdict } from '../../core/record.ts'
import type { Answer, Fields } from '../../http/engine.ts'
import { statusOf, type Status, type StatusDetails } from '../../kubernetes/status.ts'
import { describeDemand } from '../../policy/require.ts'

export interface DenyContext {
  /** Undefined where nothing was recorded. */
  readonly decision?: string | undefined
  readonly action?: KubernetesAction | undefined
  /** Who the caller is to the cluster; undefined for nobody. */
  readonly user?: string | undefined
  /** What to tell whoever is refused. */
  readonly help?: string | undefined
}

/** At most so many rules or guardrails are named. */
const MAX_NAMED = 3

/** A Status as an answer. */
export function answerOf(status: Status, decision: string | undefined, fields: Fields = []): Answer {
  const id = decision === undefined ? [] : ['Ostiary-Decision', decision, 'Audit-Id', decision]
  return {
    kind: 'answer',
    status: status.code,
    fields: ['Content-Type', 'application/json', 'Cache-Control', 'no-cache, private', ...id, ...fields],
    body: `${JSON.stringify(status)}\n`,
  }
}

/** An error of the catalogue, with its help. */
export function problemOf(code: Code, { decision, action, help }: DenyContext = {}, details: Details = {}, fields: Fields = []): Answer {
  const error = new OstiaryError(code, details)
  const challenge = error.status === 401 ? ['WWW-Authenticate', 'Bearer realm="kubernetes"'] : []
  const message = [error.message, error.help, ...(help === undefined ? [] : [help])].join('; ')
  return answerOf(statusOf(error.status, withId(message, decision), detailsOf(action)), decision, [...challenge, ...fields])
}

/** The answer to every verdict that isn't `allowed`. */
export function deny(verdict: Exclude<Verdict, { kind: 'allowed' }>, context: DenyContext): Answer {
  switch (verdict.kind) {
    case 'unauthenticated':
      return unauthorized('no credential came with the request; sign in with `ostiary login`', context)
    case 'rejected':
      return unauthorized(REJECTED[verdict.reason], context)
    case 'malformed':
      return problemOf(verdict.code, context)
    case 'unavailable':
      return problemOf('http/unavailable', context, {}, ['Retry-After', '2'])
    case 'limited': {
      const seconds = Math.max(1, Math.ceil(verdict.retryAfter / 1000))
      const status = statusOf(429, withId(`guardrail \`${verdict.limit}\` limits how often this may be done`, context.decision), {
        ...detailsOf(context.action),
        retryAfterSeconds: seconds,
      })
      return answerOf(status, context.decision, ['Retry-After', String(seconds)])
    }
    case 'denied':
      return forbidden(verdict.decision, context)
  }
}

function unauthorized(why: string, { decision, help }: DenyContext): Answer {
  const message = withId(help === undefined ? why : `${why}; ${help}`, decision)
  return answerOf(statusOf(401, message), decision, ['WWW-Authenticate', 'Bearer realm="kubernetes"'])
}

/** In the words of an API server, and then in ours. */
function forbidden(decision: Decision, context: DenyContext): Answer {
  const { action, user, decision: id, help } = context
  const what =
    action === undefined ? 'this is forbidden' : `${objectOf(action)} is forbidden: ${subjectOf(user)} cannot ${requestOf(action)}`
  const message = `${what}: ${whyNot(decision)}${help === undefined ? '' : `; ${help}`}`
  return answerOf(statusOf(403, withId(message, id), detailsOf(action)), id)
}

function withId(message: string, decision: string | undefined): string {
  return decision === undefined ? message : `${message} (decision ${decision})`
}

/** One sentence: which guardrail forbids it, what is still to be proven, or which rule allows it to whom. */
export function whyNot(decision: Decision): string {
  const { effect, reasons } = decision
  if (effect === 'challenge') return demands(decision)
  if (effect === 'needs-approval')
    return `it needs the approval of ${listed((decision.approvals ?? []).flatMap(({ from }) => from).map(quoted), 'or')}, which can not be asked for yet`
  const named = (code: Reason['code']): readonly Reason[] => reasons.filter((reason) => reason.code === code)
  const guardrails = named('guardrail')
  if (guardrails.length > 0)
    return several(guardrails) ? `guardrails ${ids(guardrails)} forbid it` : `guardrail ${ids(guardrails)} forbids it`
  const roles = named('role-not-held').filter(({ role }) => role !== undefined)
  const [first] = roles
  if (first !== undefined && !reasons.some(({ code }) => EARLIER.has(code)))
    return `${several(roles) ? 'rules' : 'rule'} ${ids(roles)} ${several(roles) ? 'allow' : 'allows'} it to ${listed([...new Set(roles.map(({ role }) => quoted(role!)))].slice(0, MAX_NAMED), 'or')}, which you do not hold`
  const conditions = named('condition-false')
  if (conditions.length > 0 && !reasons.some(({ code }) => code === 'scope' || code === 'role-unknown' || code === 'party'))
    return several(conditions)
      ? `the conditions of rules ${ids(conditions)} are not met`
      : `the condition of rule ${ids(conditions)} is not met`
  return denialDetail(decision)
}

/** What is told before the roles that would do. */
const EARLIER: ReadonlySet<Reason['code']> = new Set([
  'guardrail-unknown',
  'guardrail-error',
  'scope',
  'party',
  'role-unknown',
  'condition-error',
  'peer-not-held',
  'condition-false',
])

function demands({ requirements = [], reasons }: Decision): string {
  const guardrails = reasons.filter(({ code }) => code === 'requirement')
  const by = guardrails.length === 0 ? 'a guardrail' : `guardrail ${ids(guardrails)}`
  return `${by} asks for ${listed(requirements.map(demandOf), 'and')}`
}

function demandOf(one: Requirement): string {
  switch (one.kind) {
    case 'mfa':
      return 'a sign-in with a second factor'
    case 'auth-context':
      return `a sign-in that satisfies \`${one.name}\``
    case 'proof-of-possession':
      return 'a token that is bound to a key of yours'
    case 'justification':
      return one.name === '' ? 'a reason, which `kubectl` can not send' : describeDemand(one)
    case 'device':
      return `a device that is \`${one.name}\``
    case 'network':
      return 'another network than the one that you come from'
  }
}

function several(reasons: readonly Reason[]): boolean {
  return new Set(reasons.map(({ id }) => id)).size > 1
}

function ids(reasons: readonly Reason[]): string {
  const all = [...new Set(reasons.flatMap(({ id }) => (id === undefined ? [] : [quoted(id)])))]
  return listed(all.slice(0, MAX_NAMED), 'and')
}

function quoted(text: string): string {
  return `\`${text}\``
}

function listed(all: readonly string[], word: string): string {
  return all.length < 2 ? (all[0] ?? 'somebody') : `${all.slice(0, -1).join(', ')} ${word} ${all.at(-1)!}`
}

function subjectOf(user: string | undefined): string {
  return user === undefined ? 'somebody without a credential' : `User "${user}"`
}

function objectOf({ group, resource, name, path }: KubernetesAction): string {
  if (path !== '') return `path "${path}"`
  const what = group === '' ? resource : `${resource}.${group}`
  return name === ALL || name === '' ? what : `${what} "${name}"`
}

function requestOf({ verb, group, resource, subresource, namespace, path }: KubernetesAction): string {
  if (path !== '') return `${verb} path "${path}"`
  const what = subresource === '' ? resource : `${resource}/${subresource}`
  const where =
    namespace === ALL
      ? ' in all namespaces'
      : namespace === '' || resource === 'namespaces'
        ? ' at the cluster scope'
        : ` in the namespace "${namespace}"`
  return `${verb} resource "${what}" in API group "${group}"${where}`
}

function detailsOf(action: KubernetesAction | undefined): StatusDetails | undefined {
  if (action === undefined || action.path !== '') return undefined
  const { group, resource, name } = action
  return {
    ...(name === ALL || name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  }
}
