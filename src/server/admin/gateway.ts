import { Hono } from 'hono'
import { OstiaryError } from '../../core/errors.ts'
import { formatSpan } from '../../core/span.ts'
import type { AdminEnv } from './app.ts'
import { asksOf, type CompiledPolicy } from '../../policy/index.ts'
import type { AdminParts } from './parts.ts'
import type { ResourceAnswer, StatementAnswer } from './shapes.ts'

/** What the gateway is and runs: `/api/me`, `/api/status`, `/api/policy`, `/api/keys`. */
export function gatewayRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/me', (context) => {
    const { principal } = context.get('passage')
    return context.json({
      issuer: principal.issuer,
      subject: principal.subject,
      kind: principal.kind,
      display: principal.identity?.display,
      roles: principal.roles,
      unknownRoles: principal.unknownRoles,
      provenance: principal.provenance,
      actor:
        principal.actor === undefined
          ? undefined
          : { issuer: principal.actor.issuer, subject: principal.actor.subject, kind: principal.actor.kind, roles: principal.actor.roles },
      expires: principal.identity === undefined ? undefined : new Date(principal.identity.evidence.expiresAt).toISOString(),
    })
  })

  routes.get('/status', (context) => context.json(parts.status()))

  routes.get('/policy', (context) => {
    const { version, roles, rules, guardrails, resources } = parts.policy()
    return context.json({
      version,
      roles: roles.map(roleAnswer),
      rules: [...rules, ...guardrails].map((one) => statementAnswer(one, parts.now())),
      resources: resources.map(resourceAnswer),
      lastReload: parts.lastReload(),
    })
  })

  // What a plan compares with: the files as they were when they came into force. They hold no secret, only where each is.
  routes.get('/policy/sources', (context) => context.json({ version: parts.policy().version, sources: parts.sources() }))

  routes.post('/policy/reload', async (context) => {
    const status = await parts.reload()
    return context.json(status, status.accepted ? 200 : status.held === undefined ? 422 : 409)
  })

  routes.post('/policy/release/:version', async (context) => {
    const status = await parts.release(context.req.param('version'), context.get('passage').principal)
    return context.json(status, status.accepted ? 200 : 503)
  })

  routes.post('/envoy/rollout/continue', async (context) => {
    const { now, ...others } = context.req.query()
    const [other] = Object.keys(others)
    if (other !== undefined) throw new OstiaryError('server/bad-request', { problem: `there is no parameter \`${other.slice(0, 32)}\`` })
    if (now !== undefined && now !== 'true' && now !== 'false')
      throw new OstiaryError('server/bad-request', { problem: '`now` must be `true` or `false`' })
    return context.json(await parts.proceed(now === 'true', context.get('passage').principal))
  })

  routes.post('/keys/:purpose/rotate', async (context) => {
    const purpose = context.req.param('purpose')
    if (purpose !== 'assertion' && purpose !== 'checkpoint')
      throw new OstiaryError('server/bad-request', {
        problem: `there is no key for \`${purpose.slice(0, 32)}\`; there are \`assertion\` and \`checkpoint\``,
      })
    return context.json(parts.rotate(purpose, context.get('passage').principal))
  })

  return routes
}

type Role = CompiledPolicy['roles'][number]
type Statement = CompiledPolicy['rules'][number] | CompiledPolicy['guardrails'][number]

function roleAnswer({ name, description, includes, bindings, span }: Role): object {
  return {
    name,
    description,
    place: formatSpan(span),
    includes,
    bindings: bindings.map(({ issuer, claim, match, values, kind, until, via, eligible }) => ({
      issuer,
      claim,
      match,
      values: [...values],
      kind,
      until: until === undefined ? undefined : new Date(until).toISOString(),
      via,
      eligible,
    })),
  }
}

function resourceAnswer(resource: CompiledPolicy['resources'][number]): ResourceAnswer {
  const { name, protocol, exampleAction, labels, scopes, issuers, observedUntil } = resource
  const until = observedUntil === undefined ? undefined : new Date(observedUntil).toISOString()
  return { name, protocol, exampleAction, labels, scopes, issuers, observedUntil: until }
}

function statementAnswer(statement: Statement, now: number): StatementAnswer {
  const { id, kind, description, resources, roles, actions, when, span } = statement
  const observedUntil = statement.kind === 'guardrail' ? statement.observedUntil : undefined
  return {
    id,
    kind,
    description,
    place: formatSpan(span),
    resources,
    who: statement.kind === 'guardrail' ? statement.who : 'for',
    roles,
    actions: actions.map(({ pattern }) => pattern.text),
    ...(statement.kind === 'guardrail' ? { asks: asksOf(statement) } : { peer: statement.peer }),
    when: when?.text,
    observedUntil: observedUntil === undefined || observedUntil <= now ? undefined : new Date(observedUntil).toISOString(),
  }
}
