import { Hono, type Context } from 'hono'
import { didYouMean } from '../../config/didyoumean.ts'
import type { Action } from '../../core/action.ts'
import { OstiaryError } from '../../core/errors.ts'
import { actionOf, renderExplanation, renderWhoCan } from '../../policy/index.ts'
import type { AdminEnv } from './app.ts'
import type { AdminParts } from './parts.ts'

/** Questions to the policy in force: `/api/who-can`, `/api/can-i`. Both are answered for one action on one resource. */
export function askRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/who-can', (context) => {
    const { action, resource } = asked(context, parts)
    const answer = parts.policy().whoCan(action, resource, parts.now())!
    return context.json({ ...answer, policyVersion: parts.policy().version, text: renderWhoCan(answer) })
  })

  routes.get('/can-i', (context) => {
    const { action, resource } = asked(context, parts)
    const { principal, exchange } = context.get('passage')
    const at = { time: parts.now(), ip: exchange.ip }
    const policy = parts.policy()
    const decision = policy.decide(principal, action, resource, at)
    const explanation = policy.explain(principal, action, resource, at)
    return context.json({ allowed: decision.effect === 'allow', decision, explanation, text: renderExplanation(explanation) })
  })

  return routes
}

function asked(context: Context<AdminEnv>, parts: AdminParts): { readonly action: Action; readonly resource: string } {
  const { action: text, resource, ...others } = context.req.query()
  const [other] = Object.keys(others)
  if (other !== undefined) throw wrong(`there is no parameter \`${other.slice(0, 32)}\``)
  if (text === undefined || resource === undefined) throw wrong('`action` and `resource` have to be there')
  const { resources } = parts.policy()
  const on = resources.find(({ name }) => name === resource)
  if (on === undefined) {
    const known = resources.map(({ name }) => name)
    const near = didYouMean(resource.slice(0, 64), known)
    throw wrong(`there is no resource \`${resource.slice(0, 64)}\`${near === undefined ? '' : `; ${near}`}`)
  }
  const action = actionOf(text.slice(0, 8_192), on.protocol)
  if (typeof action === 'string') throw wrong(`\`action\` is not one: ${action}`)
  return { action, resource }
}

function wrong(problem: string): OstiaryError {
  return new OstiaryError('server/bad-request', { problem })
}
