/** The process that runs tests against mutants, one after another, until it is told to end or never ends what it does. */
import { setImmediate } from 'node:timers/promises'
import { TOO_BIG } from './files.ts'
import { listed, type Case } from './harness.ts'
import { addressOf, begin } from './loader.ts'
import type { Answer, Baseline, Part, Request } from './messages.ts'
import { boundRuns } from './properties.ts'
import { reached, watch } from './reach.ts'

const answer = (message: Answer): void => void process.send!(message)

async function casesOf(file: string): Promise<readonly Case[]> {
  listed()
  await import(addressOf(file))
  return listed().filter(({ name }) => !TOO_BIG.test(name))
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

type Places = Extract<Request, { kind: 'baseline' }>['places']

async function baselineOf(file: string, places: Places, runs: number): Promise<Baseline> {
  begin(undefined)
  boundRuns(runs)
  let cases: readonly Case[] = []
  reached(places)
  const load = await timed(async () => (cases = await casesOf(file)))
  const byLoad = reached(places)
  const tests: Baseline['tests'][number][] = []
  const byTest: ReadonlyMap<string, readonly number[]>[] = []
  for (const { name, run } of cases) {
    const [ms, enough] = await fewest(run, runs)
    tests.push({ name, ms, runs: enough })
    byTest.push(reached(places))
  }
  const all = [...places.keys()].map((source) => ({
    file: source,
    load: byLoad.get(source)!,
    byTest: byTest.map((one) => one.get(source)!),
  }))
  return { file, load, tests, reached: all }
}

/** How long a test takes, and with how many runs of its properties: more of them, where it asks for what few can't show. */
async function fewest(run: () => unknown, runs: number): Promise<readonly [number, number]> {
  for (const some of [runs, 3 * runs, 9 * runs]) {
    boundRuns(some)
    try {
      return [await timed(run), some]
    } catch {
      // Said by the last try.
    }
  }
  boundRuns(Number.POSITIVE_INFINITY)
  return [await timed(run), Number.POSITIVE_INFINITY]
}

async function tryMutant(file: string, text: string, parts: readonly Part[]): Promise<Answer> {
  begin({ file, text })
  const casesByFile = new Map<string, readonly Case[]>()
  for (const part of parts) {
    let now: string | undefined
    try {
      answer({ kind: 'begun', file: part.file, test: undefined })
      const cases = casesByFile.get(part.file) ?? (await casesOf(part.file))
      casesByFile.set(part.file, cases)
      const chosen = cases.filter(({ name }) => part.runs.has(name))
      if (chosen.length < part.runs.size) throw new Error('a test is gone')
      for (const { name, run } of chosen) {
        now = name
        answer({ kind: 'begun', file: part.file, test: name })
        boundRuns(part.runs.get(name)!)
        await run()
      }
    } catch (error) {
      return { kind: 'killed', file: part.file, test: now, message: error instanceof Error ? error.message : String(error) }
    }
  }
  return { kind: 'survived' }
}

async function carryOut(request: Request): Promise<void> {
  if (request.kind === 'mutant') return answer(await tryMutant(request.file, request.text, request.parts))
  watch()
  for (const file of request.tests) {
    answer({ kind: 'begun', file, test: undefined })
    try {
      answer({ kind: 'baseline', baseline: await baselineOf(file, request.places, request.runs) })
    } catch (error) {
      return answer({ kind: 'failed', message: `${file} fails without any mutant: ${(error as Error).message}` })
    }
  }
  answer({ kind: 'done' })
}

// What a mutant leaves behind is none of the next one's.
process.on('unhandledRejection', () => {})
process.on('message', (request: Request) => void setImmediate().then(() => carryOut(request)))
