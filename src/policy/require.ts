import type { DecisionContext, Requirement } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import type { World } from './world.ts'
import { contains, parseAddress, type Network } from './when/cidr.ts'

/** How the principals of an issuer prove something: a claim that has one of these values. */
export interface ClaimProof {
  readonly claim: string
  readonly values: ReadonlySet<string | number>
}

/** What a guardrail asks for, and how each issuer proves it. Principals of an issuer that isn't there can't. */
export interface Demand {
  readonly kind: Requirement['kind']
  /** As `Requirement` has it. */
  readonly name: string
  readonly byIssuer: ReadonlyMap<string, ClaimProof>
  /** Of `network`. */
  readonly networks?: readonly Network[]
  /** Of `justification`: whether a text will do; undefined for any. */
  readonly accepts?: ((text: string) => boolean) | undefined
}

/** Characters of a justification at most; a longer one is none. */
export const MAX_JUSTIFICATION = 512

/** Entra ID's claim of satisfied authentication contexts: an issuer that brings it needs no wiring for them. */
const CONTEXTS_CLAIM = 'acrs'

/** How principals of an issuer prove this; `never` if they can't, undefined if nobody said. */
export function proofOf(
  { issuers }: World,
  issuer: string,
  { kind, name }: Pick<Demand, 'kind' | 'name'>,
): ClaimProof | 'never' | undefined {
  const info = issuers[issuer]
  if (info?.stepUp === 'never') return 'never'
  const stepUp = info?.stepUp
  const written = kind === 'mfa' ? stepUp?.mfa : ownValue(kind === 'device' ? stepUp?.device : stepUp?.authContext, name)
  if (written === 'never') return 'never'
  if (written !== undefined) return { claim: written.claim, values: new Set(written.any) }
  if (info === undefined || kind !== 'auth-context' || !Object.hasOwn(info.claims, CONTEXTS_CLAIM)) return undefined
  return { claim: CONTEXTS_CLAIM, values: new Set([name]) }
}

function ownValue<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined
}

/** Whether the identity proves it. A claim that isn't there, can't be told or is of another type proves nothing. */
export function isMet(demand: Demand, identity: Identity | undefined, context: DecisionContext): boolean {
  const { kind, name, byIssuer } = demand
  if (kind === 'justification') return isJustified(demand, context.justification)
  if (kind === 'network') {
    const address = parseAddress(context.ip)
    return address !== undefined && demand.networks!.some((network) => contains(network, address))
  }
  if (kind === 'proof-of-possession') {
    const method = identity?.evidence.confirmation?.method
    return method !== undefined && (name === 'any' || name === method)
  }
  const proof = identity === undefined ? undefined : byIssuer.get(identity.issuer)
  if (identity === undefined || proof === undefined || identity.unknownClaims.has(proof.claim)) return false
  const value = Object.hasOwn(identity.claims, proof.claim) ? identity.claims[proof.claim] : undefined
  const present = typeof value === 'object' ? value : [value]
  return present.some((one) => (typeof one === 'string' || typeof one === 'number') && proof.values.has(one))
}

function isJustified({ accepts }: Demand, text: string | undefined): boolean {
  if (text === undefined || text.length > MAX_JUSTIFICATION || text.trim() === '' || /\p{Cc}/u.test(text)) return false
  return accepts === undefined || accepts(text)
}

/** What is left to prove, as a challenge asks for it. */
export function toRequirement({ kind, name, byIssuer }: Demand, identity: Identity | undefined): Requirement {
  const proof = identity === undefined ? undefined : byIssuer.get(identity.issuer)
  return { kind, name, proof: proof && { claim: proof.claim, values: [...proof.values].map(String).toSorted() } }
}

/** `mfa`, or `authentication context c1`. */
export function describeDemand({ kind, name }: Pick<Demand, 'kind' | 'name'>): string {
  switch (kind) {
    case 'mfa':
      return 'multi-factor authentication'
    case 'auth-context':
      return `authentication context \`${name}\``
    case 'proof-of-possession':
      return name === 'any' ? 'proof of possession' : `proof of possession by ${name === 'dpop' ? 'DPoP' : 'a client certificate'}`
    case 'device':
      return `a device that is \`${name}\``
    case 'network':
      return `an address in ${name}`
    case 'justification':
      return name === '' ? 'a justification' : `a justification that matches \`${name}\``
  }
}
