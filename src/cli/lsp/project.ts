import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../core/clock.ts'
import type { Diagnostic } from '../../core/errors.ts'
import type { Span } from '../../core/span.ts'
import { analyse, NOTHING_YET, type Analysis, type ReadFile } from './analysis.ts'
import type { Documents } from './documents.ts'
import { Folder, pathIn } from './folder.ts'
import { Lines, type Range } from './lines.ts'
import type { Name, NameKind } from './names.ts'

/** A name and the file that it stands in. */
export interface PlacedName extends Name {
  readonly file: string
}

/** A configuration folder of which something is open. */
export class Project {
  readonly path: string
  readonly documents: Documents
  /** URIs that findings were told of, and are to be told again when they are gone. */
  told = new Set<string>()
  /** Whether the folder was looked at. */
  looked = false
  /** How long it took to look at the folder, in milliseconds. */
  took = 0
  readonly #folder: Folder
  #analysis: Analysis = NOTHING_YET
  #lines = new Map<string, Lines>()

  constructor(path: string, documents: Documents) {
    this.path = path
    this.documents = documents
    this.#folder = new Folder(path, documents)
  }

  get analysis(): Analysis {
    return this.#analysis
  }

  /** Looks at everything anew. */
  refresh(clock: Clock): void {
    const started = clock.monotonic()
    this.looked = true
    this.#analysis = analyse(this.#folder, this.#analysis, clock.now())
    this.#lines = new Map()
    this.took = clock.monotonic() - started
  }

  /** All names of the folder, in the order of files and places. */
  *names(kind?: NameKind): Generator<PlacedName> {
    for (const [file, { names }] of this.#analysis.files)
      for (const name of names) if (kind === undefined || name.kind === kind) yield { ...name, file }
  }

  file(path: string): ReadFile | undefined {
    return this.#analysis.files.get(path)
  }

  /** A file that can't be read as it is now; what its names are isn't known. */
  brokenFile(): string | undefined {
    return [...this.#analysis.files].find(([, { root }]) => root === undefined)?.[0]
  }

  /** As the editor names it. */
  uriOf(path: string): string {
    const file = join(this.path, path)
    return this.documents.at(file)?.uri ?? pathToFileURL(file).href
  }

  pathOf(file: string): string {
    return pathIn(this.path, file)
  }

  /** Where a span of the last look is. */
  rangeOf(span: Span): Range {
    return this.linesOf(span.file).rangeOfSpan(span)
  }

  /** The text that was last looked at. */
  linesOf(path: string): Lines {
    const open = this.documents.at(join(this.path, path))?.lines
    const text = this.#analysis.files.get(path)?.text ?? ''
    if (open?.text === text) return open
    const known = this.#lines.get(path) ?? new Lines(text, this.documents.encoding)
    this.#lines.set(path, known)
    return known
  }

  /** Findings by file. */
  findings(): ReadonlyMap<string, readonly Diagnostic[]> {
    const byFile = Map.groupBy(this.#analysis.findings, ({ span }) => span?.file ?? 'ostiary.yaml')
    return byFile
  }
}
