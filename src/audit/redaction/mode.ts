import type { Piece } from './pieces.ts'

/** What is left of a mode: text that is to be read as any other. */
export interface Left {
  readonly again: readonly Piece[]
  /** Nobody is named in it (`//name:secret@host`). */
  readonly plain?: boolean
}

/** Reads a stretch of text in which something else counts than elsewhere. What it decides it writes itself. */
export interface Mode {
  /** Undefined as long as it goes on. */
  take(character: string, at: number): Left | undefined
  /** What changes how letters look, or a line that the terminal broke: it is no part of the text. */
  painted(text: string, at: number): Left | undefined
  /** Whether a line that a terminal breaks goes on in it. */
  wraps(): boolean
  /** There is no more. */
  end(): Left
}
