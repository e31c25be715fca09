/** What a gateway and the process that reads its configuration say to one another. Each message is small: taking it in stops decisions. */
import type { Diagnostic } from '../../core/errors.ts'
import type { Sources } from '../../config/wiring.ts'
import type { Wiring } from '../../config/schema.ts'
import type { Change } from '../compared.ts'

/** Sources as octets: nothing for a garbage collector to look into. */
export type PackedSources = Uint8Array<ArrayBuffer>

/** What is to be read, and as of when. */
export interface Question {
  readonly folder: string
  readonly environment: string | undefined
  /** In place of reading the folder. */
  readonly sources: PackedSources | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The version that runs. Where it comes out again, nothing more is handed over. */
  readonly running: string
  /** What that version was made of: what the new one is compared with. */
  readonly before: PackedSources
  /** Where versions are kept. */
  readonly versions: string
}

/** Octets of one of several arrays, from a place on. */
export interface Octets {
  readonly kind: 'octets'
  readonly of: number
  readonly at: number
  readonly octets: Uint8Array
}

/**
 * Findings and wiring come first, some at a time, then what the policy is made of and its arrays; the last message says what to make of it.
 */
export type Told =
  | { readonly kind: 'diagnostics'; readonly some: readonly Diagnostic[] }
  | { readonly kind: 'wiring'; readonly wiring: Omit<Wiring, 'resources'> }
  | { readonly kind: 'resources'; readonly some: readonly (readonly [string, Wiring['resources'][string]])[] }
  /** `shape`: policy and sources, with places of arrays in place of them (`parts.ts`); `lengths`: octets of each. */
  | { readonly kind: 'policy'; readonly shape: unknown; readonly lengths: readonly number[] }
  | Octets
  | { readonly kind: 'unreadable'; readonly message: string }
  | { readonly kind: 'refused'; readonly documents: readonly string[] }
  | { readonly kind: 'same'; readonly version: string; readonly documents: readonly string[] }
  | { readonly kind: 'ready'; readonly version: string; readonly documents: readonly string[] }
  /** Whether the version was kept, where that was asked for. */
  | { readonly kind: 'kept'; readonly problem: string | undefined }
  /** What it changes, where that was asked for. */
  | { readonly kind: 'compared'; readonly change: Change }

/**
 * What the process is asked: to read (after the sources, where those are not the folder's), for the next of what it tells, and, of a version
 * that is ready, to keep it, and to compare it (after what it is compared with).
 */
export type Asked =
  | { readonly kind: 'read'; readonly question: Omit<Question, 'sources' | 'before'>; readonly given: boolean }
  | { readonly kind: 'more' | 'keep' | 'compare' }
  | Octets

export function packSources(sources: Sources): PackedSources {
  return new TextEncoder().encode(JSON.stringify(sources))
}

export function unpackSources(packed: PackedSources): Sources {
  return JSON.parse(new TextDecoder().decode(packed)) as Sources
}
