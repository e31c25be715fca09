/** What a verification found, and how it is told. */

export type Tampering = 'altered' | 'removed' | 'added' | 'reordered'

export interface Place {
  /** File in the folder of the record, or the anchor file. */
  readonly segment: string
  /** Line in that file, from 1. */
  readonly line: number
  /** Number of the record: of the one that should stand there. */
  readonly seq: number
}

/** The first thing that isn't as it was written. */
export interface Problem extends Place {
  readonly looksLike: Tampering
  readonly text: string
}

export interface Point {
  readonly seq: number
  readonly time: string
}

export interface AnchorResult {
  readonly file: string
  /** Checkpoints of this record in it that were compared or are beyond its end. */
  readonly checkpoints: number
  /** The last of them that agrees. */
  readonly upTo: Point | undefined
  readonly problem: string | undefined
}

export interface VerifyResult {
  readonly ok: boolean
  readonly problem: Problem | undefined
  /** Id of the record. */
  readonly log: string | undefined
  /** Lines that were checked and are whole. */
  readonly lines: number
  readonly segments: number
  readonly first: Point | undefined
  readonly last: Point | undefined
  readonly checkpoints: number
  /** Up to here a signature of the gateway vouches for every line. */
  readonly signed: Point | undefined
  /** Lines behind that: chained, but anybody who can write the files could have written them. */
  readonly unsigned: number
  readonly anchors: readonly AnchorResult[]
  /** Up to here nothing can have been cut off, by the word of an anchor; undefined without one. */
  readonly completeUpTo: Point | undefined
  /** It ends with the checkpoint of an orderly stop. */
  readonly closed: boolean
  readonly notes: readonly string[]
}

/** The result for people, some lines. */
export function renderResult(result: VerifyResult): string {
  const lines: string[] = []
  const { problem, first, last, signed, completeUpTo } = result
  if (problem === undefined && result.ok) {
    lines.push(`the record is whole: ${count(result.lines, 'line')} in ${count(result.segments, 'file')}, from ${at(first)} to ${at(last)}`)
  } else if (problem !== undefined) {
    lines.push(`the record is NOT whole: ${problem.text}`)
    lines.push(`  first at ${problem.segment}:${problem.line}, record ${problem.seq}; it looks ${problem.looksLike}`)
    lines.push(`  before it, ${count(result.lines, 'line')} are whole${last === undefined ? '' : `, up to ${at(last)}`}`)
  } else lines.push('the record can not be vouched for')
  for (const { file, problem: wrong } of result.anchors) if (wrong !== undefined) lines.push(`  anchor ${file}: ${wrong}`)
  lines.push(
    signed === undefined
      ? '  no signature of the gateway vouches for any of it'
      : `  signed up to ${at(signed)} (${count(result.checkpoints, 'checkpoint')})${result.unsigned > 0 && problem === undefined ? `; ${count(result.unsigned, 'line')} after that not signed yet` : ''}`,
  )
  if (completeUpTo !== undefined) {
    lines.push(
      `  complete up to ${at(completeUpTo)}, says the anchor; ${completeUpTo.seq >= (signed?.seq ?? 0) ? 'a later cut' : 'a cut after that'} can't be excluded`,
    )
  } else if (last !== undefined) lines.push(`  without an anchor: complete up to ${at(last)}, and a later cut can't be excluded`)
  for (const note of result.notes) lines.push(`  note: ${note}`)
  return lines.join('\n')
}

function at(point: Point | undefined): string {
  return point === undefined ? 'nowhere' : `record ${point.seq} of ${point.time.replace('T', ' ')}`
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`
}
