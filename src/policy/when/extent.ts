import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'

/** Characters of a condition, from the first to after the last. */
export interface Extent {
  readonly from: number
  readonly to: number
}

const LITERAL = /(?:[rRbB]{0,2})(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|[\w.+-]+/y

/** Where an expression stands in its text. Positions of calls and selections are those of the operator or the dot. */
export function extentOf(expr: Expr, source: SourceInfo, text: string): Extent {
  const own = source.positions[String(expr.id)] ?? 0
  const { exprKind } = expr
  switch (exprKind.case) {
    case 'identExpr':
      return { from: own, to: own + exprKind.value.name.length }
    case 'constExpr': {
      LITERAL.lastIndex = own
      return { from: own, to: own + (LITERAL.exec(text)?.[0].length ?? 1) }
    }
    case 'selectExpr': {
      const { operand, field } = exprKind.value
      const before = operand === undefined ? { from: own, to: own } : extentOf(operand, source, text)
      // The position is that of the dot, or of `has` where it is asked for.
      const at = text.indexOf(field, before.to)
      return { from: before.from, to: (at === -1 ? own : at) + field.length }
    }
    case 'callExpr': {
      const { target, args } = exprKind.value
      return around(own, [...(target === undefined ? [] : [target]), ...args], source, text)
    }
    case 'listExpr':
      return around(own, exprKind.value.elements, source, text)
    default:
      return { from: own, to: own + 1 }
  }
}

function around(own: number, parts: readonly Expr[], source: SourceInfo, text: string): Extent {
  const extents = parts.map((part) => extentOf(part, source, text))
  return { from: Math.min(own, ...extents.map(({ from }) => from)), to: Math.max(own + 1, ...extents.map(({ to }) => to)) }
}
