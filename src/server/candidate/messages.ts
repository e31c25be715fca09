/** What a gateway and the thread that reads its configuration say to one another. Each message is small: taking it in stops decisions. */
import type { Diagnostic } from '../../core/errors.ts'
import type { Sources } from '../../config/wiring.ts'
import type { Wiring } from '../../config/schema.ts'
import type { PackedPolicy } from '../../policy/index.ts'
import type { Change } from '../compared.ts'

/** Sources as octets that threads share: neither copied where they are handed over nor anything for a garbage collector to look into. */
export type SharedSources = Uint8Array<SharedArrayBuffer>

/** What is to be read, and as of when. */
export interface Question {
  readonly folder: string
  readonly environment: string | undefined
  /** In place of reading the folder. */
  readonly sources: Sources | SharedSources | undefined
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The version that runs. Where it comes out again, nothing more is handed over. */
  readonly running: string
  /** What that version was made of: what the new one is compared with. */
  readonly before: SharedSources
  /** Where versions are kept. */
  readonly versions: string
}

/** Findings and wiring come first, some at a time; the last message says what to make of them. */
export type Told =
  | { readonly kind: 'diagnostics'; readonly some: readonly Diagnostic[] }
  | { readonly kind: 'wiring'; readonly wiring: Omit<Wiring, 'resources'> }
  | { readonly kind: 'resources'; readonly some: readonly (readonly [string, Wiring['resources'][string]])[] }
  | { readonly kind: 'unreadable'; readonly message: string }
  | { readonly kind: 'refused'; readonly documents: readonly string[] }
  | { readonly kind: 'same'; readonly version: string; readonly documents: readonly string[] }
  | { readonly kind: 'ready'; readonly policy: PackedPolicy; readonly sources: SharedSources; readonly documents: readonly string[] }
  /** Whether the version was kept, where that was asked for. */
  | { readonly kind: 'kept'; readonly problem: string | undefined }
  /** What it changes, where that was asked for. */
  | { readonly kind: 'compared'; readonly change: Change }

/** What the thread is asked for: the next of what it tells, and, of a version that is ready, to keep it and to compare it. */
export type Asked = 'more' | 'keep' | 'compare'

export function shareSources(sources: Sources): SharedSources {
  const octets = new TextEncoder().encode(JSON.stringify(sources))
  const shared = new Uint8Array(new SharedArrayBuffer(octets.length))
  shared.set(octets)
  return shared
}

export function sourcesOf(shared: SharedSources): Sources {
  // Text is decoded of what nobody else can write to.
  return JSON.parse(new TextDecoder().decode(shared.slice())) as Sources
}
