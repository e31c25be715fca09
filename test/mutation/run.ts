/**
 * `npm run load -- mutants`: whether the corpus and the properties of the policy notice when one operator of its engine or its comparer is
 * another. A mutant that every test passes is a gap in the tests, or a line that does nothing.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EQUIVALENT, type Equivalent } from './equivalent/index.ts'
import { ROOT, sources, testFiles, type Part as PartOfPolicy } from './files.ts'
import type { Baseline, Part } from './messages.ts'
import { OPEN } from './open.ts'
import { table, type Tried } from './report.ts'
import { mutantsOf, type Mutant } from './syntax.ts'
import { Worker } from './worker-process.ts'

export interface Options {
  /** `sample`: one of each operator in each file; otherwise every n-th of all. */
  readonly each: number | 'sample'
  /** Only every so many-th of those. */
  readonly thin: number
  /** Only of sources whose path has one of these. */
  readonly files: readonly string[] | undefined
  /** Only the engine, or only the comparer. */
  readonly part: string | undefined
  /** Only tell what there is. */
  readonly list: boolean
  /** Runs of a property at most. */
  readonly runs: number
  readonly jobs: number
  /** Without the tests that take longest: for a first look, which tells of more survivors than there are. */
  readonly quick: boolean
  readonly say: (line: string) => void
}

interface Candidate extends Mutant {
  readonly part: PartOfPolicy
}

/** Tries the mutants and lists what became of them. Answers whether all were noticed. */
export async function runMutants(options: Options): Promise<boolean> {
  const { say } = options
  const all = sources().flatMap(({ file, part }) =>
    mutantsOf(file, readFileSync(join(ROOT, file), 'utf8')).map((mutant): Candidate => ({ ...mutant, part })),
  )
  const stale = checkEquivalent(all)
  for (const one of stale) say(one)
  if (stale.length > 0) return false
  const within = all.filter(
    ({ file, part }) => options.files?.some((name) => file.includes(name)) !== false && (options.part ?? part) === part,
  )
  const chosen = choose(within, options.each).filter((_, i) => i % options.thin === 0)
  if (options.list) for (const mutant of chosen) say(told(mutant))
  say(`${chosen.length} of ${within.length} mutants, ${within.filter(isEquivalent).length} of which nothing tells from what is written`)
  if (options.list) return true
  const baselines = await measure(chosen, options)
  const tried = await tryAll(chosen, baselines, options)
  say(table(tried))
  const wrong =
    options.each === 'sample' ? sampleProblems(tried, options) : tried.some(({ by }) => by === undefined) ? ['some survived'] : []
  for (const one of wrong) say(one)
  return wrong.length === 0
}

/** What is wrong with a sample: more survivors of a file than are known, an operator of which nothing is noticed. */
function sampleProblems(tried: readonly Tried[], { say, thin }: Options): readonly string[] {
  const survived = (some: readonly Tried[]): number => some.filter(({ by }) => by === undefined).length
  const files = [...Map.groupBy(tried, ({ file }) => file)].flatMap(([file, some]) => {
    const [now, known] = [survived(some), OPEN[file] ?? 0]
    if (now < known && thin === 1) say(`${file}: ${now} survived, fewer than the ${known} of open.ts: lower it`)
    return now > known ? [`${file}: ${now} survived, of which ${known} are known`] : []
  })
  const operators = [...Map.groupBy(tried, ({ part, kind }) => `${part} ${kind}`)].flatMap(([name, some]) =>
    survived(some) < some.length ? [] : [`no test notices any of ${name}`],
  )
  return [...files, ...operators]
}

function told({ file, line, kind, change, source }: Mutant): string {
  return `${file}:${line} ${kind} ${change}  in  ${source}`
}

function isEquivalent(mutant: Mutant): boolean {
  return EQUIVALENT[mutant.file]?.some((one) => isOf(one, mutant)) === true
}

function isOf({ line, after, change }: Equivalent, mutant: Mutant): boolean {
  return line === mutant.source && change === mutant.change && (after === undefined || after === mutant.after)
}

/** Entries that meet no mutant, or more than were looked at. */
function checkEquivalent(all: readonly Mutant[]): readonly string[] {
  return Object.entries(EQUIVALENT).flatMap(([file, entries]) =>
    entries.flatMap((entry) => {
      const met = all.filter((one) => one.file === file && isOf(entry, one)).length
      return met === (entry.lines ?? 1) ? [] : [`equivalent/: ${met} mutants of ${file} are ${entry.change} in ${entry.line}`]
    }),
  )
}

function choose(all: readonly Candidate[], each: Options['each']): readonly Candidate[] {
  if (each !== 'sample') return all.filter((mutant) => !isEquivalent(mutant)).filter((_, i) => i % each === 0)
  const groups = Map.groupBy(all, ({ file, kind }) => `${file} ${kind}`)
  // The one in the middle: any would do, and the first is often that of a check of types. Another only where nothing tells that one.
  return [...groups.values()].flatMap((group) => {
    const middle = group.length >> 1
    return [...group.slice(middle), ...group.slice(0, middle)].find((mutant) => !isEquivalent(mutant)) ?? []
  })
}

/** Every test without a mutant: how long it takes, and which mutants it reaches. */
async function measure(chosen: readonly Candidate[], { runs, quick, jobs, say }: Options): Promise<readonly Baseline[]> {
  const places = new Map([...Map.groupBy(chosen, ({ file }) => file)].map(([file, some]) => [file, some.map(({ start }) => start)]))
  const baselines: Baseline[] = []
  const files = testFiles()
  const some = Array.from({ length: jobs }, (_, job) => files.filter((_file, i) => i % jobs === job))
  await Promise.all(
    some.map(async (tests) => {
      const worker = new Worker()
      const ended = await worker.ask(
        { kind: 'baseline', tests, places, runs },
        () => 300_000,
        (answer) => {
          if (answer.kind === 'baseline') baselines.push(answer.baseline)
        },
      )
      await worker.end()
      if (ended.kind !== 'done') throw new Error(ended.kind === 'failed' ? ended.message : `the tests without any mutant: ${ended.kind}`)
    }),
  )
  const seconds = baselines.reduce((sum, { load, tests }) => sum + load + tests.reduce((all, { ms }) => all + ms, 0), 0) / 1000
  say(`${baselines.reduce((sum, { tests }) => sum + tests.length, 0)} tests take ${seconds.toFixed(0)} s without any mutant`)
  // What is left out reaches nothing.
  const without = ({ tests, reached, ...all }: Baseline): Baseline => ({
    ...all,
    tests: tests.filter(({ ms }) => ms < SLOW),
    reached: reached.map((one) => ({ ...one, byTest: one.byTest.filter((_, i) => tests[i]!.ms < SLOW) })),
  })
  return quick ? baselines.map(without) : baselines
}

async function tryAll(chosen: readonly Candidate[], baselines: readonly Baseline[], { jobs, say }: Options): Promise<readonly Tried[]> {
  const tried: Tried[] = []
  const kills = new Map<string, number>()
  const left = chosen.values()
  const work = async (): Promise<void> => {
    const worker = new Worker()
    for (const mutant of left) {
      const { by, why } = await tryOne(worker, mutant, baselines, kills)
      tried.push({ ...mutant, by })
      say(`${by === undefined ? 'SURVIVED' : 'killed  '} ${told(mutant)}${by === undefined ? why : `  by  ${by}`}`)
    }
    await worker.end()
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return tried
}

/** How much slower a test may be than without the mutant: others use the machine as well. */
const PATIENCE = 3
const LEAST_PATIENCE = 10_000

async function tryOne(
  worker: Worker,
  mutant: Candidate,
  baselines: readonly Baseline[],
  kills: Map<string, number>,
): Promise<{ readonly by: string | undefined; readonly why: string }> {
  const parts = reaching(mutant, baselines, kills)
  if (parts.length === 0) return { by: undefined, why: '  which no test reaches' }
  const times = new Map(
    baselines.flatMap(({ file, load, tests }) => [
      [`${file} `, load] as const,
      ...tests.map(({ name, ms }) => [`${file} ${name}`, ms] as const),
    ]),
  )
  let now = ''
  const ended = await worker.ask({ kind: 'mutant', file: mutant.file, text: mutant.text, parts }, ({ file, test }) => {
    now = `${file}${test === undefined ? '' : ` ${test}`}`
    return LEAST_PATIENCE + PATIENCE * (times.get(`${file} ${test ?? ''}`) ?? 0)
  })
  if (ended.kind === 'survived') return { by: undefined, why: '' }
  if (ended.kind === 'failed') throw new Error(ended.message)
  const key = `${mutant.file} ${ended.kind === 'killed' ? ended.file : now}`
  kills.set(key, (kills.get(key) ?? 0) + 1)
  return { by: ended.kind === 'ended' ? `${now}: ${ended.why}` : now, why: '' }
}

/** Milliseconds of a test that a first look is without. */
const SLOW = 1000

/** Tests are told apart by it: those that are quick come first, together by file, for importing one takes about as long. */
const QUICK = 300

/** The tests that reach a mutant: first those whose file noticed most of its file, for the time they take. */
function reaching(mutant: Candidate, baselines: readonly Baseline[], kills: ReadonlyMap<string, number>): readonly Part[] {
  return baselines
    .flatMap(({ file, load, tests, reached }): readonly (Part & { readonly cost: number })[] => {
      const of = reached.find((one) => one.file === mutant.file)!
      // What importing a file makes, any of its tests may look at.
      const all = of.load.includes(mutant.start)
      const some = tests.filter((_, i) => all || of.byTest[i]!.includes(mutant.start))
      const known = 1 + (kills.get(`${mutant.file} ${file}`) ?? 0)
      const part = (chosen: Baseline['tests']): Part & { readonly cost: number } => ({
        file,
        runs: new Map(chosen.map(({ name, runs }) => [name, runs])),
        cost: (load + chosen.reduce((sum, { ms }) => sum + ms, 0)) / known,
      })
      const quick = some.filter(({ ms }) => ms < QUICK)
      return [...(quick.length === 0 ? [] : [part(quick)]), ...some.filter(({ ms }) => ms >= QUICK).map((one) => part([one]))]
    })
    .toSorted((a, b) => a.cost - b.cost)
}
