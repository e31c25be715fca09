import { Hono, type Context } from 'hono'
import { didYouMean } from '../../config/didyoumean.ts'
import type { Action } from '../../core/action.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Identity } from '../../core/principal.ts'
import { actionOf, renderAccess, renderExplanation, renderWhoCan } from '../../policy/index.ts'
import { withActive } from './active.ts'
import type { AdminEnv } from './app.ts'
import type { AdminParts } from './parts.ts'
import { peopleWho, renderPeople, SEARCH_COSTS } from './people.ts'

/** Questions to the policy in force: `/api/who-can` and `/api/can-i` for one action on one resource, `/api/access` for one principal. */
export function askRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/who-can', async (context) => {
    const { action, resource } = asked(context, parts)
    if (!parts.mayAsk(context.get('passage').principal, SEARCH_COSTS)) throw new OstiaryError('server/too-many-questions')
    const seen = await parts.seen()
    // All of it by one version, whichever comes into force meanwhile.
    const policy = parts.policy()
    const answer = policy.whoCan(action, resource, parts.now())
    if (answer === undefined) throw wrong(`there is no resource \`${resource}\` any more`)
    const people = peopleWho(seen, policy, { action, resource, now: parts.now() }, parts.activations)
    return context.json({ ...answer, people, policyVersion: policy.version, text: `${renderWhoCan(answer)}${renderPeople(people)}` })
  })

  routes.get('/can-i', (context) => {
    const { action, resource } = asked(context, parts)
    const { principal, exchange } = context.get('passage')
    const at = withActive({ time: parts.now(), ip: exchange.ip }, principal.identity, parts.activations)
    const policy = parts.policy()
    const decision = policy.decide(principal, action, resource, at)
    const explanation = policy.explain(principal, action, resource, at)
    return context.json({ allowed: decision.effect === 'allow', decision, explanation, text: renderExplanation(explanation) })
  })

  routes.get('/access', async (context) => {
    const { principal: wanted, ...others } = context.req.query()
    const [other] = Object.keys(others)
    if (other !== undefined) throw wrong(`there is no parameter \`${other.slice(0, 32)}\``)
    if (wanted === undefined || wanted === '') throw wrong('`principal` has to be there')
    if (!parts.mayAsk(context.get('passage').principal, SEARCH_COSTS)) throw new OstiaryError('server/too-many-questions')
    const { principals, whole } = await parts.seen()
    const named = principals.filter(({ identity }) => isNamed(identity, wanted.slice(0, 512)))
    const [found, ...more] = named
    if (found === undefined)
      throw new OstiaryError('server/unknown-principal', {
        name: wanted.slice(0, 128),
        where: whole ? 'thirty days' : 'what could be looked at of thirty days',
      })
    if (more.length > 0)
      throw wrong(
        `several principals are called that: ${named
          .slice(0, 8)
          .map(({ identity }) => `${identity.issuer}/${identity.subject}`)
          .join(', ')}`,
      )
    const policy = parts.policy()
    const { exchange } = context.get('passage')
    const access = policy.access(found.identity, withActive({ time: parts.now(), ip: exchange.ip }, found.identity, parts.activations))
    const text = `${renderAccess(access)}\nas they were proven at ${found.seenAt}\n`
    return context.json({ ...access, seenAt: found.seenAt, policyVersion: policy.version, text })
  })

  return routes
}

/** By `issuer/subject`, by subject alone, or by the name that they are shown under. */
function isNamed({ issuer, subject, display }: Identity, name: string): boolean {
  return `${issuer}/${subject}` === name || subject === name || display?.toLowerCase() === name.toLowerCase()
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
