/** The places of a source text where an operator of `operators.ts` applies. What says types only can't be wrong at run time and is passed over. */
import { parseAst } from 'vite'
import { OPERATORS } from './operators.ts'

/** A node of the syntax tree, as far as it is looked at. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly operator?: string
  readonly name?: string
  readonly value?: unknown
  readonly optional?: boolean
  readonly computed?: boolean
  readonly expression?: unknown
  readonly test?: Node | null
  readonly argument?: Node | null
  readonly callee?: Node
  readonly body?: Node
  readonly returnType?: { readonly typeAnnotation: Node } | null
  readonly left?: unknown
  readonly right?: unknown
  readonly object?: unknown
  readonly property?: unknown
}

/** One place and what it says instead. */
export interface Change {
  /** As it is told: `===`. */
  readonly from: string
  readonly to: string
  readonly start: number
  readonly end: number
  readonly replacement: string
  /** A place that is reached where this matters, if not its start. */
  readonly at?: number
}

export interface Operator {
  readonly kind: string
  /** @param within The function that the node is in. */
  readonly changes: (node: Node, text: string, within: Node | undefined) => readonly Change[]
}

export interface Mutant {
  /** Below `src/policy`. */
  readonly file: string
  readonly kind: string
  readonly line: number
  /** The line's text without what surrounds it. */
  readonly source: string
  /** The same of the line before. */
  readonly after: string
  /** As `=== → !==`; with a number where it is not the first such change of the line. */
  readonly change: string
  /** A place of the text that is reached where it matters. */
  readonly start: number
  /** The whole text with the change. */
  readonly text: string
}

/** Types, and what of a module is only its names. */
const PASSIVE = /^(?:TS(?!AsExpression|NonNull|Satisfies)|Import|ExportAll)/
const FUNCTION = /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/

/** All mutants of a text, in the order of its places. */
export function mutantsOf(file: string, text: string): readonly Mutant[] {
  const found: (Change & { readonly kind: string })[] = []
  const visit = (node: Node, within: Node | undefined): void => {
    if (PASSIVE.test(node.type)) return
    for (const { kind, changes } of OPERATORS) for (const change of changes(node, text, within)) found.push({ ...change, kind })
    const inner = FUNCTION.test(node.type) ? node : within
    for (const child of Object.values(node).flat())
      if (typeof child === 'object' && child !== null && 'type' in child) visit(child as Node, inner)
  }
  visit(parseAst(text, { lang: 'ts' }) as unknown as Node, undefined)
  const lines = text.split('\n')
  const seen = new Map<string, number>()
  return found
    .toSorted((a, b) => a.start - b.start)
    .map(({ kind, from, to, start, end, replacement, at }) => {
      // The line is that of what is changed, not of where the expression around it begins.
      const line = text.slice(0, start).split('\n').length
      const told = `${from} → ${to === '' ? 'nothing' : to}`
      const times = (seen.get(`${line} ${told}`) ?? 0) + 1
      seen.set(`${line} ${told}`, times)
      return {
        file,
        kind,
        line,
        source: lines[line - 1]!.trim(),
        after: lines[line - 2]?.trim() ?? '',
        change: times === 1 ? told : `${told} (${times})`,
        start: at ?? start,
        text: `${text.slice(0, start)}${replacement}${text.slice(end)}`,
      }
    })
}
