/** Enforcement points that are handed the policy in a language of their own, by a cluster's or mesh's own control plane. */
import type { z } from 'zod'
import type { TargetBase, Wiring } from '../config/schema.ts'
import type { Diagnostic } from '../core/errors.ts'
import type { NativeIssuer } from '../core/token.ts'
import type { EnforcedProof } from '../policy/compare/enforced.ts'
import type { CompiledPolicy } from '../policy/index.ts'

export type NativeIssuers = ReadonlyMap<string, readonly NativeIssuer[] | { readonly refused: string }>

/** A JWK Set for one form of an issuer's tokens, as text: public keys for its algorithms alone. */
export type KeySets = ReadonlyMap<string, string>

export interface TargetInput<T extends TargetBase = TargetBase> {
  /** Its name in `targets:`, the same for all of its places: what is applied carries it. */
  readonly name: string
  readonly config: T
  readonly wiring: Wiring
  readonly policy: CompiledPolicy
  readonly issuers: NativeIssuers
  /** Undefined where nobody asked the issuers: what is compiled then is looked at, and not applied. */
  readonly keys: KeySets | undefined
  /** Identifies the policy: hexadecimal. It is on everything that is applied. */
  readonly revision: string
}

/** What an enforcement point tells apart otherwise than Ostiary does. */
export interface Residue {
  /** `narrower`: it refuses what Ostiary may accept. `assumed`: it would accept what Ostiary refuses, which the wiring says never comes. */
  readonly effect: 'narrower' | 'assumed'
  readonly text: string
}

export type TargetDocument = { readonly [name: string]: unknown }

export interface TargetResult {
  /** In the order in which they are to be applied: none of them, applied before the next, lets in more than all of them. */
  readonly documents: readonly TargetDocument[]
  /** As what they are written; default: YAML. */
  readonly form?: 'json'
  /** Where one is an error, there are no documents: what is enforced stays. */
  readonly diagnostics: readonly Diagnostic[]
  /** What of the wiring it carries. */
  readonly resources: readonly { readonly name: string; readonly delegated: boolean; readonly rules: number; readonly guardrails: number }[]
  readonly residues: readonly Residue[]
  /** Milliseconds since the epoch: from then on it says something else, and has to be compiled and applied again. Default: never. */
  readonly until?: number
  /** What has to be there besides and is somebody else's to set. */
  readonly needs?: readonly { readonly text: string; readonly document: TargetDocument }[]
}

/** What came of comparing what an enforcement point is told of a resource with what the policy says of it. */
export interface ResourceProof extends EnforcedProof {
  readonly resource: string
  /** Every request is put to the gateway: of this resource there is nothing else to prove. */
  readonly delegated: boolean
  readonly classes: number
  /** What lets in somebody whom the policy isn't asked about. */
  readonly problems: readonly string[]
}

/** One kind of them. Its folder has `schema.ts`, `emit.ts` and `evaluate.ts`, and is listed in `index.ts`. */
export interface TargetKind {
  /** Extends `targetBase`. */
  readonly schema: z.ZodType
  /** By which control plane what is compiled is kept: the same for the same one. Undefined where none is named. */
  readonly destination?: (config: never) => string | undefined
  /** Pure, and the same for the same input. */
  readonly compile: (input: TargetInput<never>) => TargetResult
  /** Reads what was compiled back, and compares it with the policy. @param now Milliseconds since the epoch */
  readonly prove?: (input: TargetInput<never>, documents: readonly TargetDocument[], now: number) => readonly ResourceProof[]
}
