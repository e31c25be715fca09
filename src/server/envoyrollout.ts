/**
 * Which version of the policy each Envoy is to have: a new one goes from stage to stage. It knows nothing of what a version is: keys,
 * certificates and revocations are none of it, and go to everybody at once.
 */
import type { Clock } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import type { NodeStatus } from '../envoy/xds/status.ts'
import type { Given } from './envoykept.ts'

export interface EnvoyStage {
  readonly name: string
  /** Milliseconds for which its Envoys are to have accepted a version, without a rejection, before the next stage gets it. */
  readonly settle: number
  readonly nodes: readonly string[]
}

/** How far a version has come. */
export interface EnvoyRolloutStatus {
  readonly version: string
  readonly state: 'done' | 'going' | 'stopped'
  /** The last stage that has it; undefined for none. */
  readonly stage: string | undefined
  /** What it waits for, or why it stopped. */
  readonly why: string | undefined
  /** Envoys that are not handed out this version yet. */
  readonly heldBack: readonly string[]
}

export interface EnvoyRolloutParts {
  readonly clock: Clock
  /** At least one, each with an Envoy. */
  readonly stages: readonly EnvoyStage[]
  /** What each Envoy was given before; one that isn't in it gets nothing until its turn. */
  readonly given: Given
  /** Writes down what each is given, before it is. Throws where that can't be. */
  readonly keep: (given: Given) => void
  readonly stopped: (version: string, stage: string | undefined, why: string) => void
  readonly log: (line: string) => void
}

/** What was handed out to an Envoy. */
interface Handed {
  readonly version: string
  readonly snapshot: string
  /** When this version was handed out first, in milliseconds since the Unix epoch. */
  readonly since: number
}

export class EnvoyRollout {
  readonly #parts: EnvoyRolloutParts
  #given: Map<string, string>
  #target: string | undefined
  /** Index of the last stage that was given the target. */
  #at = -1
  #refused: ReadonlyMap<string, string> = new Map()
  /** Not waited for any more, because somebody said so. */
  readonly #excused = new Set<string>()
  readonly #handed = new Map<string, Handed>()
  /** Envoys that have accepted the target. */
  readonly #accepted = new Set<string>()
  #why: string | undefined
  #isStopped = false
  #settledSince: number | undefined

  constructor(parts: EnvoyRolloutParts) {
    this.#parts = parts
    this.#given = new Map(parts.given)
  }

  /** Undefined before there is one. */
  get target(): string | undefined {
    return this.#target
  }

  /** What an Envoy is to have; undefined for nothing new, and what it has stays. */
  versionOf(node: string): string | undefined {
    return this.#given.get(node)
  }

  /** Envoys that could not be handed out the target when it began, and why. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused
  }

  /** Every version that somebody is to have. */
  versions(): ReadonlySet<string> {
    return new Set(this.#given.values())
  }

  /**
   * Another version is in force: the first stage is to have it, and all others keep what they have.
   * @param refused Envoys that can't be handed it out, and why. With more than one stage, then nobody gets it.
   */
  begin(version: string, refused: ReadonlyMap<string, string>): void {
    const { stages } = this.#parts
    this.#target = version
    this.#refused = refused
    this.#excused.clear()
    this.#accepted.clear()
    this.#isStopped = false
    this.#why = undefined
    this.#settledSince = undefined
    const behind = stages.findIndex(({ nodes }) => nodes.some((node) => this.#given.get(node) !== version))
    this.#at = behind === -1 ? stages.length - 1 : behind - 1
    if (behind === -1) return void this.#keep(this.#given)
    const [first] = refused
    if (first !== undefined && stages.length > 1) return this.#stop(`Envoy ${first[0]} can not be handed it out: ${first[1]}`)
    if (this.#at === -1) this.#give(0)
  }

  /** An Envoy was handed out what it is to have. */
  handed(node: string, version: string, snapshot: string): void {
    const before = this.#handed.get(node)
    const since = before?.version === version ? before.since : this.#parts.clock.now()
    this.#handed.set(node, { version, snapshot, since })
  }

  /** Looks at what has become of it. @returns Whether an Envoy is to have something else now */
  look(statuses: () => readonly NodeStatus[]): boolean {
    const { stages, clock } = this.#parts
    if (this.#target === undefined || this.#isStopped || this.#isDone()) return false
    if (this.#at === -1) return this.#give(0)
    const byNode = new Map(statuses().map((one) => [one.node, one]))
    const waits: string[] = []
    for (const { name, nodes } of stages.slice(0, this.#at + 1)) {
      const counted = nodes.filter((node) => !this.#excused.has(node))
      const connected = counted.filter((node) => byNode.get(node)?.connectedSince !== undefined)
      for (const node of counted) {
        const status = byNode.get(node)
        const rejection = status === undefined ? undefined : this.#rejectionOf(status)
        if (rejection !== undefined) {
          this.#stop(`Envoy ${node} rejects it: ${rejection}`)
          return false
        }
        if (status !== undefined) this.#noteAccepted(status)
      }
      if (counted.length > 0 && connected.length === 0) waits.push(`no Envoy of stage ${name} is connected`)
      const late = connected.find((node) => !this.#accepted.has(node))
      if (late !== undefined) waits.push(`Envoy ${late} has not accepted it yet`)
    }
    this.#why = waits[0]
    if (waits.length > 0) {
      this.#settledSince = undefined
      return false
    }
    const { settle, name } = stages[this.#at]!
    const now = clock.monotonic()
    this.#settledSince ??= now
    if (now - this.#settledSince >= settle) return this.#give(this.#at + 1)
    this.#why = `stage ${name} settles for ${settle / 1000} s`
    return false
  }

  /**
   * The next stage is given it, whatever it waits or was stopped for.
   * @param everywhere Every stage at once
   * @throws OstiaryError `server/no-rollout` where none is under way
   */
  go(everywhere: boolean, statuses: readonly NodeStatus[]): void {
    const { stages } = this.#parts
    if (this.#target === undefined || this.#isDone()) throw new OstiaryError('server/no-rollout')
    const byNode = new Map(statuses.map((one) => [one.node, one]))
    // Who is well by now is looked at further on.
    for (const node of stages.slice(0, this.#at + 1).flatMap(({ nodes }) => nodes)) {
      const status = byNode.get(node)
      const isWell = status?.connectedSince !== undefined && this.#accepted.has(node) && this.#rejectionOf(status) === undefined
      if (!isWell) this.#excused.add(node)
    }
    for (const node of this.#refused.keys()) this.#excused.add(node)
    this.#isStopped = false
    if (everywhere) while (!this.#isDone() && this.#give(this.#at + 1));
    else this.#give(this.#at + 1)
  }

  status(): EnvoyRolloutStatus | undefined {
    const target = this.#target
    if (target === undefined) return undefined
    const { stages } = this.#parts
    return {
      version: target,
      state: this.#isStopped ? 'stopped' : this.#isDone() ? 'done' : 'going',
      stage: stages[this.#at]?.name,
      why: this.#isDone() && !this.#isStopped ? undefined : this.#why,
      heldBack: stages.flatMap(({ nodes }) => nodes.filter((node) => this.#given.get(node) !== target)),
    }
  }

  #isDone(): boolean {
    return this.#at === this.#parts.stages.length - 1
  }

  /** What isn't written down isn't given: after a restart nobody would know. */
  #give(index: number): boolean {
    const { stages, log } = this.#parts
    const { name, nodes } = stages[index]!
    const target = this.#target!
    const given = new Map(this.#given)
    for (const node of nodes) if (!this.#refused.has(node)) given.set(node, target)
    if (!this.#keep(given)) return false
    this.#given = given
    this.#at = index
    // Those that have it already, after it was taken back, need no turn.
    const has = (node: string): boolean => given.get(node) === target
    while (!this.#isDone() && stages[this.#at + 1]!.nodes.every(has)) this.#at++
    this.#settledSince = undefined
    this.#why = undefined
    if (stages.length > 1) log(`policy ${target.slice(0, 19)} goes to stage ${name}`)
    return true
  }

  #keep(given: Given): boolean {
    const { keep, log } = this.#parts
    try {
      keep(given)
      return true
    } catch (error) {
      const why = `which version each Envoy has can not be written down: ${error instanceof Error ? error.message : String(error)}`
      if (this.#why !== why) log(why)
      this.#why = why
      return false
    }
  }

  #stop(why: string): void {
    this.#isStopped = true
    this.#settledSince = undefined
    this.#why = why
    this.#parts.stopped(this.#target!, this.#parts.stages[this.#at]?.name, why)
  }

  #rejectionOf({ node, kinds }: NodeStatus): string | undefined {
    const handed = this.#handed.get(node)
    if (handed === undefined || handed.version !== this.#target) return undefined
    return Object.values(kinds).find(({ rejection }) => rejection !== undefined && rejection.at >= handed.since)?.rejection?.message
  }

  #noteAccepted({ node, acknowledged }: NodeStatus): void {
    const handed = this.#handed.get(node)
    if (handed !== undefined && handed.version === this.#target && handed.snapshot === acknowledged) this.#accepted.add(node)
  }
}
