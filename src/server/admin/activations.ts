import { Hono } from 'hono'
import { z } from 'zod'
import { duration } from '../../config/fields.ts'
import { OstiaryError } from '../../core/errors.ts'
import { readJsonText } from '../../core/json.ts'
import type { StoredActivation } from '../../store/activations.ts'
import type { AdminEnv } from './app.ts'
import { limited, reason, textOf } from './body.ts'
import type { AdminParts } from './parts.ts'
import type { ActivationAnswer, OwnActivationsAnswer } from './shapes.ts'

/** The body of `POST /api/activations/own/{role}`. */
export const activationSchema = z.strictObject({
  for: duration().refine((ms) => ms > 0, 'write more than nothing'),
  reason,
})

/** Reads for how long and why a role shall be active. Total: what isn't understood to the letter is a problem, told in one line. */
export function readActivation(text: string): { readonly lasting: number; readonly reason: string } | { readonly problem: string } {
  const value = readJsonText(text)
  if (value === undefined) return { problem: 'the body is not JSON, or has a name twice' }
  const parsed = activationSchema.safeParse(value)
  if (parsed.success) return { lasting: parsed.data.for, reason: parsed.data.reason }
  const [issue] = parsed.error.issues
  const at = issue?.path.join('.') ?? ''
  return { problem: at === '' ? 'the body has `for` and `reason`, and nothing else' : `\`${at}\` is not as it must be` }
}

/** Eligible roles for a time: `/api/activations/own` for whoever asks, `/api/activations` for everybody's. */
export function activationRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()
  const { activations } = parts

  routes.get('/activations', (context) => context.json(activations.list().map(activationAnswer)))

  routes.get('/activations/own', (context) => {
    const { issuer, subject, identity } = context.get('passage').principal
    const active = activations.list().filter((one) => one.issuer === issuer && one.subject === subject)
    // Who acts for somebody activates nothing.
    const eligible = identity === undefined || identity.actor !== undefined ? [] : parts.policy().eligibleRoles(identity, parts.now())
    const answer: OwnActivationsAnswer = { eligible, active: active.map(activationAnswer), atMost: activations.atMost }
    return context.json(answer)
  })

  routes.post('/activations/own/:role', limited, async (context) => {
    const read = readActivation(await textOf(context))
    if ('problem' in read) throw new OstiaryError('server/bad-request', { problem: read.problem })
    const request = { ...read, role: context.req.param('role').slice(0, 64) }
    return context.json(activationAnswer(await activations.activate(request, context.get('passage').principal)), 201)
  })

  routes.delete('/activations/own/:id', async (context) => {
    const ended = await activations.end(context.req.param('id').slice(0, 64), context.get('passage').principal, true)
    return context.json(activationAnswer(ended))
  })

  routes.delete('/activations/:id', async (context) => {
    const ended = await activations.end(context.req.param('id').slice(0, 64), context.get('passage').principal, false)
    return context.json(activationAnswer(ended))
  })

  return routes
}

function activationAnswer({ id, role, issuer, subject, display, from, until, reason: why }: StoredActivation): ActivationAnswer {
  const times = { from: new Date(from).toISOString(), until: new Date(until).toISOString() }
  return { id, role, issuer, subject, display, ...times, reason: why }
}
