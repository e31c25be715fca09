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

/** Reads the form of policy files. What they name is looked at by `resolve`. */
export function readPolicy(sources: readonly SourceFile[]): {
  readonly files: readonly PolicyFile[]
  readonly diagnostics: readonly Diagnostic[]
} {
  const files: PolicyFile[] = []
  const diagnostics: Diagnostic[] = []
  for (const source of sources) {
    const document = readDocument(source.path, source.text)
    diagnostics.push(...document.diagnostics)
    if (document.root === undefined) continue
    const checked = validate(policySchema, document.root)
    diagnostics.push(...checked.diagnostics)
    if (checked.value !== undefined) files.push({ source, root: document.root, value: checked.value })
  }
  return { files, diagnostics }
}
