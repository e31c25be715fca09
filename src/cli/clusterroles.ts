/** Roles and bindings, brought to clusters by the user's own kubectl; with those that somebody has activated for a time, until they are over. */
import { setTimeout as wait } from 'node:timers/promises'
import { DiagnosticsError, OstiaryError } from '../core/errors.ts'
import type { Wiring } from '../config/schema.ts'
import type { Stand } from '../server/places/place.ts'
import type { KubernetesTarget } from '../targets/kubernetes/schema.ts'
import type { ActiveRole } from '../targets/kubernetes/timed.ts'
import { counted, paint } from './output.ts'
import { alikeBy, isRefusedWhole, openTargets, reportCompiled, type OpenedTarget } from './targets.ts'

export interface BringOptions {
  readonly env?: string
  readonly target?: string
  readonly diff?: boolean
  readonly prune?: boolean
}

export interface Told extends Pick<Stand, 'differences' | 'leftOver' | 'warnings'> {
  readonly name: string
  readonly documents: number
  readonly applied: boolean
  readonly removed: readonly string[]
}

/** What is brought where. */
interface Brought {
  readonly wiring: Wiring
  readonly results: readonly OpenedTarget[]
  readonly folder: string
  /** Whether what was for a time is looked at. */
  readonly isTimed: boolean
}

/** @throws OstiaryError `target/in-azure`, `target/no-timed` and what `openTargets` throws; DiagnosticsError where nothing can be compiled */
async function opened(folder: string, options: BringOptions, isTimed: boolean, reports: boolean): Promise<Brought> {
  const { results, wiring } = await openTargets('kubernetes', folder, options)
  if (reports) reportCompiled(results, folder)
  if (results.some((one) => isRefusedWhole(one)))
    throw new DiagnosticsError(alikeBy(results, (one) => one.diagnostics).flatMap(([{ diagnostics }]) => diagnostics))
  // Before anything is brought anywhere.
  for (const { name, config } of results)
    if ((config as KubernetesTarget).azure !== undefined) throw new OstiaryError('target/in-azure', { name })
  if (isTimed) {
    const { noTimed } = await import('../targets/kubernetes/timed.ts')
    for (const { name, config } of results) {
      const why = noTimed(config as KubernetesTarget)
      if (why !== undefined) throw new OstiaryError('target/no-timed', { name, why })
    }
  }
  return { wiring, results, folder, isTimed }
}

async function bring(
  { wiring, results, folder, isTimed }: Brought,
  { diff = false, prune = false }: BringOptions,
  active: readonly ActiveRole[],
): Promise<readonly Told[]> {
  const [{ openKubernetes }, { timedBindings }, { systemClock: clock }] = await Promise.all([
    import('../server/places/kubernetes.ts'),
    import('../targets/kubernetes/timed.ts'),
    import('../core/clock.ts'),
  ])
  const told: Told[] = []
  for (const { name, config: any, documents, input } of results) {
    const config = any as KubernetesTarget
    const { model } = input.policy
    const all = [...documents, ...timedBindings(documents, active, { config, wiring, model, now: clock.now() })]
    const place = await openKubernetes({ place: name, target: input.name, config, documents: all, wiring, folder, clock })
    try {
      const removed = diff ? [] : await place.apply(isTimed && !prune ? 'timed' : prune)
      const { differences, leftOver, warnings } = await place.look()
      told.push({ name, documents: all.length, applied: !diff, removed, differences, leftOver, warnings })
    } finally {
      await place.close()
    }
  }
  return told
}

interface Surroundings {
  readonly output: { answer(human: string, value: unknown): void }
  /** What is active now; undefined where that is not looked at. */
  readonly active?: (() => Promise<readonly ActiveRole[]>) | undefined
}

/** Brings them to their clusters and looks at what is there. Answers 1 where anything is not as it should be. */
export async function brought(folder: string, options: BringOptions, { output, active }: Surroundings): Promise<number> {
  const what = await opened(folder, options, active !== undefined, true)
  const told = await bring(what, options, (await active?.()) ?? [])
  output.answer(told.map(render).join('\n'), told)
  return told.every(({ differences, leftOver, warnings }) => differences.length + leftOver.length + warnings.length === 0) ? 0 : 1
}

/** How often what is active is looked at, and how long after a gateway that does not answer it is asked once more. In milliseconds. */
export const PAUSES = { look: 10_000, again: 5_000 }

/**
 * Goes on with it until it is told to end, and then takes away all that was for a time: nobody else would. While the gateway can't be asked,
 * nothing is for a time; while the configuration can't be compiled, the last one that could counts.
 */
export async function keepBringing(
  folder: string,
  options: BringOptions,
  { output, active, signal, pauses = PAUSES }: Required<Surroundings> & { readonly signal: AbortSignal; readonly pauses?: typeof PAUSES },
): Promise<void> {
  let what = await opened(folder, options, true, true)
  let before = ''
  const once = async (now: readonly ActiveRole[]): Promise<void> => {
    const told = await bring(what, options, now)
    const text = told.map(render).join('\n')
    // What hasn't changed isn't said again.
    if (text !== before) output.answer(text, told)
    before = text
  }
  while (!signal.aborted) {
    const now = await asked(active!, pauses.again, signal)
    what = await opened(folder, options, true, false).catch((error: unknown) => (say(error), what))
    await once(now).catch(say)
    const ends = now.map(({ until }) => until - Date.now()).filter((left) => left > 0)
    await wait(Math.min(pauses.look, ...ends), undefined, { signal }).catch(() => undefined)
  }
  await once([])
}

async function asked(active: () => Promise<readonly ActiveRole[]>, again: number, signal: AbortSignal): Promise<readonly ActiveRole[]> {
  try {
    return await active()
  } catch {
    await wait(again, undefined, { signal }).catch(() => undefined)
    return active().catch((error: unknown) => {
      say(error)
      return []
    })
  }
}

function say(error: unknown): void {
  const all = error instanceof DiagnosticsError ? error.diagnostics.map(({ message }) => message) : [(error as Error).message]
  process.stderr.write(all.map((one) => `${one}\n`).join(''))
}

function render({ name, documents, applied, removed, differences, leftOver, warnings }: Told): string {
  const found = [...differences, ...leftOver, ...warnings]
  const wrong = found.length === 0 ? paint('green', 'as they should be') : paint('red', counted(found.length, 'difference'))
  return [
    `${name}: ${counted(documents, 'document')} ${applied ? 'applied, ' : ''}${wrong}`,
    ...removed.map((one) => `  ${one}: removed`),
    ...found.map((one) => `  ${one}`),
  ].join('\n')
}
