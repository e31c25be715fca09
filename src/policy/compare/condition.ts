/** Conditions taken apart: into what `&&`, `||`, `!` and `? :` join, and what is known of each part. */
import { placeText } from '../actions/json.ts'
import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { Condition, type Input as Values, type Truth } from '../when/condition.ts'
import { parseCondition, type ParsedCondition } from '../when/parse.ts'

/** What a condition reads: `claims.department`, `context.time`, `params.id`; within JSON, `request.arguments.limit`. */
export interface Reads {
  readonly root: 'claims' | 'context' | 'request' | 'params'
  readonly name: string
}

export type Literal = string | number | boolean

/** A literal, or something that may be one where it is compared: a parameter whose segment is fixed there. */
export type Operand = { readonly kind: 'literal'; readonly value: Literal } | { readonly kind: 'input'; readonly reads: Reads }

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

/** A part that is true, false or an error, in a form that more can be said of. */
export type Shape =
  | { readonly kind: 'has'; readonly claim: string }
  /** `'x' in claims.groups`, and `claims.groups.exists(g, g == 'x')`. */
  | { readonly kind: 'contains'; readonly claim: string; readonly value: Operand }
  /** The same of a list that the request has: `'privileged' in request.options`. */
  | { readonly kind: 'listed'; readonly list: Reads; readonly value: Operand }
  /** `has(request.tokens)` */
  | { readonly kind: 'readable'; readonly reads: Reads }
  | { readonly kind: 'compare'; readonly left: Operand; readonly op: Comparison; readonly right: Operand }
  | { readonly kind: 'within'; readonly left: Operand; readonly list: readonly Operand[] }
  /** A truth value that a claim has. */
  | { readonly kind: 'truth'; readonly claim: string }
  | { readonly kind: 'time'; readonly op: Comparison; /** Nanoseconds since the epoch. */ readonly instant: bigint }
  | { readonly kind: 'network'; readonly network: string }
  /** A whole number that is made of something, compared with literals: `context.time.getHours('Europe/Berlin') >= 8`. */
  | {
      readonly kind: 'number'
      readonly term: Expr
      readonly range: readonly [number, number]
      readonly op: Comparison
      readonly value: number
    }
  | { readonly kind: 'opaque' }

export interface Part {
  readonly shape: Shape
  readonly reads: readonly Reads[]
  /** An error wherever something that it reads is absent. */
  readonly strict: boolean
  readonly expr: Expr
  readonly parsed: ParsedCondition
}

/** An expression as it would be written. */
export function shown(expr: Expr, { source }: ParsedCondition): string {
  const inner = (one: Expr | undefined): string => (one === undefined ? '' : shownWithin(one))
  const shownWithin = (one: Expr): string => {
    const { exprKind } = source.macroCalls[String(one.id)] ?? one
    switch (exprKind.case) {
      case 'constExpr': {
        const { case: kind, value } = exprKind.value.constantKind
        return kind === 'stringValue' ? `'${value.replaceAll("'", "\\'")}'` : plainText(value)
      }
      case 'identExpr':
        return exprKind.value.name
      case 'selectExpr':
        return exprKind.value.testOnly
          ? `has(${inner(exprKind.value.operand)}.${exprKind.value.field})`
          : `${inner(exprKind.value.operand)}.${exprKind.value.field}`
      case 'listExpr':
        return `[${exprKind.value.elements.map(inner).join(', ')}]`
      case 'callExpr':
        return called(exprKind.value.function, exprKind.value.target, exprKind.value.args, inner)
      default:
        return '…'
    }
  }
  return shownWithin(expr)
}

/** A constant, whatever its type. */
function plainText(value: unknown): string {
  if (value instanceof Uint8Array) return [...value].join(' ')
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}

function called(name: string, target: Expr | undefined, args: readonly Expr[], inner: (one: Expr | undefined) => string): string {
  const [a, b, c] = args
  if (name === '_[_]') return `${inner(a)}[${inner(b)}]`
  if (name === '_?_:_') return `(${inner(a)} ? ${inner(b)} : ${inner(c)})`
  const sign = name === '@in' ? 'in' : /^_(.+)_$/.exec(name)?.[1]
  if (sign !== undefined) return `${inner(a)} ${sign} ${inner(b)}`
  const prefix = /^(.)_$/.exec(name)?.[1]
  if (prefix !== undefined) return `${prefix}${inner(a)}`
  return `${target === undefined ? '' : `${inner(target)}.`}${name}(${args.map(inner).join(', ')})`
}

export type Tree =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Tree[] }
  | { readonly kind: 'not'; readonly part: Tree }
  | { readonly kind: 'if'; readonly condition: Tree; readonly yes: Tree; readonly no: Tree }
  | { readonly kind: 'part'; readonly part: Part }

/** Takes a condition that was checked at load apart. Undefined for one that can't be read, which is then not understood. */
export function takeApart(text: string): Tree | undefined {
  const parsed = parseCondition(text)
  return 'problem' in parsed ? undefined : treeOf(parsed.expr, parsed)
}

/** Fields of `request` that a condition looks at. */
export function requestFields(text: string): ReadonlySet<string> {
  const parsed = parseCondition(text)
  const reads = 'problem' in parsed ? [] : readsOf(parsed.expr)
  return new Set(reads.flatMap(({ root, name }) => (root === 'request' ? [/^\w+/.exec(name)![0]] : [])))
}

/** Texts and numbers that a condition names. */
export function namedIn(text: string): readonly Literal[] {
  const found = text.matchAll(/'([^']{1,64})'|"([^"]{1,64})"|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])/g)
  return [...found].map(([, a, b, number]) => (number === undefined ? (a ?? b!) : Number(number)))
}

function treeOf(expr: Expr, parsed: ParsedCondition): Tree {
  const { exprKind } = expr
  if (exprKind.case === 'callExpr') {
    const { function: name, args } = exprKind.value
    const parts = (): readonly Tree[] => args.map((arg) => treeOf(arg, parsed))
    if (name === '_&&_') return { kind: 'and', parts: parts() }
    if (name === '_||_') return { kind: 'or', parts: parts() }
    if (name === '!_') return { kind: 'not', part: treeOf(args[0]!, parsed) }
    if (name === '_?_:_') {
      const [condition, yes, no] = parts()
      return { kind: 'if', condition: condition!, yes: yes!, no: no! }
    }
  }
  return { kind: 'part', part: { shape: shapeOf(expr), reads: readsOf(expr), strict: isStrict(expr), expr, parsed } }
}

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '_==_': '==',
  '_!=_': '!=',
  '_<_': '<',
  '_<=_': '<=',
  '_>_': '>',
  '_>=_': '>=',
}
const MIRRORED: Readonly<Record<Comparison, Comparison>> = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

const OPAQUE: Shape = { kind: 'opaque' }

function shapeOf(expr: Expr): Shape {
  const own = readOf(expr)
  if (own?.root === 'request' && testsPresence(expr)) return { kind: 'readable', reads: own }
  if (own?.root === 'claims') return testsPresence(expr) ? { kind: 'has', claim: own.name } : { kind: 'truth', claim: own.name }
  if (expr.exprKind.case === 'comprehensionExpr') return existsOf(expr) ?? OPAQUE
  if (expr.exprKind.case !== 'callExpr') return OPAQUE
  const { function: name, args } = expr.exprKind.value
  const [a, b] = args
  if (name === 'inCidr' && a !== undefined && b !== undefined) {
    const read = readOf(a)
    const network = literalOf(b)
    return read?.root === 'context' && read.name === 'ip' && typeof network === 'string' ? { kind: 'network', network } : OPAQUE
  }
  if (a === undefined || b === undefined) return OPAQUE
  if (name === '@in') return inOf(a, b) ?? OPAQUE
  const op = Object.hasOwn(COMPARISONS, name) ? COMPARISONS[name] : undefined
  return op === undefined ? OPAQUE : (comparisonOf(a, op, b) ?? comparisonOf(b, MIRRORED[op], a) ?? OPAQUE)
}

function comparisonOf(a: Expr, op: Comparison, b: Expr): Shape | undefined {
  const read = readOf(a)
  if (read?.root === 'context' && read.name === 'time') {
    const instant = instantOf(b)
    return instant === undefined ? undefined : { kind: 'time', op, instant }
  }
  const [left, right] = [operandOf(a), operandOf(b)]
  if (left !== undefined && right !== undefined) return { kind: 'compare', left, op, right }
  const range = rangeOf(a)
  return range !== undefined && right?.kind === 'literal' && typeof right.value === 'number'
    ? { kind: 'number', term: a, range, op, value: right.value }
    : undefined
}

function inOf(a: Expr, b: Expr): Shape | undefined {
  const value = operandOf(a)
  if (value === undefined) return undefined
  const list = readOf(b)
  if (list?.root === 'claims') return { kind: 'contains', claim: list.name, value }
  if (list?.root === 'request') return { kind: 'listed', list, value }
  const elements = b.exprKind.case === 'listExpr' ? b.exprKind.value.elements.map(operandOf) : [undefined]
  return elements.some((one) => one === undefined) ? undefined : { kind: 'within', left: value, list: elements as readonly Operand[] }
}

/** `claims.groups.exists(g, g == 'x')` as it arrives: a fold by `||`. */
function existsOf(expr: Expr): Shape | undefined {
  const loop = expr.exprKind.case === 'comprehensionExpr' ? expr.exprKind.value : undefined
  const list = loop?.iterRange === undefined ? undefined : readOf(loop.iterRange)
  const step = loop?.loopStep?.exprKind
  if ((list?.root !== 'claims' && list?.root !== 'request') || step?.case !== 'callExpr' || step.value.function !== '_||_') return undefined
  const test = step.value.args.find((arg) => arg.exprKind.case === 'callExpr')?.exprKind
  if (test?.case !== 'callExpr' || test.value.function !== '_==_') return undefined
  const others = test.value.args.filter((arg) => arg.exprKind.case !== 'identExpr' || arg.exprKind.value.name !== loop!.iterVar)
  const value = others.length === 1 ? operandOf(others[0]!) : undefined
  if (value === undefined) return undefined
  return list.root === 'claims' ? { kind: 'contains', claim: list.name, value } : { kind: 'listed', list, value }
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  getMonth: [0, 11],
  getDate: [1, 31],
  getDayOfMonth: [0, 30],
  getDayOfWeek: [0, 6],
  getDayOfYear: [0, 365],
  getHours: [0, 23],
  getMinutes: [0, 59],
  getSeconds: [0, 59],
  getMilliseconds: [0, 999],
  getFullYear: [1, 9999],
  size: [0, Number.MAX_SAFE_INTEGER],
}

/** Of a term that is a whole number, what it lies within. */
function rangeOf(expr: Expr): readonly [number, number] | undefined {
  if (expr.exprKind.case !== 'callExpr') return undefined
  const { function: name } = expr.exprKind.value
  return Object.hasOwn(RANGES, name) ? RANGES[name] : undefined
}

function operandOf(expr: Expr): Operand | undefined {
  const value = literalOf(expr)
  if (value !== undefined) return { kind: 'literal', value }
  const reads = testsPresence(expr) ? undefined : readOf(expr)
  return reads === undefined ? undefined : { kind: 'input', reads }
}

function literalOf(expr: Expr): Literal | undefined {
  if (expr.exprKind.case === 'callExpr' && expr.exprKind.value.function === '-_') {
    const inner = literalOf(expr.exprKind.value.args[0]!)
    return typeof inner === 'number' ? -inner : undefined
  }
  const kind = expr.exprKind.case === 'constExpr' ? expr.exprKind.value.constantKind : undefined
  switch (kind?.case) {
    case 'stringValue':
    case 'boolValue':
    case 'doubleValue':
      return kind.value
    case 'int64Value':
    case 'uint64Value':
      return kind.value <= BigInt(Number.MAX_SAFE_INTEGER) && kind.value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(kind.value) : undefined
    default:
      return undefined
  }
}

/** `timestamp('…')` in nanoseconds since the epoch. */
function instantOf(expr: Expr): bigint | undefined {
  const call = expr.exprKind.case === 'callExpr' ? expr.exprKind.value : undefined
  const text = call?.function === 'timestamp' && call.args.length === 1 ? literalOf(call.args[0]!) : undefined
  if (typeof text !== 'string') return undefined
  const parts = /^(.*?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i.exec(text)
  const seconds = parts === null ? Number.NaN : Date.parse(`${parts[1]!}${parts[3]!}`)
  return Number.isNaN(seconds) ? undefined : BigInt(seconds) * 1_000_000n + BigInt((parts![2] ?? '').padEnd(9, '0'))
}

const ROOTS: readonly string[] = ['claims', 'context', 'request', 'params']

/** What `claims.x`, `claims['x']` or `has(claims.x)` reads. */
function readOf({ exprKind }: Expr): Reads | undefined {
  if (exprKind.case === 'selectExpr') return placed(exprKind.value.operand, exprKind.value.field)
  if (exprKind.case !== 'callExpr' || exprKind.value.function !== '_[_]') return undefined
  const [operand, index] = exprKind.value.args
  const name = index === undefined ? undefined : literalOf(index)
  return typeof name === 'string' ? placed(operand, name) : undefined
}

function placed(operand: Expr | undefined, name: string): Reads | undefined {
  const direct = named(operand, name)
  if (direct !== undefined || operand === undefined) return direct
  // Within JSON, each place is read by itself.
  const outer = testsPresence(operand) ? undefined : readOf(operand)
  return outer?.root === 'request' ? { root: 'request', name: placeText(outer.name, [name]) } : undefined
}

function named(operand: Expr | undefined, name: string): Reads | undefined {
  const root = operand?.exprKind.case === 'identExpr' ? operand.exprKind.value.name : ''
  return ROOTS.includes(root) ? { root: root as Reads['root'], name } : undefined
}

function testsPresence({ exprKind }: Expr): boolean {
  return exprKind.case === 'selectExpr' && exprKind.value.testOnly
}

function childrenOf({ exprKind }: Expr): readonly Expr[] {
  switch (exprKind.case) {
    case 'selectExpr':
      return exprKind.value.operand === undefined ? [] : [exprKind.value.operand]
    case 'callExpr':
      return [...(exprKind.value.target === undefined ? [] : [exprKind.value.target]), ...exprKind.value.args]
    case 'listExpr':
      return exprKind.value.elements
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value
      return [iterRange, accuInit, loopCondition, loopStep, result].filter((one) => one !== undefined)
    }
    default:
      return []
  }
}

function readsOf(expr: Expr): readonly Reads[] {
  const found = new Map<string, Reads>()
  const visit = (one: Expr): void => {
    const read = readOf(one)
    if (read === undefined) for (const child of childrenOf(one)) visit(child)
    else found.set(`${read.root}.${read.name}`, read)
  }
  visit(expr)
  return [...found.values()]
}

const LAZY = new Set(['_&&_', '_||_', '_?_:_'])

/** Whether every part is looked at whenever the whole is, so that an error of one is an error of the whole. */
function isStrict(expr: Expr): boolean {
  if (testsPresence(expr)) return false
  if (readOf(expr) !== undefined) return true
  const { exprKind } = expr
  if (exprKind.case === 'callExpr' && LAZY.has(exprKind.value.function)) return false
  if (exprKind.case === 'comprehensionExpr') {
    // Of a loop only the list is looked at for sure.
    const { iterRange } = exprKind.value
    return iterRange !== undefined && isStrict(iterRange) && readsOf(expr).length === readsOf(iterRange).length
  }
  return childrenOf(expr).every(isStrict)
}

/**
 * The part as text that is the same for the same checked syntax, whatever its spacing, the names of its loops' variables, and
 * where it stands. @param rename What stands for something that it reads.
 */
export function written(expr: Expr, rename: (reads: Reads) => string): string {
  return JSON.stringify(plain(expr, rename, new Map()))
}

function plain(expr: Expr, rename: (reads: Reads) => string, locals: ReadonlyMap<string, string>): unknown {
  const read = readOf(expr)
  if (read !== undefined) return [testsPresence(expr) ? 'has' : 'read', rename(read)]
  const inner = (one: Expr | undefined, more = locals): unknown => (one === undefined ? null : plain(one, rename, more))
  const { exprKind } = expr
  switch (exprKind.case) {
    case 'constExpr': {
      const { case: kind, value } = exprKind.value.constantKind
      return ['constant', kind, plainText(value)]
    }
    case 'identExpr':
      return ['name', locals.get(exprKind.value.name) ?? exprKind.value.name]
    case 'selectExpr':
      return ['select', inner(exprKind.value.operand), exprKind.value.field, exprKind.value.testOnly]
    case 'callExpr':
      return ['call', exprKind.value.function, inner(exprKind.value.target), exprKind.value.args.map((one) => inner(one))]
    case 'listExpr':
      return ['list', exprKind.value.elements.map((one) => inner(one))]
    case 'comprehensionExpr': {
      const { iterRange, iterVar, accuVar, accuInit, loopCondition, loopStep, result } = exprKind.value
      const within = new Map([...locals, [accuVar, '$accumulated'], [iterVar, '$element']])
      return ['loop', inner(iterRange), inner(accuInit), ...[loopCondition, loopStep, result].map((one) => inner(one, within))]
    }
    default:
      return ['?', exprKind.case ?? '']
  }
}

/** All of a condition as such a text. */
export function writtenCondition(text: string, rename: (reads: Reads) => string): string {
  const parsed = parseCondition(text)
  return 'problem' in parsed ? `?${text}` : written(parsed.expr, rename)
}

/** Evaluates a part by the engine's own evaluator. */
export function evaluatePart(
  { expr, parsed, reads }: Part,
  types: ReadonlyMap<string, 'string' | 'number' | 'boolean' | 'list'>,
  values: Values,
): Truth {
  const claims = new Map(
    reads.flatMap(({ root, name }) => (root === 'claims' && types.has(name) ? [[name, types.get(name)!] as const] : [])),
  )
  return new Condition('', { ...parsed, expr }, claims, true).evaluate(values)
}
