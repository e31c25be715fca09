/** Full load for a while: no request fails, and memory stays where it was. */
import { stage } from './bench.ts'
import { ostiary } from './candidates/ostiary.ts'
import { gate } from './gate.ts'
import { memoryOf } from './processes.ts'
import { seed } from './seed.ts'
import { wrk } from './slice.ts'
import { find, installCommand } from './tools.ts'
import type { RecordMode } from '../../src/core/record.ts'

/** Growth from which on memory is not called flat. A leak per request is far above it. */
const GROWTH_PER_MINUTE_MIB = 8
/** Seconds of one piece; new cold tokens come with each. */
const PIECE = 5
/** Over a shorter soak than this many seconds a slope says nothing, and only errors count. */
const LONG_ENOUGH = 60
/** The first part of a soak fills caches and heaps: it is not counted. */
const WARM_UP = 0.4

interface Options {
  readonly seconds: number
  readonly mode: RecordMode
  readonly say: (line: string) => void
}

export interface Sample {
  /** Seconds since the start. */
  readonly time: number
  readonly memory: number
}

/** Slope of the least-squares line, MiB per minute. */
export function slope(samples: readonly Sample[]): number {
  const n = samples.length
  if (n < 2) return 0
  const meanTime = samples.reduce((sum, { time }) => sum + time, 0) / n
  const meanMemory = samples.reduce((sum, { memory }) => sum + memory, 0) / n
  const above = samples.reduce((sum, { time, memory }) => sum + (time - meanTime) * (memory - meanMemory), 0)
  const below = samples.reduce((sum, { time }) => sum + (time - meanTime) ** 2, 0)
  return below === 0 ? 0 : (above / below) * 60
}

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
        samples.push({ time: (Date.now() - begin) / 1000, memory: memoryOf(subject.pid) })
        say(`${samples.at(-1)!.time.toFixed(0)} s: ${requests} requests, ${failed} failed, ${samples.at(-1)!.memory.toFixed(0)} MiB`)
      }
      const counted = samples.slice(Math.floor(samples.length * WARM_UP))
      const growth = slope(counted)
      const flat = seconds < LONG_ENOUGH || growth <= GROWTH_PER_MINUTE_MIB
      process.stdout.write(
        `soak, audit mode ${mode}: ${requests} requests, ${failed} failed, memory ${counted.at(0)?.memory.toFixed(0)} → ${counted.at(-1)?.memory.toFixed(0)} MiB ` +
          `(${growth.toFixed(1)} MiB per minute${flat ? '' : `, more than ${GROWTH_PER_MINUTE_MIB}`})\n`,
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
