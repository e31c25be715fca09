import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Diagnostic } from '../../core/errors.ts'
import type { Lines, Range } from './lines.ts'
import type { Project } from './project.ts'

/** Findings of one file that are told; the first ones tell it. */
const MAX_TOLD = 500

export interface LspDiagnostic {
  readonly range: Range
  readonly severity: 1 | 2
  readonly code: string
  readonly codeDescription?: { readonly href: string } | undefined
  readonly source: 'ostiary'
  readonly message: string
  /** What would be right in its place. */
  readonly data?: { readonly replacement: string }
}

/** Findings of a file as LSP has them. */
export function diagnosticsOf(findings: readonly Diagnostic[], path: string, project: Project): readonly LspDiagnostic[] {
  const lines = project.linesOf(path)
  return findings.slice(0, MAX_TOLD).map((finding) => toLsp(finding, lines))
}

function toLsp({ code, severity, message, help, span }: Diagnostic, lines: Lines): LspDiagnostic {
  const replacement = /^did you mean `([^`]+)`\?$/.exec(help)?.[1]
  const href = pageOf(code)
  return {
    range: span === undefined ? lines.rangeOf(0, 0) : lines.rangeOfSpan(span),
    severity: severity === 'error' ? 1 : 2,
    code,
    ...(href === undefined ? {} : { codeDescription: { href } }),
    source: 'ostiary',
    message: help === '' ? message : `${message}\nhelp: ${help}`,
    ...(replacement === undefined ? {} : { data: { replacement } }),
  }
}

let pages: ReadonlyMap<string, string> | undefined

/** The line of the error reference that came with this program: it speaks of this version, and needs no network. */
function pageOf(code: string): string | undefined {
  pages ??= readPages()
  return pages.get(code)
}

function readPages(): ReadonlyMap<string, string> {
  const file = join(import.meta.dirname, '../../../docs/reference/errors.md')
  try {
    const { href } = pathToFileURL(file)
    return new Map(
      readFileSync(file, 'utf8')
        .split('\n')
        .flatMap((line, i) => {
          const code = /^\| `([a-z/-]+)` \|/.exec(line)?.[1]
          return code === undefined ? [] : [[code, `${href}#L${i + 1}`] as const]
        }),
    )
  } catch {
    return new Map()
  }
}
