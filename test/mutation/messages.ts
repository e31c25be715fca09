/** What `run.ts` and `worker.ts` say to each other. */

/** A test file without any mutant. */
export interface Baseline {
  readonly file: string
  /** Milliseconds to import it. */
  readonly load: number
  readonly tests: readonly { readonly name: string; readonly ms: number; readonly runs: number }[]
  /** Of each source, which of the asked places importing and each test reach. */
  readonly reached: readonly { readonly file: string; readonly load: readonly number[]; readonly byTest: readonly (readonly number[])[] }[]
}

/** Tests of a file that reach a mutant, with how often their properties run. */
export interface Part {
  readonly file: string
  readonly runs: ReadonlyMap<string, number>
}

export type Request =
  | {
      readonly kind: 'baseline'
      readonly tests: readonly string[]
      readonly places: ReadonlyMap<string, readonly number[]>
      readonly runs: number
    }
  | { readonly kind: 'mutant'; readonly file: string; readonly text: string; readonly parts: readonly Part[] }

export type Answer =
  | { readonly kind: 'baseline'; readonly baseline: Baseline }
  /** What is begun now: the name of a test, or nothing for an import. */
  | { readonly kind: 'begun'; readonly file: string; readonly test: string | undefined }
  | { readonly kind: 'survived' }
  | { readonly kind: 'killed'; readonly file: string; readonly test: string | undefined; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'done' }
