/** Requests of OpenID AuthZEN's Authorization API 1.0, read into what a decision is made of. */
import { z } from 'zod'
import { readDocument, spanOf, type Located } from '../config/document.ts'
import { validate } from '../config/validate.ts'
import type { Action } from '../core/action.ts'
import type { Decision, DecisionContext } from '../core/decision.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import type { Identity } from '../core/principal.ts'
import { readAction } from './actions/index.ts'
import type { CompiledPolicy } from './compiled.ts'
import { Findings, instantOf } from './names.ts'
import { partySchema, type PartyText } from './schema.ts'
import { partyOf } from './test.ts'
import { parseAddress } from './when/cidr.ts'

export const subject = z.strictObject({
  type: z.string(),
  id: z.string(),
  /** Who vouches for it, and what is known of it. Only of whoever the caller may vouch for. */
  properties: partySchema.omit({ subject: true, kind: true }).optional(),
})
/** The name alone holds the whole text of the action; with properties it is the method, verb, class or operation. */
export const action = z.strictObject({ name: z.string(), properties: z.record(z.string(), z.unknown()).optional() })
export const resource = z.strictObject({ type: z.string(), id: z.string() })
export const context = z.strictObject({
  ip: z.string().optional(),
  time: z.string().optional(),
  justification: z.string().max(4_096).optional(),
  /** Kinds of obligations that the caller carries out. */
  obligations: z.array(z.enum(['mask', 'limit', 'record'])).optional(),
})

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

/** Whether whoever asks may go ahead: what the policy obliges to, they have to know how to carry out. */
export function mayProceed({ effect, obligations }: Decision, understood: readonly string[]): boolean {
  return effect === 'allow' && obligations.every((one) => understood.includes(one.kind) || (one.kind === 'limit' && one.observed === true))
}

export interface Evaluations {
  readonly questions: readonly (Evaluation & {
    /** Kinds of obligations that the caller carries out. */ readonly understood: readonly string[]
  })[]
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
    const whole = { ...shared, ...withoutUndefined(row) }
    const question = readOne(whole, place, root, parts, found)
    return question === undefined ? undefined : { ...question, understood: whole.context?.obligations ?? [] }
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
  parts: ReadParts,
  found: Diagnostic[],
): Evaluation | undefined {
  const reader = new QuestionReader(root, parts, found, place)
  if (who === undefined || what === undefined || on === undefined)
    return reader.wrong('`subject`, `action` and `resource` have to be there', 'subject')
  const protocol = reader.resource(on)
  const action = protocol === undefined ? undefined : reader.action(what, protocol)
  const context = action === undefined ? undefined : reader.context(at)
  if (action === undefined || context === undefined) return undefined
  const subject = reader.subject(who)
  return subject === undefined ? undefined : { action, resource: on.id, context, identity: subject.identity }
}

/** Reads the parts of one question. What is wrong is added to what was found, and answered as undefined. */
export class QuestionReader {
  readonly #root: Located
  readonly #parts: ReadParts
  readonly #found: Diagnostic[]
  readonly #place: (part: string) => readonly PropertyKey[]

  constructor(root: Located, parts: ReadParts, found: Diagnostic[], place: (part: string) => readonly PropertyKey[]) {
    this.#root = root
    this.#parts = parts
    this.#found = found
    this.#place = place
  }

  wrong(problem: string, part: string): undefined {
    this.#found.push(diagnostic('policy/evaluation', { problem }, spanOf(this.#root, this.#place(part))))
  }

  /** The resource's protocol. */
  resource({ type, id }: z.output<typeof resource>): Action['protocol'] | undefined {
    const info = this.#parts.policy.resources.find(({ name }) => name === id)
    if (info !== undefined && info.protocol === type) return info.protocol as Action['protocol']
    return this.wrong(`there is no resource \`${id.slice(0, 64)}\` of type \`${type.slice(0, 32)}\``, 'resource')
  }

  action({ name, properties }: z.output<typeof action>, protocol: string): Action | undefined {
    const read = readAction(name, protocol, properties)
    if (!('problem' in read)) return read
    return this.wrong(`the action is not one: ${read.problem}${read.help === undefined ? '' : `; ${read.help}`}`, 'action')
  }

  context(at: z.output<typeof context> | undefined): DecisionContext | undefined {
    const time = at?.time === undefined ? this.#parts.now : instantOf(at.time)
    if (time === undefined) return this.wrong('`time` is not an instant of RFC 3339', 'context')
    // An address that isn't said is none: conditions over it can't be told, and so grant nothing.
    const ip = at?.ip ?? ''
    if (ip !== '' && parseAddress(ip) === undefined) return this.wrong('`ip` is not an address', 'context')
    return at?.justification === undefined ? { time, ip } : { time, ip, justification: at.justification }
  }

  /** The kind of principal that a type means. */
  kind(type: string): Identity['kind'] | 'anonymous' | undefined {
    if (Object.hasOwn(TYPES, type)) return TYPES[type]
    return this.wrong(`\`type\` of a subject is one of ${Object.keys(TYPES).join(', ')}`, 'subject')
  }

  /** Who it is; an identity of undefined for nobody in particular. */
  subject(who: z.output<typeof subject>): { readonly identity: Identity | undefined } | undefined {
    const { policy, vouches } = this.#parts
    const kind = this.kind(who.type)
    if (kind === undefined) return undefined
    if (kind === 'anonymous') return { identity: undefined }
    const { properties } = who
    if (properties === undefined) return this.wrong('`properties` of the subject have to name its `issuer`', 'subject')
    const party: PartyText = { ...properties, subject: who.id, kind }
    for (let one: PartyText | undefined = party; one !== undefined; one = one.actor)
      if (!vouches(one.issuer)) return this.wrong(`you may not vouch for subjects of issuer \`${one.issuer.slice(0, 64)}\``, 'subject')
    const before = this.#found.length
    const findings = new Findings(this.#root, this.#found)
    const identity = partyOf(policy, unsaid(policy, party), 'request', [...this.#place('subject'), 'properties'], findings)
    return identity === undefined || this.#found.length > before ? undefined : { identity }
  }
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
