/** Which places of the sources a piece of work reaches, as V8 counts it. */
import { Session, type Profiler } from 'node:inspector'
import { addressOf } from './loader.ts'

const session = new Session()

/** Begins to count. */
export function watch(): void {
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
}

/** Places of each source that were reached since it was last asked. Types are stripped to blanks, so places are those of the text. */
export function reached(places: ReadonlyMap<string, readonly number[]>): ReadonlyMap<string, readonly number[]> {
  let scripts: readonly Profiler.ScriptCoverage[] = []
  session.post('Profiler.takePreciseCoverage', (error, taken) => {
    if (error !== null) throw error
    scripts = taken.result
  })
  const byUrl = new Map(scripts.map((script) => [script.url, script]))
  return new Map([...places].map(([file, all]) => [file, within(byUrl.get(addressOf(file)), all)]))
}

function within(script: Profiler.ScriptCoverage | undefined, places: readonly number[]): readonly number[] {
  if (script === undefined) return []
  const counted = script.functions.flatMap(({ ranges }) => ranges)
  // Ranges are nested: the innermost one counts.
  const sorted = counted.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  return places.filter((place) => {
    const inner = sorted.filter(({ startOffset, endOffset }) => startOffset <= place && place < endOffset)
    return inner.length > 0 && inner.reduce((a, b) => (b.endOffset - b.startOffset <= a.endOffset - a.startOffset ? b : a)).count > 0
  })
}
