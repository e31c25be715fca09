import type { SourceFile } from '../config/wiring.ts'
import type { Span } from '../core/span.ts'

/**
 * The place in its file of characters `from` to `to` of a scalar's value. The scalar may be plain, quoted, or a block
 * whose lines are indented: value and source are walked side by side, skipping in the source what the value hasn't.
 */
export function placeWithin(file: SourceFile, scalar: Span, value: string, from: number, to: number): Span {
  const { text } = file
  const end = offsetOf(text, scalar.endLine, scalar.endColumn)
  let at = offsetOf(text, scalar.line, scalar.column)
  // The header of a block (`|-`, `>2`) is no part of the value.
  if (text[at] === '|' || text[at] === '>') at = Math.min(end, text.indexOf('\n', at) === -1 ? end : text.indexOf('\n', at) + 1)
  let start = at
  for (let i = 0; i < Math.min(to, value.length) && at < end; i++) {
    const wanted = value[i]!
    if (wanted === ' ' || wanted === '\n') {
      // A folded line break is one space in the value and any run of white space in the source.
      while (at < end && !/\s/.test(text[at]!)) at++
      if (i === from) start = at
      const run = /^\s*/.exec(text.slice(at, end))![0].length
      at += /\s/.test(value[i + 1] ?? '') ? 1 : run
      continue
    }
    while (at < end && text[at] !== wanted) at++
    if (i === from) start = at
    at++
  }
  if (from >= value.length) start = at
  return { file: file.path, ...startOf(text, start), ...endOf(text, Math.max(at, start)) }
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0
  for (let i = 1; i < line; i++) {
    const next = text.indexOf('\n', start)
    if (next === -1) return text.length
    start = next + 1
  }
  return Math.min(text.length, start + column - 1)
}

function positionOf(text: string, offset: number): { line: number; column: number } {
  let line = 1
  let start = 0
  for (let next = text.indexOf('\n'); next !== -1 && next < offset; next = text.indexOf('\n', start)) {
    line++
    start = next + 1
  }
  return { line, column: offset - start + 1 }
}

function startOf(text: string, offset: number): { line: number; column: number } {
  return positionOf(text, offset)
}

function endOf(text: string, offset: number): { endLine: number; endColumn: number } {
  const { line, column } = positionOf(text, offset)
  return { endLine: line, endColumn: column }
}
