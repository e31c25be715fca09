import type { Span } from '../../core/span.ts'

/** In what a client counts characters within a line. */
export type Encoding = 'utf-16' | 'utf-8' | 'utf-32'

/** A place as LSP has it: both from 0, `character` in units of the encoding that was agreed on. */
export interface Position {
  readonly line: number
  readonly character: number
}

export interface Range {
  readonly start: Position
  readonly end: Position
}

/** A text with the beginnings of its lines. LSP ends a line with `\n`, `\r\n` or `\r`; spans count `\n` only. */
export class Lines {
  readonly text: string
  readonly #starts: readonly number[]
  readonly #feeds: readonly number[]
  readonly #encoding: Encoding

  constructor(text: string, encoding: Encoding) {
    this.text = text
    this.#encoding = encoding
    const starts = [0]
    const feeds = [0]
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === 10) feeds.push(at + 1)
      if (code === 10 || (code === 13 && text.charCodeAt(at + 1) !== 10)) starts.push(at + 1)
    }
    this.#starts = starts
    this.#feeds = feeds.length === starts.length ? starts : feeds
  }

  /** Places beyond the end of a line or of the text are taken for that end. */
  offsetAt({ line, character }: Position): number {
    if (line >= this.#starts.length) return this.text.length
    const start = this.#starts[line]!
    const end = this.#endOf(line)
    if (this.#encoding === 'utf-16') return Math.min(start + character, end)
    let [at, units] = [start, 0]
    while (at < end && units < character) {
      const code = this.text.codePointAt(at)!
      units += this.#unitsOf(code)
      at += code > 0xffff ? 2 : 1
    }
    return at
  }

  positionAt(offset: number): Position {
    const at = Math.max(0, Math.min(offset, this.text.length))
    const line = lastAtMost(this.#starts, at)
    const start = this.#starts[line]!
    if (this.#encoding === 'utf-16') return { line, character: at - start }
    let units = 0
    for (const char of this.text.slice(start, at)) units += this.#unitsOf(char.codePointAt(0)!)
    return { line, character: units }
  }

  rangeOf(from: number, to: number): Range {
    return { start: this.positionAt(from), end: this.positionAt(to) }
  }

  /** First and last offset of a span of this text. */
  extentOf({ line, column, endLine, endColumn }: Span): readonly [from: number, to: number] {
    const at = (lines: number, columns: number): number =>
      Math.min(this.text.length, (this.#feeds[lines - 1] ?? this.text.length) + columns - 1)
    const from = at(line, column)
    return [from, Math.max(from, at(endLine, endColumn))]
  }

  rangeOfSpan(span: Span): Range {
    return this.rangeOf(...this.extentOf(span))
  }

  /** From the beginning of the line to the offset. */
  before(offset: number): string {
    return this.text.slice(this.#starts[lastAtMost(this.#starts, offset)], offset)
  }

  #endOf(line: number): number {
    let end = this.#starts[line + 1] ?? this.text.length
    while (end > this.#starts[line]! && (this.text[end - 1] === '\n' || this.text[end - 1] === '\r')) end--
    return end
  }

  #unitsOf(code: number): number {
    if (this.#encoding === 'utf-32') return 1
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4
  }
}

function lastAtMost(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (sorted[middle]! <= value) low = middle
    else high = middle - 1
  }
  return low
}
