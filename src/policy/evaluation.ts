/** Requests of OpenID AuthZEN's Authorization API 1.0, read into what a decision is made of. */
import { z } from 'zod'
import { readDocument, spanOf, type Located } from '../config/document.ts'
import { validate } from '../config/validate.ts'
import type { Action } from '../core/action.ts'
import type { DecisionContext } from '../core/decision.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import type { Identity } from '../core/principal.ts'
import { readAction } from './actions/index.ts'
import type { CompiledPolicy } from './compiled.ts'
import { Findings, instantOf } from './names.ts'
import { partySchema, type PartyText } from './schema.ts'
import { partyOf } from './test.ts'
import { parseAddress } from './when/cidr.ts'

const subject = z.strictObject({
  type: z.string(),
  id: z.string(),
  /** Who vouches for it, and what is known of it. Only of whoever the caller may vouch for. */
  properties: partySchema.omit({ subject: true, kind: true }).optional(),
})
/** The name alone holds the whole text of the action; with properties it is the method, verb, class or operation. */
const action = z.strictObject({ name: z.string(), properties: z.record(z.string(), z.unknown()).optional() })
const resource = z.strictObject({ type: z.string(), id: z.string() })
const context = z.strictObject({ ip: z.string().optional(), time: z.string().optional() })

const evaluation = z.strictObject({
  subject: subject.optional(),
  action: action.optional(),
  resource: resource.optional(),
  context: context.optional(),
})

/** How many questions one request may hold. */
export const MAX_EVALUATIONS = 1_000

const evaluations = evaluation.extend({
  evaluations: z.array(evaluation).max(MAX_EVALUATIONS).optional(),
  options: z
    .looseObject({ evaluations_semantic: z.enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit']).optional() })
    .optional(),
})

/** One question, ready to be decided. */
export interface Evaluation {
  /** Undefined for nobody in particular. */
  readonly identity: Identity | undefined
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
}

export interface Evaluations {
  readonly questions: readonly Evaluation[]
  /** Whether it was one question alone, by its form. */
  readonly single: boolean
  readonly semantic: 'execute_all' | 'deny_on_first_deny' | 'permit_on_first_permit'
}

/** Kinds of principal, by the `type` of a subject. */
const TYPES: Readonly<Record<string, Identity['kind'] | 'anonymous'>> = {
  user: 'human',
  human: 'human',
  workload: 'workload',
  'managed-identity': 'managed-identity',
  agent: 'agent',
  'human-via-agent': 'human-via-agent',
  anonymous: 'anonymous',
}

export interface ReadParts {
  readonly policy: CompiledPolicy
  /** Whether the caller may say of an issuer’s subjects what they are. */
  readonly vouches: (issuer: string) => boolean
  /** Milliseconds since the epoch, for questions that name no time. */
  readonly now: number
}

/** Reads a request of the evaluation endpoint, or with `many` of the evaluations endpoint. All of it is right, or none is answered. */
export function readEvaluations(text: string, many: boolean, parts: ReadParts): Evaluations | readonly Diagnostic[] {
  // JSON is YAML; what is wrong has its place, and a name that comes twice is wrong.
  const { root, diagnostics } = readDocument('request', text)
  if (root === undefined || diagnostics.length > 0) return diagnostics
  const checked = validate(many ? evaluations : evaluation, root)
  if (checked.value === undefined) return checked.diagnostics
  const { evaluations: listed, options, ...shared } = checked.value as z.output<typeof evaluations>
  const found: Diagnostic[] = []
  const rows = listed === undefined || listed.length === 0 ? [{}] : listed
  const questions = rows.map((row, i) => {
    const at = listed === undefined || listed.length === 0 ? [] : ['evaluations', i]
    // A row that names a part replaces all of it (Authorization API 1.0, §7.1.1).
    const place = (part: string): readonly PropertyKey[] => (part in row ? [...at, part] : [part])
    return readOne({ ...shared, ...withoutUndefined(row) }, place, root, parts, found)
  })
  if (found.length > 0) return found
  return {
    questions: questions.filter((one) => one !== undefined),
    single: !many || listed === undefined || listed.length === 0,
    semantic: options?.evaluations_semantic ?? 'execute_all',
  }
}

function withoutUndefined(row: z.output<typeof evaluation>): z.output<typeof evaluation> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as z.output<typeof evaluation>
}

function readOne(
  { subject: who, action: what, resource: on, context: at }: z.output<typeof evaluation>,
  place: (part: string) => readonly PropertyKey[],
  root: Located,
  { policy, vouches, now }: ReadParts,
  found: Diagnostic[],
): Evaluation | undefined {
  const wrong = (problem: string, path: readonly PropertyKey[]): undefined => {
    found.push(diagnostic('policy/evaluation', { problem }, spanOf(root, path)))
  }
  if (who === undefined || what === undefined || on === undefined)
    return wrong('`subject`, `action` and `resource` have to be there', place('subject'))
  const info = policy.resources.find(({ name }) => name === on.id)
  if (info === undefined || info.protocol !== on.type)
    return wrong(`there is no resource \`${on.id.slice(0, 64)}\` of type \`${on.type.slice(0, 32)}\``, place('resource'))
  const action = readAction(what.name, info.protocol, what.properties)
  if ('problem' in action)
    return wrong(`the action is not one: ${action.problem}${action.help === undefined ? '' : `; ${action.help}`}`, place('action'))
  const time = at?.time === undefined ? now : instantOf(at.time)
  if (time === undefined) return wrong('`time` is not an instant of RFC 3339', place('context'))
  // An address that isn't said is none: conditions over it can't be told, and so grant nothing.
  const ip = at?.ip ?? ''
  if (ip !== '' && parseAddress(ip) === undefined) return wrong('`ip` is not an address', place('context'))
  const kind = Object.hasOwn(TYPES, who.type) ? TYPES[who.type] : undefined
  if (kind === undefined) return wrong(`\`type\` of a subject is one of ${Object.keys(TYPES).join(', ')}`, place('subject'))
  const question = { action, resource: on.id, context: { time, ip } }
  if (kind === 'anonymous') return { ...question, identity: undefined }
  const { properties } = who
  if (properties === undefined) return wrong('`properties` of the subject have to name its `issuer`', place('subject'))
  const party: PartyText = { ...properties, subject: who.id, kind }
  for (let one: PartyText | undefined = party; one !== undefined; one = one.actor)
    if (!vouches(one.issuer)) return wrong(`you may not vouch for subjects of issuer \`${one.issuer.slice(0, 64)}\``, place('subject'))
  const before = found.length
  const identity = partyOf(policy, unsaid(policy, party), 'request', [...place('subject'), 'properties'], new Findings(root, found))
  return identity === undefined || found.length > before ? undefined : { ...question, identity }
}

/** What can be left open by a provider and isn't said is unknown, not absent. */
function unsaid(policy: CompiledPolicy, party: PartyText): PartyText {
  const { issuers } = policy.model.world
  const claims = Object.hasOwn(issuers, party.issuer) ? issuers[party.issuer]!.claims : {}
  const open = Object.entries(claims).flatMap(([name, { mayBeUnknown }]) => (mayBeUnknown && !(name in party.claims) ? [name] : []))
  return {
    ...party,
    unknown: [...new Set([...party.unknown, ...open])],
    ...(party.actor === undefined ? {} : { actor: unsaid(policy, party.actor) }),
  }
}
