/** Full load for a while: no request fails, and memory stays where it was. */
import { stage } from './bench.ts'
import { ostiary } from './candidates/ostiary.ts'
import { gate } from './gate.ts'
import { memoryOf } from './processes.ts'
import { seed } from './seed.ts'
import { wrk } from './slice.ts'
import { find, installCommand } from './tools.ts'
import type { RecordMode } from '../../src/core/record.ts'

/**
 * Growth from which on memory is not called flat. A heap that settles drifts by a few megabytes over a minute; something
 * kept for each request is at least a hundred bytes, and every further minute of soak makes the line straighter.
 */
const GROWTH_BYTES_PER_REQUEST = 200
/** Seconds of one piece; new cold tokens come with each. */
const PIECE = 5
/** Over a shorter soak than this many seconds a slope says nothing, and only errors count. */
const LONG_ENOUGH = 60
/** The first part of a soak fills caches and heaps: it is not counted. */
const WARM_UP = 0.5

interface Options {
  readonly seconds: number
  readonly mode: RecordMode
  readonly say: (line: string) => void
}

/** Memory, in bytes, after so many requests. */
interface Sample {
  readonly requests: number
  readonly memory: number
}

/** Slope of the least-squares line: bytes per request. */
function slope(samples: readonly Sample[]): number {
  const n = samples.length
  if (n < 2) return 0
  const meanRequests = samples.reduce((sum, { requests }) => sum + requests, 0) / n
  const meanMemory = samples.reduce((sum, { memory }) => sum + memory, 0) / n
  const above = samples.reduce((sum, { requests, memory }) => sum + (requests - meanRequests) * (memory - meanMemory), 0)
  const below = samples.reduce((sum, { requests }) => sum + (requests - meanRequests) ** 2, 0)
  return below === 0 ? 0 : above / below
}

const mebibytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0)

export async function soak({ seconds, mode, say }: Options): Promise<boolean> {
  const tool = find('wrk')
  if (tool === undefined) throw new Error(`wrk makes the load: ${installCommand('wrk')}`)
  const here = await stage()
  const candidate = ostiary(mode)
  try {
    const subject = await here.launch(candidate)
    try {
      const problems = await gate(candidate, subject.port, here.workload)
      if (problems.length > 0) throw new Error(problems.join('; '))
      await seed(subject.port, here.workload.warm)
      const samples: Sample[] = []
      let requests = 0
      let failed = 0
      const begin = Date.now()
      while (Date.now() - begin < seconds * 1000) {
        const left = Math.ceil(seconds - (Date.now() - begin) / 1000)
        const result = await wrk(
          { wrk: tool.path, port: subject.port, folder: here.folder, seconds: Math.max(1, Math.min(PIECE, left)) },
          here.workload.slice(),
        )
        requests += result.requests
        failed += result.failed
        const memory = memoryOf(subject.pid) * 1024 ** 2
        samples.push({ requests, memory })
        say(`${Math.round((Date.now() - begin) / 1000)} s: ${requests} requests, ${failed} failed, ${mebibytes(memory)} MiB`)
      }
      const counted = samples.slice(Math.floor(samples.length * WARM_UP))
      const growth = slope(counted)
      const flat = seconds < LONG_ENOUGH || growth <= GROWTH_BYTES_PER_REQUEST
      process.stdout.write(
        `soak, audit mode ${mode}: ${requests} requests in ${seconds} s, ${failed} failed; memory ${mebibytes(samples[0]?.memory ?? 0)} MiB at first, ` +
          `${mebibytes(counted[0]?.memory ?? 0)} at half time, ${mebibytes(counted.at(-1)?.memory ?? 0)} at the end ` +
          `(${growth.toFixed(0)} bytes per request${flat ? '' : `, more than ${GROWTH_BYTES_PER_REQUEST}`})\n`,
      )
      const after = await gate(candidate, subject.port, here.workload)
      for (const problem of after) say(`after the soak: ${problem}`)
      return failed === 0 && flat && after.length === 0
    } finally {
      await subject.running.stop()
    }
  } finally {
    await here.close()
  }
}
