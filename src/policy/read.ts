import { readDocument, type Located } from '../config/document.ts'
import { validate } from '../config/validate.ts'
import type { SourceFile } from '../config/wiring.ts'
import type { Diagnostic } from '../core/errors.ts'
import { policySchema, type PolicyText } from './schema.ts'

/** A policy file whose form is right. */
export interface PolicyFile {
  readonly source: SourceFile
  readonly root: Located
  readonly value: PolicyText
}

/** What was read of a file: undefined where its form is wrong. */
interface ReadFile {
  readonly file: PolicyFile | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/** Files that were read before, for whoever reads the same ones again and again. */
export type KnownFiles = WeakMap<SourceFile, ReadFile>

export interface ReadPolicy {
  readonly files: readonly PolicyFile[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads the form of policy files. What they name is looked at by `resolve`. */
export function readPolicy(sources: readonly SourceFile[], known?: KnownFiles): ReadPolicy {
  const files: PolicyFile[] = []
  const diagnostics: Diagnostic[] = []
  for (const source of sources) {
    const read = known?.get(source) ?? readFile(source)
    known?.set(source, read)
    diagnostics.push(...read.diagnostics)
    if (read.file !== undefined) files.push(read.file)
  }
  return { files, diagnostics }
}

function readFile(source: SourceFile): ReadFile {
  const { root, diagnostics } = readDocument(source.path, source.text)
  if (root === undefined) return { file: undefined, diagnostics }
  const checked = validate(policySchema, root)
  const file = checked.value === undefined ? undefined : { source, root, value: checked.value }
  return { file, diagnostics: [...diagnostics, ...checked.diagnostics] }
}
