import type { ClaimType, StepUp, Wiring } from '../config/schema.ts'
import { instantOf } from './names.ts'

/** A claim that policy may speak of. */
export interface ClaimInfo {
  readonly type: ClaimType
  /** Its value may be impossible to tell (group overage, a directory that is down). */
  readonly mayBeUnknown: boolean
}

/** Claims that each kind of issuer brings without being declared. Identity hands them in. */
export type KindClaims = Readonly<Record<string, Readonly<Record<string, ClaimInfo>>>>

export interface IssuerInfo {
  readonly kind: string
  readonly claims: Readonly<Record<string, ClaimInfo>>
  /** How its principals prove what guardrails may ask for. */
  readonly stepUp: StepUp | undefined
}

/** An operation of an OpenAPI document: its method in upper case, and its path with the base path of its server, as a template. */
export interface OperationInfo {
  readonly method: string
  readonly template: string
}

/** Operations by their id, by resource. */
export type Operations = ReadonlyMap<string, ReadonlyMap<string, OperationInfo>>

export interface ResourceInfo {
  readonly protocol: string
  /** By operation id; undefined where no OpenAPI document is named. */
  readonly operations?: ReadonlyMap<string, OperationInfo> | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Actions by scope; undefined where scopes cap nothing. */
  readonly scopes: Readonly<Record<string, readonly string[]>> | undefined
  /** Issuers whose principals may come; undefined for all. */
  readonly issuers: readonly string[] | undefined
  /** Only observed before this instant, milliseconds since the epoch; NaN for a text that is none, undefined where it is enforced. */
  readonly observedUntil?: number | undefined
}

/** What a policy is about: the issuers and resources of the wiring, as far as policy may know them. */
export interface World {
  readonly issuers: Readonly<Record<string, IssuerInfo>>
  readonly resources: Readonly<Record<string, ResourceInfo>>
}

/** The gateway's own admin API, console and records. It is there without being wired. */
export const OWN_RESOURCE = 'ostiary'

/** The part of the wiring that policy depends on. */
export type PolicyWiring = Pick<Wiring, 'issuers' | 'resources'>

/** The world that a wiring describes. Maps have no prototype, so that `constructor` names nothing. */
export function worldOf(wiring: PolicyWiring, kindClaims: KindClaims, operations?: Operations): World {
  const issuers = table<IssuerInfo>()
  for (const [name, issuer] of Object.entries(wiring.issuers)) {
    const claims = table<ClaimInfo>()
    const built = Object.hasOwn(kindClaims, issuer.kind) ? kindClaims[issuer.kind]! : {}
    for (const [claim, info] of Object.entries(built)) claims[claim] = info
    for (const [claim, declared] of Object.entries(issuer.claims))
      claims[claim] = {
        type: typeof declared === 'string' ? declared : declared.type,
        // Declaring a built-in claim again doesn't make it more certain.
        mayBeUnknown: claims[claim]?.mayBeUnknown ?? false,
      }
    issuers[name] = { kind: issuer.kind, claims, stepUp: issuer.stepUp }
  }
  const resources = table<ResourceInfo>()
  resources[OWN_RESOURCE] = { protocol: 'http', labels: table(), scopes: undefined, issuers: undefined }
  for (const [name, { protocol, labels, scopes, issuers: accepted, observe }] of Object.entries(wiring.resources))
    resources[name] = {
      protocol,
      labels: Object.assign(table<string>(), labels),
      scopes,
      issuers: accepted,
      ...(operations?.has(name) === true ? { operations: operations.get(name) } : {}),
      ...(observe === undefined ? {} : { observedUntil: instantOf(observe.until) ?? Number.NaN }),
    }
  return { issuers, resources }
}

function table<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>
}
