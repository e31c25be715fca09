/**
 * Questions about a token as conditions of Envoy: syntax trees of `google.api.expr.v1alpha1`, in protobuf's JSON. Every one is total: what
 * it reads is looked for and of the right type first, so that no error stands for *no*. Envoy has no comprehensions.
 */
import { quoted, type Formula, type TokenPath, type TokenTest, type TokenValue } from '../core/token.ts'
import { METADATA, PARTS } from './metadata.ts'

export type Cel = { readonly [kind: string]: unknown }

function constant(value: TokenValue): Cel {
  const [kind, said] =
    typeof value === 'string' ? ['stringValue', value] : typeof value === 'number' ? ['doubleValue', value] : ['boolValue', value]
  return { constExpr: { [kind]: said } }
}

function call(name: string, ...args: readonly Cel[]): Cel {
  return { callExpr: { function: name, args } }
}

function method(target: Cel, name: string, ...args: readonly Cel[]): Cel {
  return { callExpr: { target, function: name, args } }
}

function ident(name: string): Cel {
  return { identExpr: { name } }
}

function select(operand: Cel, field: string, testOnly = false): Cel {
  return { selectExpr: { operand, field, ...(testOnly ? { testOnly } : {}) } }
}

function list(values: readonly TokenValue[]): Cel {
  return { listExpr: { elements: values.map(constant) } }
}

const TRUE = constant(true)
const FALSE = constant(false)

/** As flat as it can be: Envoy takes no tree that is nested deep. */
function join(operator: '_&&_' | '_||_', parts: readonly Cel[], none: Cel): Cel {
  if (parts.length < 2) return parts[0] ?? none
  const middle = Math.ceil(parts.length / 2)
  return call(operator, join(operator, parts.slice(0, middle), none), join(operator, parts.slice(middle), none))
}

export function celAll(...parts: readonly Cel[]): Cel {
  return join('_&&_', parts, TRUE)
}

const part = (name: TokenPath['part']): Cel =>
  call('_[_]', call('_[_]', select(ident('metadata'), 'filter_metadata'), constant(METADATA)), constant(PARTS[name]))

const valueAt = ({ part: from, names }: TokenPath): Cel => names.reduce<Cel>((at, name) => call('_[_]', at, constant(name)), part(from))

const isOf = (value: Cel, type: string): Cel => call('_==_', call('type', value), ident(type))

const TYPES: Readonly<Record<string, string>> = { string: 'string', number: 'double', boolean: 'bool', list: 'list', object: 'map' }

/** There is something, and the way to it is made of objects. */
function present({ part: from, names }: TokenPath): readonly Cel[] {
  return names.flatMap((name, index) => {
    const above = valueAt({ part: from, names: names.slice(0, index) })
    return [...(index === 0 ? [] : [isOf(above, 'map')]), select(above, name, true)]
  })
}

function typed(path: TokenPath, type: string): readonly Cel[] {
  return [...present(path), isOf(valueAt(path), TYPES[type]!)]
}

/** Characters that are one UTF-16 code unit each, so that a text's size is its length. */
const ONE_UNIT = '^[\\x{0}-\\x{ffff}]*$'

function ofTest(test: TokenTest): Cel {
  if (test.is === 'address') throw new Error('a condition can not look at networks')
  if (test.is === 'before') return call('_<_', select(ident('request'), 'time'), instant(test.instant))
  const { path } = test
  const value = valueAt(path)
  switch (test.is) {
    case 'present':
      return celAll(...present(path))
    case 'type':
      return celAll(...typed(path, test.type))
    case 'value': {
      const has =
        test.type === 'list'
          ? join(
              '_||_',
              test.values.map((one) => call('@in', constant(one), value)),
              FALSE,
            )
          : call('@in', value, list(test.values))
      return celAll(...typed(path, test.type), has)
    }
    case 'same':
      return celAll(...typed(path, 'string'), ...typed(test.other, 'string'), call('_==_', value, valueAt(test.other)))
    case 'matches':
      return celAll(...typed(path, 'string'), method(value, 'matches', constant(`^(?:${test.pattern})$`)))
    case 'word':
      return celAll(...typed(path, 'string'), method(value, 'matches', constant(`^(?:${wordPattern(test.word)})$`)))
    case 'length': {
      const size = call('size', value)
      return celAll(
        ...typed(path, 'string'),
        call('_!=_', value, constant('')),
        call('_<=_', size, { constExpr: { int64Value: String(test.most) } }),
        method(value, 'matches', constant(ONE_UNIT)),
      )
    }
    case 'span':
      return celAll(...typed(path, 'number'), ...typed(test.since, 'number'), spanned(test))
    case 'compare':
      return celAll(...typed(path, 'number'), call(`_${test.op}_`, value, constant(test.value)))
    case 'past':
      return celAll(...typed(path, 'number'), isPast(test))
    case 'texts':
      throw new Error('a condition can not look at every entry of a list')
  }
}

function spanned({ path, since, most }: TokenTest & { readonly is: 'span' }): Cel {
  return call('_<=_', call('_-_', valueAt(path), valueAt(since)), constant(most))
}

function isPast({ path, skew }: TokenTest & { readonly is: 'past' }): Cel {
  const now = call('double', call('int', select(ident('request'), 'time')))
  return call('_<=_', valueAt(path), call('_+_', now, constant(skew)))
}

/**
 * A part of a condition, all parts of which have to be so: as short as can be, because whatever is missing or of another type is an error
 * there, and Envoy takes no condition that is one for true. It must not be negated.
 */
export function celOfPart(formula: Formula): Cel {
  if ('test' in formula && formula.test.is === 'span') return spanned(formula.test)
  if ('test' in formula && formula.test.is === 'past') return isPast(formula.test)
  return celOf(formula)
}

function instant(milliseconds: number): Cel {
  return call('timestamp', constant(new Date(milliseconds).toISOString()))
}

/** A text of words between single spaces that has this one. */
export function wordPattern(word: string): string {
  return `(?s)(?:.* )?${quoted(word)}(?: .*)?`
}

/** A formula as a condition that comes to true or false for every token of a request that has one. */
export function celOf(formula: Formula): Cel {
  if ('test' in formula) return ofTest(formula.test)
  if ('not' in formula) return call('!_', celOf(formula.not))
  return 'all' in formula ? join('_&&_', formula.all.map(celOf), TRUE) : join('_||_', formula.any.map(celOf), FALSE)
}

/** The tree with a number for each node, as Envoy wants it. */
export function numbered(cel: Cel): Cel {
  let count = 0
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit)
    if (typeof value !== 'object' || value === null) return value
    const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === 'constExpr' ? inner : visit(inner)]))
    return Object.keys(copy).some((key) => key.endsWith('Expr')) ? { id: String(++count), ...copy } : copy
  }
  return visit(cel) as Cel
}
