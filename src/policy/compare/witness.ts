/** Somebody in particular of whom a difference is true, made from a description and tried on the engine itself. */
import type { Action } from '../../core/action.ts'
import type { Decision, DecisionContext } from '../../core/decision.ts'
import type { ClaimValue, Identity, Principal } from '../../core/principal.ts'
import type { ActionCell, OpenInput } from '../actions/cells.ts'
import type { CompiledPolicy } from '../compiled.ts'

import type { World } from '../world.ts'
import { sampleOf } from './sample.ts'
import type { Literal } from './condition.ts'
import { ANONYMOUS, type Fact } from './fact.ts'

/** A question that both versions can be asked. */
export interface Witness {
  /** Undefined for a caller without a credential. */
  readonly identity: Identity | undefined
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
}

/** Something whose value is free within what a description says. */
interface Free {
  readonly set: (draft: Draft, value: Literal) => void
  readonly values: readonly Literal[]
}

interface Draft {
  issuer: string
  kind: Identity['kind']
  readonly claims: Record<string, ClaimValue>
  readonly unknown: Set<string>
  scopes: string[] | undefined
  bare: boolean
  possession: string
  time: number
  ip: string
  readonly inputs: Map<string, Literal | undefined>
}

/** How many combinations of free values are tried. */
const MAX_TRIES = 3000

export interface Known {
  readonly facts: readonly Fact[]
  /** Of the other end of the connection. */
  readonly peer: readonly Fact[]
  /** Guardrails that ask for an approval, and what of. */
  readonly approvals: readonly { readonly id: string; readonly shows: string }[]
}

/**
 * Finds a witness that `confirms`. What a description leaves to a value that conditions look into, such as a text that begins
 * with something, is searched for among values that the conditions themselves name.
 * @param hints Texts and numbers that conditions name
 */
export function findWitness(
  known: Known,
  assignment: ReadonlyMap<number, boolean>,
  cell: ActionCell,
  resource: string,
  now: number,
  hints: readonly Literal[],
  confirms: (witness: Witness) => boolean,
): Witness | undefined {
  const { draft, free } = draftOf(known.facts, assignment, now, hints)
  const peer = draftOf(known.peer, assignment, now, hints).draft
  const context = givenWith(known, assignment, draft)
  const attempt = (): Witness | undefined => {
    const action = cell.action(draft.inputs)
    if (action === undefined) return undefined
    const other = identityOf(peer, 'peer')
    const witness: Witness = {
      identity: identityOf(draft, SUBJECT),
      action,
      resource,
      context: { ...context(), time: draft.time, ip: draft.ip, ...(other === undefined ? {} : { peer: unbound(other) }) },
    }
    return confirms(witness) ? witness : undefined
  }
  const first = attempt()
  if (first !== undefined || free.length === 0) return first
  let tries = 0
  // First the same everywhere: conditions that compare two things are met by that.
  const longest = Math.max(...free.map(({ values }) => values.length))
  for (let i = 0; i < longest; i++) {
    for (const one of free) one.set(draft, one.values[i % one.values.length]!)
    const found = attempt()
    if (found !== undefined) return found
    tries++
  }
  const indexes = free.map(() => 0)
  for (; tries < MAX_TRIES; tries++) {
    for (const [i, one] of free.entries()) one.set(draft, one.values[indexes[i]!]!)
    const found = attempt()
    if (found !== undefined) return found
    let at = 0
    while (at < free.length && ++indexes[at]! >= free[at]!.values.length) indexes[at++] = 0
    if (at === free.length) return undefined
  }
  return undefined
}

const SUBJECT = 'somebody'

/** Where a witness comes from, where nothing looks at it (RFC 5737). */
export const USUAL_ADDRESS = '203.0.113.1'

/** What is given with the request: approvals, a justification, activated roles. */
function givenWith({ facts, approvals }: Known, assignment: ReadonlyMap<number, boolean>, draft: Draft): () => Partial<DecisionContext> {
  const said = facts.flatMap((fact) => (fact.about === 'said' && fact.domain.valueAt(assignment) ? [fact.key] : []))
  const active = facts.flatMap((fact) => (fact.about === 'active' && fact.domain.valueAt(assignment) ? [fact.role] : []))
  const patterns = said.flatMap((key) => (key.startsWith('justification ') ? [key.slice('justification '.length)] : []))
  const approved = approvals.filter(({ shows }) => said.includes(`approval ${shows}`)).map(({ id }) => id)
  const pattern = patterns.find((one) => one !== '')
  return () => ({
    ...(approved.length === 0 ? {} : { approved: new Set(approved) }),
    ...(patterns.length === 0 ? {} : { justification: pattern === undefined ? 'because' : sampleOf(pattern) }),
    ...(active.length === 0 || draft.issuer === ANONYMOUS
      ? {}
      : { grants: active.map((role) => ({ issuer: draft.issuer, subject: SUBJECT, role, from: draft.time, until: draft.time + 1 })) }),
  })
}

/** A principal that no version made: whoever is asked binds it anew. */
function unbound(identity: Identity): Principal {
  const { issuer, subject, kind, claims } = identity
  return { issuer, subject, kind, claims, roles: [], unknownRoles: [], provenance: [], actor: undefined, identity, policyVersion: '' }
}

function draftOf(
  facts: readonly Fact[],
  assignment: ReadonlyMap<number, boolean>,
  now: number,
  hints: readonly Literal[],
): { readonly draft: Draft; readonly free: readonly Free[] } {
  const draft: Draft = {
    issuer: ANONYMOUS,
    kind: 'human',
    claims: Object.create(null) as Record<string, ClaimValue>,
    unknown: new Set(),
    scopes: undefined,
    bare: false,
    possession: 'none',
    time: now,
    ip: USUAL_ADDRESS,
    inputs: new Map(),
  }
  const issuer = facts.find(({ about }) => about === 'issuer')
  if (issuer?.about === 'issuer') draft.issuer = issuer.domain.valueAt(assignment)
  const mine = facts.filter((fact) => !('issuer' in fact) || fact.issuer === draft.issuer)
  const searching = facts.some(({ about }) => about === 'opaque' || about === 'term')
  const free: Free[] = []
  const all = pool(hints)
  const texts = all.filter((one) => typeof one === 'string')
  const asList = new Set<string>()
  const scopes: string[] = []
  for (const fact of mine) {
    switch (fact.about) {
      case 'kind':
        draft.kind = fact.domain.valueAt(assignment) as Identity['kind']
        break
      case 'claim': {
        const value = fact.domain.valueAt(assignment)
        if (value === 'unknown') draft.unknown.add(fact.claim)
        else if (value !== 'absent') {
          draft.claims[fact.claim] = value.values.at(value.open ? -1 : 0)!
          if (searching && typeof value.values[0] === 'string')
            free.push({
              set: (one, text) => void (one.claims[fact.claim] = text),
              values: value.open ? [value.values.at(-1)!, ...texts] : value.values,
            })
        }
        break
      }
      case 'list': {
        const state = fact.domain.valueAt(assignment)
        if (state === 'unknown') draft.unknown.add(fact.claim)
        else if (state === 'list') {
          asList.add(fact.claim)
          draft.claims[fact.claim] ??= []
        }
        break
      }
      case 'bare':
        draft.bare = fact.domain.valueAt(assignment)
        break
      case 'delegated':
        if (fact.domain.valueAt(assignment)) draft.scopes = scopes
        break
      case 'scope':
        if (fact.domain.valueAt(assignment)) scopes.push(fact.scope)
        break
      case 'possession':
        draft.possession = fact.domain.valueAt(assignment)
        break
      case 'time': {
        const { from, to } = fact.domain.valueAt(assignment)
        draft.time = from
        if (searching) free.push({ set: (one, time) => void (one.time = Number(time)), values: hoursFrom(from, to) })
        break
      }
      case 'address':
        draft.ip = fact.domain.valueAt(assignment).text
        break
      case 'input': {
        const value = fact.domain.valueAt(assignment)
        if (value === 'fails') draft.inputs.set(fact.key, undefined)
        else if (!value.open) draft.inputs.set(fact.key, value.values[0])
        else {
          const { key, type, other } = fact.input
          if (type !== 'string' || other !== undefined) draft.inputs.set(key, value.values.at(-1))
          if (searching && type === 'string') free.push(tried(fact.input, all, value.values.at(-1)))
        }
        break
      }
      case 'issuer':
      case 'role':
      case 'entry':
      case 'term':
      case 'opaque':
      case 'active':
      case 'said':
        break
    }
  }
  for (const fact of mine) {
    if (fact.about !== 'entry' || !asList.has(fact.claim) || !fact.domain.valueAt(assignment)) continue
    const list = draft.claims[fact.claim] as readonly string[]
    draft.claims[fact.claim] = [...list, String(fact.values[0] ?? 'another')]
  }
  if (searching) free.push(...otherwiseFree(mine, draft, all))
  return { draft, free }
}

/** What only opaque parts look at: it has no variable of its own. */
function otherwiseFree(facts: readonly Fact[], draft: Draft, all: readonly Literal[]): readonly Free[] {
  const opaque = facts.flatMap((fact) => (fact.about === 'opaque' || fact.about === 'term' ? [fact.text] : [])).join(' ')
  const free: Free[] = []
  const texts = all.filter((one) => typeof one === 'string')
  for (const [, claim] of opaque.matchAll(/claims\.(\w+)/g)) {
    if (facts.some((fact) => fact.about === 'claim' && fact.claim === claim)) continue
    if (facts.some((fact) => fact.about === 'list' && fact.claim === claim)) {
      const list = draft.claims[claim!]
      if (Array.isArray(list))
        free.push({
          set: (one, text) => void (one.claims[claim!] = text === '' ? list : [...(list as string[]), String(text)]),
          values: ['', ...texts],
        })
    } else free.push({ set: (one, text) => void (one.claims[claim!] = text), values: texts })
  }
  if (/context\.time/.test(opaque) && !facts.some(({ about }) => about === 'time'))
    free.push({ set: (one, time) => void (one.time = Number(time)), values: hoursFrom(draft.time, Number.POSITIVE_INFINITY) })
  const taken = new Set(facts.flatMap((fact) => (fact.about === 'input' ? [fact.key] : [])))
  for (const fact of facts)
    if (fact.about === 'opaque' || fact.about === 'term')
      for (const input of fact.inputs)
        if (!taken.has(input.key)) {
          taken.add(input.key)
          free.push(tried(input, all))
        }
  return free
}

/** @param first What it is, unless something looks into it */
function tried(input: OpenInput, texts: readonly Literal[], first?: Literal): Free {
  const values = [...new Set([...(first === undefined ? [] : [first]), ...input.tries(texts)])].slice(0, MAX_VALUES)
  return { set: (one, value) => void one.inputs.set(input.key, value), values: values.length === 0 ? [''] : values }
}

/** Values of one input that are tried, at most. */
const MAX_VALUES = 200

function pool(hints: readonly Literal[]): readonly Literal[] {
  const texts = hints.filter((one) => typeof one === 'string').slice(0, 12)
  const near = texts.flatMap((one) => [one, `${one}x`, `x${one}`, `x${one}x`, one.slice(0, -1)])
  return [
    ...new Set([
      ...hints.filter((one) => typeof one === 'number').slice(0, 12),
      'x',
      '7',
      ...near.filter((one) => one !== ''),
      'y',
      'user@example.com',
      '-',
    ]),
  ]
}

/** Every hour of the eight days from an instant on, then every week of a year, as far as they lie before another. */
function hoursFrom(from: number, to: number): readonly number[] {
  const hour = 3_600_000
  const times = [...Array.from({ length: 192 }, (_, i) => from + i * hour), ...Array.from({ length: 52 }, (_, i) => from + i * 168 * hour)]
  return times.filter((time) => time < to)
}

function identityOf(draft: Draft, subject: string): Identity | undefined {
  if (draft.issuer === ANONYMOUS) return undefined
  const { possession } = draft
  return {
    issuer: draft.issuer,
    subject,
    kind: draft.kind,
    claims: Object.assign(Object.create(null) as Record<string, ClaimValue>, draft.claims),
    unknownClaims: new Set(draft.unknown),
    scopes: draft.scopes === undefined ? undefined : [...draft.scopes],
    appOnly: draft.bare,
    listedClient: false,
    actor: undefined,
    display: undefined,
    evidence: {
      credential: 'bearer',
      issuerUrl: '',
      audience: '',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt: Number.POSITIVE_INFINITY,
      sessionId: undefined,
      ...(possession === 'none' ? {} : { confirmation: { method: possession as 'dpop' | 'mtls', thumbprint: '' } }),
    },
  }
}

/** What one version says to a witness; undefined for an issuer that it doesn't have, whose credentials are refused. */
export function ask(policy: CompiledPolicy, { identity, action, resource, context }: Witness): Decision | undefined {
  const { issuers } = policy.model.world
  const peer = context.peer?.identity
  const seen =
    peer === undefined ? undefined : Object.hasOwn(issuers, peer.issuer) ? unbound(readBy(peer, issuers[peer.issuer]!.claims)) : undefined
  const at: DecisionContext = { ...context, peer: seen }
  if (identity === undefined) return policy.decide(policy.anonymous, action, resource, at)
  if (!Object.hasOwn(issuers, identity.issuer)) return undefined
  return policy.decide(policy.bind(readBy(identity, issuers[identity.issuer]!.claims)), action, resource, at)
}

/** A version reads the claims that it declares, and no others. */
function readBy(identity: Identity, declared: World['issuers'][string]['claims']): Identity {
  const { claims, unknownClaims } = identity
  const read = Object.fromEntries(Object.entries(claims).filter(([name]) => Object.hasOwn(declared, name)))
  return {
    ...identity,
    claims: Object.assign(Object.create(null) as Record<string, ClaimValue>, read),
    unknownClaims: new Set([...unknownClaims].filter((name) => Object.hasOwn(declared, name))),
  }
}
