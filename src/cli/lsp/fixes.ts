import type { LspDiagnostic } from './diagnostics.ts'
import { diagnosticsOf } from './diagnostics.ts'
import type { Position, Range } from './lines.ts'
import type { Project } from './project.ts'

/** "did you mean" as an action of the editor: it replaces the word. */
export function fixesFor(project: Project, path: string, uri: string, range: Range): readonly unknown[] {
  const lines = project.linesOf(path)
  return diagnosticsOf(project.findings().get(path) ?? [], path, project)
    .filter((one) => one.data !== undefined && meet(one.range, range))
    .map((one) => {
      const { replacement } = one.data!
      const [from, to] = [lines.offsetAt(one.range.start), lines.offsetAt(one.range.end)]
      const written = lines.text.slice(from, to)
      const quote = /^(['"]).*\1$/s.exec(written)?.[1] ?? ''
      return {
        title: `write \`${replacement}\``,
        kind: 'quickfix',
        isPreferred: true,
        diagnostics: [one satisfies LspDiagnostic],
        edit: { changes: { [uri]: [{ range: one.range, newText: `${quote}${replacement}${quote}` }] } },
      }
    })
}

function meet(a: Range, b: Range): boolean {
  return !isBefore(a.end, b.start) && !isBefore(b.end, a.start)
}

function isBefore(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.character < b.character)
}
