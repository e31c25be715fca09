/** Which version each place should have, keeps and enforces: asked side by side, each for a bounded time, and none for the others' sake. */
import type { Clock } from '../../core/clock.ts'
import { isAccepted, isWell, type Place, type Stand } from './place.ts'

/** A place by its name, before anybody has asked it anything. */
export interface Member {
  /** `shop@eu-1`, `envoy/edge` */
  readonly name: string
  readonly kind: string
  /** Revision, in hexadecimal. */
  readonly desired: string
  /** @param signal Ends whatever is under way. Throws, or rejects, where it is not to be asked. */
  readonly open: (signal: AbortSignal) => Promise<Place> | Place
}

export interface Row {
  readonly kind: string
  readonly name: string
  readonly stage: string | undefined
  readonly desired: string
  /** Undefined where nobody could be asked, nothing is there, or not one and the same revision. */
  readonly accepted: string | undefined
  /** `not known` where nobody tells. */
  readonly enforced: Stand['enforced'] | 'not known'
  readonly reported?: string | undefined
  /** Whether everything is as it should be, as far as anybody tells. */
  readonly ok: boolean
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

export interface StatusParts {
  readonly clock: Clock
  /** How long each may take, in milliseconds. */
  readonly timeout: number
  /** How many are asked at the same time. */
  readonly atOnce: number
}

export const STATUS_LIMITS = { timeout: 30_000, atOnce: 8 } as const

/** In the order of the members. Never rejects: what went wrong is in the row. */
export async function statusOf(
  members: readonly (Member & { readonly stage?: string | undefined })[],
  parts: StatusParts,
): Promise<readonly Row[]> {
  const found = await eachAtMost(parts.atOnce, members, (one) => lookOnce(one, parts))
  return members.map(({ name, kind, desired, stage }, index) => {
    const row = { kind, name, stage, desired }
    const looked = found[index]!
    if ('failed' in looked)
      return { ...row, accepted: undefined, enforced: 'not known', ok: false, problems: [looked.failed], warnings: [] }
    const { stand } = looked
    return {
      ...row,
      accepted: isAccepted({ ...stand, differences: [], leftOver: [] }, desired) ? desired : stand.revision,
      enforced: stand.enforced ?? 'not known',
      ...(stand.reported === undefined ? {} : { reported: stand.reported }),
      ok: isWell(stand, desired),
      problems: problemsOf(stand),
      warnings: stand.warnings,
    }
  })
}

/** Everything about a place that is not as it should be. */
export function problemsOf({ rejections, differences, leftOver, problems }: Stand): readonly string[] {
  return [...rejections, ...differences, ...leftOver, ...problems]
}

export type Looked = { readonly stand: Stand } | { readonly failed: string }

async function lookOnce(member: Member, { clock, timeout }: StatusParts): Promise<Looked> {
  const late = new AbortController()
  const within = new Promise<Looked>((resolve) => {
    late.signal.addEventListener('abort', () => resolve({ failed: `no answer within ${timeout / 1000} s` }))
  })
  const timer = clock.after(timeout, () => late.abort())
  try {
    return await Promise.race([within, lookAt(member, late.signal)])
  } finally {
    timer.cancel()
  }
}

async function lookAt(member: Member, signal: AbortSignal): Promise<Looked> {
  try {
    const place = await member.open(signal)
    try {
      return { stand: await place.look() }
    } finally {
      await place.close()
    }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

/** As many at the same time. */
export async function eachAtMost<T, R>(limit: number, all: readonly T[], work: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++
      results[index] = await work(all[index]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, all.length) }, worker))
  return results
}
