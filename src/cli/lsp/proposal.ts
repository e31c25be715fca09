import type { Cursor } from './cursor.ts'
import type { FileKind } from './folder.ts'
import type { Project } from './project.ts'

/** Kinds of LSP's completion items. */
export const ITEM = {
  function: 3,
  field: 5,
  variable: 6,
  class: 7,
  module: 9,
  property: 10,
  value: 12,
  enumMember: 20,
  constant: 21,
} as const

/** What may be written, before the editor's own filter. */
export interface Proposal {
  readonly label: string
  readonly kind: number
  readonly detail?: string | undefined
  readonly documentation?: string | undefined
  /** What is written, where it isn't the label. */
  readonly text?: string
}

/** What a place asks to be told. */
export interface Asked {
  readonly project: Project
  readonly kind: FileKind
  readonly cursor: Cursor
}
