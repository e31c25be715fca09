/** Versions that give somebody more than the one in force, and wait until somebody releases them. */
import type { PolicyVersions } from '../audit/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Sources } from '../config/wiring.ts'
import { OstiaryError } from '../core/errors.ts'
import { Candidate, type CandidateLimits } from './candidate/candidate.ts'
import { packSources, type PackedSources } from './candidate/messages.ts'
import { unknownChange, type Change } from './compared.ts'
import type { Configuration } from './configuration.ts'

/** A version that waits. */
export interface Held {
  readonly version: string
  /** Read once: what is released is what was compared, whatever the folder holds by then. */
  readonly sources: PackedSources
  /** From the version that was in force when it came. */
  readonly change: Change
}

/** What a gateway begins with. */
export interface Beginning {
  readonly running: Configuration
  /** What the folder holds, where that waits. */
  readonly held?: Held | undefined
  /** What the version that runs changes, where it was compared to begin with. */
  readonly change?: Change | undefined
  /** The version that was in force last, where it is another and is still to be compared. */
  readonly previous?: { readonly version: string; readonly sources: PackedSources } | undefined
}

/** A change as records tell it. */
export function changeDetails(change: Change): Readonly<Record<string, string | number | boolean | readonly string[]>> {
  const { from, to, widens, gained, lost, different, notProven, cells, lines } = change
  return { from, to, widens, gained, lost, different, notProven, cells, changes: lines }
}

/** `3 cells gained, 1 not proven` */
export function changeInShort({ gained, lost, different, notProven }: Change): string {
  const counts = [
    [gained, gained === 1 ? 'cell gained' : 'cells gained'],
    [lost, 'lost'],
    [different, 'different'],
    [notProven, 'not proven'],
  ] as const
  const told = counts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]))
  return told.length === 0 ? 'no difference in access' : told.join(', ')
}

/**
 * What to run of what the folder holds and what was in force last: a restart is no way around a hold.
 * @throws OstiaryError `server/hold-unreadable` where what was in force last held what widens, and can't be compared with any more
 */
export async function beginWith(
  first: Configuration,
  versions: PolicyVersions,
  clock: Clock,
  limits: CandidateLimits,
  compiled: (sources: Sources) => Promise<Configuration>,
): Promise<Beginning> {
  const { policy, wiring, folder, sources } = first
  const begun = { running: first }
  if (policy === undefined || wiring === undefined) return begun
  const kept = versions.last()
  if (kept === undefined) {
    if (wiring.onWiden === 'hold' && versions.list().length > 0) throw unreadable('its file is not whole', versions)
    return begun
  }
  if (kept.version === policy.version) return begun
  const before = await compiled(kept.sources)
  // What has ended by now is no change of anybody's.
  if (before.policy?.version === policy.version) return begun
  const shared = packSources(kept.sources)
  if ((before.wiring ?? wiring).onWiden !== 'hold') return { ...begun, previous: { version: kept.version, sources: shared } }
  if (before.policy === undefined) throw unreadable(`it has ${before.diagnostics.length} findings now`, versions)
  const { version } = before.policy
  const packed = packSources(sources)
  const question = {
    folder,
    environment: undefined,
    sources: packed,
    now: clock.now(),
    running: version,
    before: shared,
    versions: versions.dir,
  }
  const change = await compared(new Candidate(question, clock, limits), version, policy.version)
  if (!change.widens) return { ...begun, change }
  return { running: before, held: { version: policy.version, sources: packed, change } }
}

async function compared(candidate: Candidate, from: string, to: string): Promise<Change> {
  try {
    const { kind } = await candidate.answer
    return kind === 'ready' ? await candidate.compare() : unknownChange(from, to, 'it could not be read again')
  } catch (error) {
    return unknownChange(from, to, error instanceof Error ? error.message : String(error))
  } finally {
    await candidate.end()
  }
}

function unreadable(cause: string, { dir }: PolicyVersions): OstiaryError {
  return new OstiaryError('server/hold-unreadable', { cause, dir })
}
