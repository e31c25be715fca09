/** CPU of one small piece of work, in slices; next to a reference where there is one, so that a machine that drifts drifts for both. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { median } from '../pairs.ts'

/** A piece of work that is measured. */
export interface Work {
  /** Makes the inputs of a slice; what is answered does the work once for each, and says how often the answer was wrong. */
  readonly prepare: (times: number) => () => number
}

/**
 * Work on inputs that are made beforehand: what a caller sends isn't the gateway's cost. @param run Does it once; false if the answer is
 * wrong, which fails the bench: a wrong answer is not fast.
 */
export function work<T>(inputs: (count: number) => readonly T[], run: (input: T) => boolean): Work {
  return {
    prepare(times) {
      const all = inputs(times)
      return () => {
        let wrong = 0
        for (const input of all) if (!run(input)) wrong++
        return wrong
      }
    },
  }
}

/** Work with what it is called and what it may cost at most. */
export interface Subject {
  readonly name: string
  /** The same work without the gateway: its share of the cost can't be saved. */
  readonly reference?: Work | undefined
  readonly candidate: Work
  /** How often it is done in a slice. */
  readonly times: number
  /**
   * Whether each slice is done once before it is timed, which what costs the same each time can be: collecting garbage takes everything out of
   * the caches, and threads of the collector are at it for a while after. Nobody collects all of a heap every few milliseconds.
   */
  readonly settled?: boolean
  /** Times the reference's CPU. */
  readonly within?: number
  /** Microseconds of CPU. */
  readonly under?: number
}

export interface Measured {
  readonly subject: Subject
  /** Microseconds of CPU of the candidate, and of the reference, one per slice. */
  readonly micros: readonly number[]
  readonly references: readonly number[]
  /** Candidate in terms of the reference around it, one per slice. */
  readonly ratios: readonly number[]
}

export interface Plan {
  readonly slices: number
  /** Slices before the first that counts: hot code is compiled by then. */
  readonly warm: number
}

/** Garbage of what was before is nobody's cost here. Off by default in Node, and not worth a flag of every command line. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

const collect = collector()

/** Microseconds of CPU, user and system, that the work takes once. @throws Error where an answer is wrong */
function slice(work: Work, { times, settled = false }: Pick<Subject, 'times' | 'settled'>): number {
  const run = work.prepare(times)
  collect()
  if (settled) run()
  const before = process.threadCpuUsage()
  const wrong = run()
  const { user, system } = process.threadCpuUsage(before)
  if (wrong > 0) throw new Error(`${wrong} of ${times} answers are wrong`)
  return (user + system) / times
}

/** Measures one subject: reference, candidate, reference, as often as the plan says. */
export function measure(subject: Subject, { slices, warm }: Plan): Measured {
  const { reference, candidate } = subject
  for (let i = 0; i < warm; i++) {
    if (reference !== undefined) slice(reference, subject)
    slice(candidate, subject)
  }
  const [micros, references, ratios]: [number[], number[], number[]] = [[], [], []]
  for (let i = 0; i < slices; i++) {
    const before = reference === undefined ? undefined : slice(reference, subject)
    const between = slice(candidate, subject)
    micros.push(between)
    if (reference === undefined || before === undefined) continue
    const around = (before + slice(reference, subject)) / 2
    references.push(around)
    ratios.push(between / around)
  }
  return { subject, micros, references, ratios }
}

/** Whether it is as cheap as it has to be: by the median, since a single slice may have met others' work. */
export function holds({ subject, micros, ratios }: Measured): boolean {
  if (subject.within !== undefined && !(median(ratios) <= subject.within)) return false
  return subject.under === undefined || median(micros) < subject.under
}
