/** Bytes of a session → the text that is kept of them, when it came. */
import { Typed, type Piece, type Redaction, type Redactor } from '../redaction/index.ts'

const KINDS = ['input', 'output', 'error-output'] as const
export type TextKind = (typeof KINDS)[number]

export interface KeptText extends Piece {
  readonly kind: TextKind
}

export interface TextOptions {
  readonly redaction: Redaction
  /** Whether input is kept, and whether it is of a terminal. */
  readonly input: boolean
  readonly terminal: boolean
}

/** Holds what could be the beginning of a secret until that is decided; never more than some ten thousand characters. */
export class Texts {
  readonly #decoders: Readonly<Record<TextKind, ReturnType<typeof decoder>>>
  readonly #redactors: Readonly<Record<TextKind, Redactor>>
  readonly #keepsInput: boolean
  /** Undefined where all input is kept, or none. */
  readonly #typed: Typed | undefined

  constructor({ redaction, input, terminal }: TextOptions) {
    this.#decoders = { input: decoder(), output: decoder(), 'error-output': decoder() }
    this.#redactors = { input: redaction.redactor(), output: redaction.redactor(), 'error-output': redaction.redactor() }
    this.#keepsInput = input
    if (input && terminal && redaction.forms.has('typed')) this.#typed = new Typed()
  }

  /** How often something was left out. */
  get redacted(): number {
    return KINDS.reduce((sum, kind) => sum + this.#redactors[kind].markers, this.#typed?.markers ?? 0)
  }

  /** Takes what came at `at`, and answers what is decided of it and of what came before. */
  take(kind: TextKind, bytes: Uint8Array, at: number): readonly KeptText[] {
    if (kind === 'input' && !this.#keepsInput) return []
    // A character may come in two pieces; what is no text becomes U+FFFD.
    return this.#decoded(kind, { at, text: this.#decoders[kind].decode(bytes, { stream: true }) })
  }

  /** Nothing more comes of it, most likely: all is decided. */
  over(at: number): readonly KeptText[] {
    const rest = KINDS.flatMap((kind) => this.#decoded(kind, { at, text: this.#decoders[kind].decode() }))
    const typed = this.#typed === undefined ? [] : this.#input(this.#typed.end())
    return [...rest, ...typed, ...KINDS.flatMap((kind) => kept(kind, this.#redactors[kind].end()))]
  }

  #decoded(kind: TextKind, piece: Piece): readonly KeptText[] {
    if (piece.text === '') return []
    if (kind === 'input') return this.#input(this.#typed === undefined ? [piece] : this.#typed.typed(piece))
    const shown = kept(kind, this.#redactors[kind].pass(piece))
    return this.#typed === undefined ? shown : [...shown, ...this.#input(this.#typed.shown(piece.text))]
  }

  #input(pieces: readonly Piece[]): readonly KeptText[] {
    return pieces.flatMap((piece) => kept('input', this.#redactors.input.pass(piece)))
  }
}

/** Replaces what is no text, and leaves out nothing. */
const decoder = () => new TextDecoder('utf-8', { ignoreBOM: true })

function kept(kind: TextKind, pieces: readonly Piece[]): readonly KeptText[] {
  return pieces.map((piece) => ({ ...piece, kind }))
}
