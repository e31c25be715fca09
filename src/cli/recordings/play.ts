/** Plays a recording as it happened. */
import type { ReadLine } from '../../audit/recordings/files.ts'
import { Neutral, visible } from './neutral.ts'

export interface PlayOptions {
  /** How many times as fast as it was. */
  readonly speed: number
  /** Pauses longer than this many seconds are cut to it. */
  readonly idleLimit: number
  /** `terminal`: what draws; `raw`: byte by byte as recorded; `text`: nothing is interpreted. */
  readonly as: 'terminal' | 'raw' | 'text'
  readonly write: (text: string) => void
  /** Resolves after so many milliseconds, or when the player is to stop. */
  readonly wait: (milliseconds: number) => Promise<void>
  readonly stopped: () => boolean
}

/** What the recording said of its end. */
export interface Played {
  readonly seconds: number
  readonly exit: number | undefined
  /** A line of it isn't whole. */
  readonly torn: boolean
}

/** @throws OstiaryError `recordings/unreadable` */
export async function play(lines: AsyncIterable<ReadLine>, { speed, idleLimit, as, write, wait, stopped }: PlayOptions): Promise<Played> {
  const neutral = new Neutral()
  let [seconds, exit, torn] = [0, undefined as number | undefined, false]
  let shown = 0
  for await (const line of lines) {
    if (stopped()) break
    if (line.kind === 'torn') torn = true
    if (line.kind !== 'event') continue
    seconds = Math.max(seconds, line.at)
    if (line.code === 'x' && /^\d{1,3}$/.test(line.text)) exit = Number(line.text)
    if (line.code !== 'o') continue
    const pause = Math.min(line.at - shown, idleLimit) / speed
    shown = Math.max(shown, line.at)
    if (pause > 0) await wait(pause * 1000)
    if (stopped()) break
    write(as === 'raw' ? line.text : as === 'text' ? visible(line.text) : neutral.pass(line.text))
  }
  if (as === 'terminal') write(neutral.end())
  return { seconds, exit, torn }
}
