import { fileURLToPath } from 'node:url'
import { MAX_TEXT } from '../../config/document.ts'
import { Lines, type Encoding, type Range } from './lines.ts'

/** Characters that the changes of one message may move at most. */
const MAX_WORK = 200_000_000

/** A buffer of the editor. */
export interface OpenDocument {
  readonly uri: string
  /** Absolute. */
  readonly path: string
  readonly version: number
  /** Undefined where it isn't known any more: then the file counts, until the whole text comes again. */
  readonly lines: Lines | undefined
  /** Only its beginning is kept, which is too much already. */
  readonly cut: boolean
}

export interface Change {
  /** Undefined where the text is the whole. */
  readonly range?: Range | undefined
  readonly text: string
}

/** The buffers that are open, kept in step with the editor. */
export class Documents {
  readonly #byUri = new Map<string, OpenDocument>()
  readonly #byPath = new Map<string, OpenDocument>()
  #encoding: Encoding = 'utf-16'

  get encoding(): Encoding {
    return this.#encoding
  }

  /** Before any is open. */
  countIn(encoding: Encoding): void {
    this.#encoding = encoding
  }

  /** Undefined for what is no file. */
  open(uri: string, version: number, text: string): OpenDocument | undefined {
    const path = pathOf(uri)
    return path === undefined ? undefined : this.#keep({ uri, path, version, ...this.#kept(text) })
  }

  /** Undefined for a buffer that isn't open. */
  change(uri: string, version: number, changes: readonly Change[]): OpenDocument | undefined {
    const document = this.#byUri.get(uri)
    if (document === undefined) return undefined
    let kept: Pick<OpenDocument, 'lines' | 'cut'> = document
    let work = 0
    for (const { range, text } of changes) {
      const { lines, cut } = kept
      if (range === undefined) kept = this.#kept(text)
      else if (lines !== undefined && !cut) {
        const [from, to] = [lines.offsetAt(range.start), lines.offsetAt(range.end)]
        work += lines.text.length
        kept =
          work > MAX_WORK
            ? { lines: undefined, cut: false }
            : this.#kept(lines.text.slice(0, from) + text + lines.text.slice(Math.max(from, to)))
      }
    }
    return this.#keep({ ...document, version, ...kept })
  }

  close(uri: string): OpenDocument | undefined {
    const document = this.#byUri.get(uri)
    this.#byUri.delete(uri)
    if (document !== undefined) this.#byPath.delete(document.path)
    return document
  }

  get(uri: string): OpenDocument | undefined {
    return this.#byUri.get(uri)
  }

  at(path: string): OpenDocument | undefined {
    return this.#byPath.get(path)
  }

  /** A change may have been missed: no buffer can be relied on. */
  doubt(): void {
    for (const document of this.#byUri.values()) this.#keep({ ...document, lines: undefined, cut: false })
  }

  [Symbol.iterator](): Iterator<OpenDocument> {
    return this.#byUri.values()
  }

  #keep(document: OpenDocument): OpenDocument {
    this.#byUri.set(document.uri, document)
    this.#byPath.set(document.path, document)
    return document
  }

  #kept(text: string): Pick<OpenDocument, 'lines' | 'cut'> {
    const cut = text.length > MAX_TEXT
    return { lines: new Lines(cut ? text.slice(0, MAX_TEXT + 1) : text, this.#encoding), cut }
  }
}

function pathOf(uri: string): string | undefined {
  try {
    return fileURLToPath(uri)
  } catch {
    return undefined
  }
}
