/**
 * Brings a version to places stage by stage. Nothing is kept of how far it came: what is finished is seen by what is there, so that going on
 * is doing it again.
 */
import type { Clock } from '../../core/clock.ts'
import { pause } from '../../secrets/request.ts'
import { isAccepted, isWell, type Place, type Stand } from './place.ts'
import { eachAtMost, problemsOf, type Looked, type Member } from './status.ts'

export interface RolloutStage {
  readonly name: string
  /** Milliseconds for which everything is to be well before the next stage begins. */
  readonly settle: number
  readonly members: readonly Member[]
}

export interface RolloutParts {
  readonly clock: Clock
  /** Ends it between two documents, or while it waits. */
  readonly signal: AbortSignal
  /** Whether what is left over is removed. */
  readonly prunes: boolean
  /** Whether anything is changed at all. */
  readonly applies: boolean
  /** How long what was applied may take to be enforced, in milliseconds. */
  readonly patience: number
  /** How many places are looked at at the same time. */
  readonly atOnce: number
  /** One line of what is being done. */
  readonly tell: (line: string) => void
}

export interface PlaceReport {
  readonly name: string
  readonly kind: string
  /** `nothing`: it was as it should be. `waited`: another brings it there. */
  did: 'nothing' | 'applied' | 'waited' | 'failed' | 'not-reached'
  removed: readonly string[]
  problems: readonly string[]
  warnings: readonly string[]
}

export interface RolloutReport {
  readonly finished: boolean
  readonly stages: readonly { readonly name: string; readonly places: readonly PlaceReport[] }[]
  /** Where it stopped, and why. */
  readonly stopped: { readonly stage: string; readonly place: string | undefined; readonly why: readonly string[] } | undefined
}

class Stop extends Error {
  readonly stage: string
  readonly place: string | undefined
  readonly why: readonly string[]

  constructor(stage: string, place: string | undefined, why: readonly string[]) {
    super(why.join('; '))
    this.stage = stage
    this.place = place
    this.why = why
  }
}

/** A member on its way. */
interface Going {
  readonly member: Member
  readonly place: Place | { readonly failed: string }
  readonly report: PlaceReport
  readonly stage: RolloutStage
  /** What its proxies had rejected before. */
  rejected: Readonly<Record<string, number>>
}

/** How often all is looked at while a stage settles: a tenth of that time, within these. */
const LOOK_MS = { least: 1000, most: 15_000 }
/** And while proxies take what was applied. */
const WAIT_MS = 2000

/** Never rejects for what a place says or does: that is in the report. */
export async function rollOut(stages: readonly RolloutStage[], parts: RolloutParts): Promise<RolloutReport> {
  const run = new Run(stages, parts)
  return run.whole()
}

class Run {
  readonly #stages: readonly RolloutStage[]
  readonly #parts: RolloutParts
  #going: readonly Going[] = []

  constructor(stages: readonly RolloutStage[], parts: RolloutParts) {
    this.#stages = stages
    this.#parts = parts
  }

  async whole(): Promise<RolloutReport> {
    const reports: RolloutReport['stages'] = this.#stages.map(({ name, members }) => ({
      name,
      places: members.map((one) => ({ name: one.name, kind: one.kind, did: 'not-reached', removed: [], problems: [], warnings: [] })),
    }))
    let stopped: RolloutReport['stopped']
    try {
      this.#going = await this.#opened(reports)
      await this.#run()
    } catch (error) {
      if (!(error instanceof Stop)) throw error
      stopped = { stage: error.stage, place: error.place, why: error.why }
    } finally {
      for (const { place } of this.#going) if (!('failed' in place)) await place.close().catch(() => undefined)
    }
    return { finished: stopped === undefined, stages: reports, stopped }
  }

  async #opened(reports: RolloutReport['stages']): Promise<readonly Going[]> {
    const going: Going[] = []
    for (const [index, stage] of this.#stages.entries())
      for (const [at, member] of stage.members.entries()) {
        let place: Going['place']
        try {
          // Whatever is being written when it is to end, is written.
          place = await member.open(new AbortController().signal)
        } catch (error) {
          place = { failed: textOf(error) }
        }
        going.push({ member, place, stage, report: reports[index]!.places[at]!, rejected: {} })
      }
    return going
  }

  async #run(): Promise<void> {
    const { applies, prunes, tell } = this.#parts
    const first = await this.#lookAt(this.#going)
    this.#refuse(first)
    let owed = 0
    let isChanged = false
    for (const [index, stage] of this.#stages.entries()) {
      const here = this.#going.filter((one) => one.stage === stage)
      if (here.every((one) => isFine(one, first.get(one)!))) {
        for (const one of here) one.report.did = 'nothing'
        if (here.length > 0) tell(`${stage.name}: as it should be`)
        owed = Math.max(owed, stage.settle)
        continue
      }
      if (!applies) {
        for (const one of here) this.#mustBeFine(one, first.get(one)!)
        continue
      }
      const before = this.#going.filter((one) => this.#stages.indexOf(one.stage) < index)
      await this.#settle(before, owed, stage)
      const now = await this.#lookAt(here)
      this.#refuse(now)
      for (const one of here) {
        this.#mayGoOn(stage)
        await this.#bring(one, now.get(one)!, prunes)
      }
      isChanged = true
      await this.#enforced(here, before)
      tell(`${stage.name}: as it should be`)
      owed = stage.settle
    }
    // What was well at first may not be any more.
    if (isChanged) for (const [one, looked] of await this.#lookAt(this.#going)) this.#mustBeFine(one, looked)
  }

  /** What could not be brought, or could never come to be well, is told before anything is changed. */
  #refuse(first: ReadonlyMap<Going, Looked>): void {
    const { applies, prunes } = this.#parts
    for (const [one, looked] of first) {
      const { place, member, report } = one
      if ('failed' in place) throw this.#failed(one, [place.failed])
      if ('failed' in looked) continue
      const { stand } = looked
      one.rejected = stand.rejected
      report.warnings = stand.warnings
      if (!applies) continue
      if (!prunes && stand.leftOver.length > 0)
        throw this.#failed(one, [...stand.leftOver, 'nothing was changed there: go on with `--prune`, or remove it by hand'])
      if (place.apply === undefined && member.kind !== 'envoy' && !isAccepted(stand, member.desired))
        throw this.#failed(one, [
          ...problemsOf(stand),
          'it takes no documents from here, so they have to be brought there in another way first',
        ])
    }
  }

  async #bring(one: Going, looked: Looked, prunes: boolean): Promise<void> {
    const { place, member, report, stage } = one
    if ('failed' in place) throw this.#failed(one, [place.failed])
    if ('failed' in looked) throw this.#failed(one, [looked.failed])
    if (isAccepted(looked.stand, member.desired)) return void (report.did = 'nothing')
    if (place.apply === undefined) return void (report.did = 'waited')
    this.#parts.tell(`${stage.name}: ${member.name}: applying`)
    report.did = 'applied'
    try {
      report.removed = await place.apply(prunes)
    } catch (error) {
      throw this.#failed(one, [textOf(error)])
    }
  }

  /** Waits until everything here is enforced, as far as anybody tells, while all before it stays as it should be. */
  async #enforced(here: readonly Going[], before: readonly Going[]): Promise<void> {
    const { clock, patience } = this.#parts
    const until = clock.monotonic() + patience
    for (;;) {
      this.#mayGoOn(here[0]!.stage)
      const looked = await this.#lookAt([...before, ...here])
      for (const one of before) this.#mustBeFine(one, looked.get(one)!)
      const waiting = here.filter((one) => !isFine(one, looked.get(one)!))
      if (waiting.length === 0) return
      for (const one of waiting) {
        const found = looked.get(one)!
        if ('failed' in found) throw this.#failed(one, [found.failed])
        const wrong = [
          ...rejectionsOf(one, found.stand),
          ...(one.report.did === 'waited' ? [] : [...found.stand.differences, ...found.stand.leftOver]),
        ]
        if (wrong.length > 0) throw this.#failed(one, wrong)
      }
      const [late] = waiting
      if (clock.monotonic() >= until) this.#mustBeFine(late!, looked.get(late!)!, `not within ${patience / 1000} s`)
      await this.#pause(WAIT_MS)
    }
  }

  /** Everything before a stage is as it should be, for as long as that takes. */
  async #settle(before: readonly Going[], settle: number, next: RolloutStage): Promise<void> {
    if (before.length === 0) return
    const { clock, tell } = this.#parts
    const until = clock.monotonic() + settle
    if (settle > 0) tell(`${next.name}: begins when all before it has been as it should be for ${settle / 1000} s`)
    for (;;) {
      this.#mayGoOn(next)
      for (const [one, looked] of await this.#lookAt(before)) this.#mustBeFine(one, looked)
      const left = until - clock.monotonic()
      if (left <= 0) return
      await this.#pause(Math.min(left, Math.max(LOOK_MS.least, Math.min(LOOK_MS.most, settle / 10))))
    }
  }

  async #lookAt(all: readonly Going[]): Promise<ReadonlyMap<Going, Looked>> {
    const found = await eachAtMost(this.#parts.atOnce, all, async ({ place }): Promise<Looked> => {
      if ('failed' in place) return place
      try {
        return { stand: await place.look() }
      } catch (error) {
        return { failed: textOf(error) }
      }
    })
    return new Map(all.map((one, index) => [one, found[index]!]))
  }

  #mustBeFine(one: Going, looked: Looked, why?: string): void {
    if (isFine(one, looked)) return
    const { member } = one
    if ('failed' in looked) throw this.#failed(one, [looked.failed])
    const { stand } = looked
    const found = [...rejectionsOf(one, stand), ...problemsOf(stand)]
    const revision = isAccepted({ ...stand, differences: [], leftOver: [] }, member.desired)
      ? []
      : [
          `it keeps ${stand.revision === undefined ? 'no one revision' : `revision ${stand.revision.slice(0, 12)}`}, and should keep ${member.desired.slice(0, 12)}`,
        ]
    throw this.#failed(one, [...(why === undefined ? [] : [why]), ...found, ...(found.length === 0 ? revision : [])])
  }

  #failed(one: Going, why: readonly string[]): Stop {
    const { report, stage, member } = one
    report.problems = why
    if (report.did !== 'not-reached') report.did = 'failed'
    return new Stop(stage.name, member.name, why)
  }

  #mayGoOn(stage: RolloutStage): void {
    if (this.#parts.signal.aborted) throw new Stop(stage.name, undefined, ['it was stopped by hand'])
  }

  async #pause(ms: number): Promise<void> {
    const { clock, signal } = this.#parts
    if (signal.aborted) return
    let ended = (): void => undefined
    const aborted = new Promise<void>((resolve) => {
      ended = resolve
      signal.addEventListener('abort', ended, { once: true })
    })
    await Promise.race([pause(clock, ms), aborted])
    signal.removeEventListener('abort', ended)
  }
}

function isFine(one: Going, looked: Looked): boolean {
  return 'stand' in looked && isWell(looked.stand, one.member.desired) && rejectionsOf(one, looked.stand).length === 0
}

/** What was rejected since it began. A proxy that connects again begins to count anew. */
function rejectionsOf({ rejected: before }: Going, { rejections, rejected }: Stand): readonly string[] {
  const more = Object.entries(rejected).filter(([proxy, count]) => count > (before[proxy] ?? 0))
  return [
    ...rejections,
    ...more.map(([proxy]) => `the Envoy of ${proxy} has rejected a configuration, and keeps what it had: its log says why`),
  ]
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
