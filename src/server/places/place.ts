/** Where compiled policy is kept and enforced: a cluster, a control plane of a mesh, an Envoy of this gateway. One file for each kind. */
import type { TargetBase, Wiring } from '../../config/schema.ts'
import type { Clock } from '../../core/clock.ts'
import type { TargetDocument } from '../../targets/target.ts'

/** How a place stands, next to what was compiled for it. */
export interface Stand {
  /** On everything that is kept there of it; undefined where that is nothing, or not one and the same. */
  readonly revision: string | undefined
  /** What is kept there and is not what was compiled, in words. */
  readonly differences: readonly string[]
  /** What was applied once and is no part of it any more: it is in force until it is removed. */
  readonly leftOver: readonly string[]
  /** How many of those that enforce do so; undefined where nobody tells. */
  readonly enforced: { readonly count: number; readonly of: number; readonly what: string } | undefined
  /** What its control plane tells where nobody tells what is enforced. */
  readonly reported?: string | undefined
  /** What keeps anybody from enforcing it; some of it passes by itself. */
  readonly problems: readonly string[]
  /** What was rejected, and doesn't pass by itself. */
  readonly rejections: readonly string[]
  /** How much each proxy has rejected since it connected, where that alone is told. */
  readonly rejected: Readonly<Record<string, number>>
  /** What isn't wrong by itself, for people to look at. */
  readonly warnings: readonly string[]
}

export interface Place {
  /** Changes nothing. @throws OstiaryError `target/…` where it doesn't answer as it should */
  look(): Promise<Stand>
  /**
   * Brings it there, in an order in which nothing ever lets in more than before and after. Undefined where that is not ours to do.
   * @param prunes Whether what is left over is removed
   * @returns What was removed
   * @throws OstiaryError `target/…`; nothing after it was done
   */
  readonly apply?: (prunes: boolean) => Promise<readonly string[]>
  close(): Promise<void>
}

export interface PlaceParts<T extends TargetBase = TargetBase> {
  /** Of the place, for people. */
  readonly place: string
  /** Of the target: what is applied carries it. */
  readonly target: string
  readonly config: T
  readonly documents: readonly TargetDocument[]
  readonly wiring: Wiring
  readonly folder: string
  readonly clock: Clock
  /** Whatever is under way ends with it. */
  readonly signal?: AbortSignal | undefined
}

/** A kind of places, listed in `index.ts`. */
export interface PlaceKind {
  /** Opens no connection yet. @throws OstiaryError `target/no-context`, `target/no-control-plane` */
  readonly open: (parts: PlaceParts<never>) => Promise<Place>
}

/** Labels are no longer than this. */
export const LABEL_LENGTH = 40

/** Whether a place keeps what was compiled, and nothing else of it. */
export function isAccepted({ revision, differences, leftOver }: Stand, desired: string): boolean {
  return revision === desired.slice(0, LABEL_LENGTH) && differences.length === 0 && leftOver.length === 0
}

/** Whether it is also enforced, as far as anybody tells. */
export function isWell(stand: Stand, desired: string): boolean {
  const { enforced, problems, rejections } = stand
  return (
    isAccepted(stand, desired) &&
    problems.length === 0 &&
    rejections.length === 0 &&
    (enforced === undefined || enforced.count === enforced.of)
  )
}
