import type { Constant, Expr, Expr_Call, Expr_Comprehension } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { isCelError, plan } from '@bufbuild/cel'
import type { ClaimType } from '../../config/schema.ts'
import { didYouMean } from '../../config/didyoumean.ts'
import { extentOf, type Extent } from './extent.ts'
import { environment, FUNCTIONS, literalProblem, patternHelp, type Overload } from './functions.ts'
import { OPERATORS } from './operators.ts'
import type { ParsedCondition } from './parse.ts'
import { comparable, isNumeric, join, showType, type Type } from './types.ts'

/** What a condition of one rule may speak of. */
export interface Scope {
  /** Claims of the issuers whose principals the rule can meet; `conflict` where they differ in type. */
  readonly claims: ReadonlyMap<string, ClaimType | 'conflict'>
  /** Fields of `request` that the protocols of its resources have. */
  readonly request: ReadonlyMap<string, Type>
  /** Parameters that every action of the rule has. */
  readonly parameters: ReadonlySet<string>
}

export type Finding = Extent &
  (
    | { readonly kind: 'claim' | 'field' | 'parameter'; readonly name: string; readonly help: string | undefined; readonly known?: string }
    | { readonly kind: 'type'; readonly problem: string; readonly help?: string | undefined }
  )

export interface Checked {
  readonly findings: readonly Finding[]
  /** Claims that the condition reads, sorted. */
  readonly claims: readonly string[]
  readonly usesParameters: boolean
}

/** Fields of `context`. */
export const CONTEXT: ReadonlyMap<string, Type> = new Map([
  ['time', 'timestamp'],
  ['ip', 'string'],
])
/** Loops over lists in one condition. */
const MAX_LOOPS = 8
const ROOTS = ['claims', 'context', 'request', 'params']
const CLAIM_TYPES: Readonly<Record<ClaimType, Type>> = { string: 'string', number: 'double', boolean: 'bool', list: { element: 'string' } }

/** Ends the check of a condition at its first finding: what follows from a wrong type isn't worth telling. */
class Stop extends Error {
  readonly finding: Finding
  constructor(finding: Finding) {
    super('stop')
    this.finding = finding
  }
}

/** Checks a condition against what it may speak of: every name is known, every type fits, and the whole is a truth value. */
export function checkCondition(parsed: ParsedCondition, text: string, scope: Scope): Checked {
  const checker = new Checker(parsed, text, scope)
  const findings: Finding[] = []
  try {
    const type = checker.typeOf(parsed.expr, new Map())
    if (type !== 'bool') checker.fail(parsed.expr, `it is of type ${showType(type)}, not true or false`)
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    findings.push(error.finding)
  }
  return { findings, claims: [...checker.claims].toSorted(), usesParameters: checker.usesParameters }
}

type Locals = ReadonlyMap<string, Type>

class Checker {
  readonly claims = new Set<string>()
  usesParameters = false
  #loops = 0
  readonly #parsed: ParsedCondition
  readonly #text: string
  readonly #scope: Scope

  constructor(parsed: ParsedCondition, text: string, scope: Scope) {
    this.#parsed = parsed
    this.#text = text
    this.#scope = scope
  }

  fail(expr: Expr, problem: string, help?: string): never {
    throw new Stop({ kind: 'type', problem, help, ...this.#extent(expr) })
  }

  #extent(expr: Expr): Extent {
    return extentOf(expr, this.#parsed.source, this.#text)
  }

  typeOf(expr: Expr, locals: Locals): Type {
    const { exprKind } = expr
    switch (exprKind.case) {
      case 'constExpr':
        return this.#constant(expr, exprKind.value)
      case 'identExpr': {
        const { name } = exprKind.value
        const local = locals.get(name)
        if (local !== undefined) return local
        if (ROOTS.includes(name)) return this.fail(expr, `\`${name}\` is not a value`, `write \`${name}.\` and a name`)
        const at = { ...this.#extent(expr), name }
        throw new Stop({ kind: 'field', ...at, help: didYouMean(name, [...ROOTS, ...locals.keys()]), known: list(ROOTS) })
      }
      case 'selectExpr': {
        const { operand, field } = exprKind.value
        const type = operand === undefined ? undefined : this.#member(operand, field, expr, locals)
        if (type === undefined) return this.fail(expr, `there is nothing called \`${field}\` in this`)
        return exprKind.value.testOnly ? 'bool' : type
      }
      case 'listExpr': {
        let element: Type = 'nothing'
        for (const one of exprKind.value.elements) {
          const joined = join(element, this.typeOf(one, locals))
          if (joined === undefined) return this.fail(one, `the elements of a list must be of one type, here ${showType(element)}`)
          element = joined
        }
        return { element }
      }
      case 'callExpr':
        return this.#call(expr, exprKind.value, locals)
      case 'comprehensionExpr':
        return this.#comprehension(expr, exprKind.value, locals)
      case 'structExpr':
        return this.fail(expr, 'maps and messages can not be used here')
      case undefined:
        return this.fail(expr, 'not understood')
    }
  }

  #constant(expr: Expr, { constantKind }: Constant): Type {
    switch (constantKind.case) {
      case 'boolValue':
        return 'bool'
      case 'int64Value':
        return 'int'
      case 'uint64Value':
        return 'uint'
      case 'doubleValue':
        return 'double'
      case 'stringValue':
        return 'string'
      case 'bytesValue':
        return 'bytes'
      case 'nullValue':
        return 'null'
      default:
        return this.fail(expr, 'not understood')
    }
  }

  /** Type of `operand.field` where the operand is one of the roots. `claims` is no map: only its declared names exist. */
  #member(operand: Expr, field: string, whole: Expr, locals: Locals): Type | undefined {
    if (operand.exprKind.case !== 'identExpr' || locals.has(operand.exprKind.value.name))
      return this.typeOf(operand, locals) === 'dyn' ? 'dyn' : undefined
    const root = operand.exprKind.value.name
    const { from, to } = this.#extent(whole)
    const at = { name: field, from: whole.exprKind.case === 'constExpr' ? from : Math.max(from, to - field.length), to }
    if (root === 'claims') {
      const type = this.#scope.claims.get(field)
      if (type === undefined) throw new Stop({ kind: 'claim', ...at, help: didYouMean(field, this.#scope.claims.keys()) })
      if (type === 'conflict') return this.fail(whole, `claim \`${field}\` is of different types for the issuers that this can meet`)
      this.claims.add(field)
      return CLAIM_TYPES[type]
    }
    if (root === 'params') {
      const known = [...this.#scope.parameters]
      if (!this.#scope.parameters.has(field)) throw new Stop({ kind: 'parameter', ...at, help: didYouMean(field, known) })
      this.usesParameters = true
      return 'string'
    }
    const fields = root === 'context' ? CONTEXT : root === 'request' ? this.#scope.request : undefined
    if (fields === undefined) {
      this.typeOf(operand, locals)
      return undefined
    }
    const type = fields.get(field)
    if (type !== undefined) return type
    const known = [...fields.keys()]
    throw new Stop({ kind: 'field', ...at, help: didYouMean(field, known), known: list(known.map((name) => `${root}.${name}`)) })
  }

  #call(expr: Expr, call: Expr_Call, locals: Locals): Type {
    const operator = Object.hasOwn(OPERATORS, call.function) ? OPERATORS[call.function] : undefined
    if (call.function === '_[_]') return this.#index(expr, call.args, locals)
    const args = call.args.map((arg) => this.typeOf(arg, locals))
    if (operator !== undefined) {
      const result = operator.result(args)
      if (result !== undefined) return result
      const help = args.includes('dyn') ? 'say what it is: `int(…)`, `double(…)`, `string(…)`, or compare it' : mixedNumbers(args)
      return this.fail(expr, `\`${operator.sign}\` can not be used with ${args.map(showType).join(' and ')}`, help)
    }
    const overloads = Object.hasOwn(FUNCTIONS, call.function) ? FUNCTIONS[call.function]! : undefined
    if (overloads === undefined)
      return this.fail(expr, `there is no function \`${call.function}\``, didYouMean(call.function, Object.keys(FUNCTIONS)))
    const receiver = call.target === undefined ? undefined : this.typeOf(call.target, locals)
    const fitting = overloads.find((one) => fits(one, receiver, args))
    if (fitting === undefined) {
      const given = `${receiver === undefined ? '' : `${showType(receiver)}.`}${call.function}(${args.map(showType).join(', ')})`
      return this.fail(expr, `there is no \`${given}\``)
    }
    if (fitting.literal !== undefined) this.#literal(expr, call, fitting.literal)
    return fitting.result
  }

  /** An argument that must be a literal is: it is checked now, and costs nothing per request. */
  #literal(expr: Expr, call: Expr_Call, index: number): void {
    const arg = call.args[index]!
    const constant = arg.exprKind.case === 'constExpr' ? arg.exprKind.value.constantKind : undefined
    if (constant?.case !== 'stringValue') return this.fail(arg, `\`${call.function}\` needs a literal here`)
    const problem = literalProblem(call.function, constant.value)
    if (problem !== undefined) return this.fail(arg, problem, call.function === 'matches' ? patternHelp(constant.value) : undefined)
    if (call.function === 'timestamp' || call.function === 'duration') {
      const value = plan(environment, expr)()
      if (isCelError(value))
        return this.fail(
          arg,
          `\`${constant.value}\` is not a ${call.function}`,
          call.function === 'timestamp' ? 'write `2026-12-31T00:00:00Z`' : 'write `90m` or `8h`',
        )
    }
  }

  #index(expr: Expr, [operand, index]: readonly Expr[], locals: Locals): Type {
    if (operand === undefined || index === undefined) return this.fail(expr, 'not understood')
    if (operand.exprKind.case === 'identExpr' && !locals.has(operand.exprKind.value.name) && ROOTS.includes(operand.exprKind.value.name)) {
      const key = index.exprKind.case === 'constExpr' ? index.exprKind.value.constantKind : undefined
      if (key?.case !== 'stringValue') return this.fail(index, 'only a literal name can stand here')
      return this.#member(operand, key.value, index, locals) ?? this.fail(expr, 'not understood')
    }
    const type = this.typeOf(operand, locals)
    const at = this.typeOf(index, locals)
    if (type === 'dyn' && (at === 'int' || at === 'string')) return 'dyn'
    if (typeof type === 'string') return this.fail(operand, `${showType(type)} has no elements`)
    if (at !== 'int') return this.fail(index, 'an index is an int')
    return type.element
  }

  /**
   * `all`, `exists` and `exists_one`, which arrive expanded. Not one inside another, and not the two that build lists, which
   * the evaluator copies for each element: so cost stays linear.
   */
  #comprehension(expr: Expr, loop: Expr_Comprehension, locals: Locals): Type {
    const { iterRange, accuInit, loopCondition, loopStep, result } = loop
    if (iterRange === undefined || accuInit === undefined || loopCondition === undefined || loopStep === undefined || result === undefined)
      return this.fail(expr, 'not understood')
    const range = this.typeOf(iterRange, locals)
    if (typeof range === 'string' && range !== 'dyn') return this.fail(iterRange, `${showType(range)} is not a list`)
    if (locals.size > 0) return this.fail(expr, 'a loop can not stand inside another')
    if (accuInit.exprKind.case === 'listExpr')
      return this.fail(expr, '`map` and `filter` can not be used here', 'write `exists`, `all` or `exists_one`')
    if (++this.#loops > MAX_LOOPS) return this.fail(expr, `more than ${MAX_LOOPS} loops`)
    if (ROOTS.includes(loop.iterVar)) return this.fail(expr, `\`${loop.iterVar}\` can not be the name of an element`)
    const inside = (accumulated: Type): Locals =>
      new Map([
        [loop.iterVar, typeof range === 'string' ? 'dyn' : range.element],
        [loop.accuVar, accumulated],
      ])
    const start = this.typeOf(accuInit, locals)
    const step = this.typeOf(loopStep, inside(start))
    if (step !== start) return this.fail(expr, `the condition of a loop is true or false, not ${showType(step)}`)
    return this.typeOf(result, inside(start))
  }
}

function fits(one: Overload, receiver: Type | undefined, args: readonly Type[]): boolean {
  // What it is in the end, evaluation will say; what doesn't fit then is an error, which grants nothing.
  const accepts = (wanted: Type, given: Type): boolean => {
    if (given === 'dyn') return true
    return typeof wanted === 'string' || typeof given === 'string'
      ? wanted === given
      : wanted.element === 'nothing' || comparable(wanted, given)
  }
  if ((one.receiver === undefined) !== (receiver === undefined) || one.parameters.length !== args.length) return false
  return (
    (one.receiver === undefined || receiver === undefined || accepts(one.receiver, receiver)) &&
    one.parameters.every((wanted, i) => accepts(wanted, args[i]!))
  )
}

function mixedNumbers(args: readonly Type[]): string | undefined {
  return args.length === 2 && args.every(isNumeric) ? 'convert one with `int(...)` or `double(...)`; `1.0` is a double' : undefined
}

function list(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ')
}
