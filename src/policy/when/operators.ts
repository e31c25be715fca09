import { comparable, isNumeric, join, type Type } from './types.ts'

export interface Operator {
  readonly sign: string
  /** Type of the result for these operands; undefined where they don't fit. */
  readonly result: (args: readonly Type[]) => Type | undefined
}

const ORDERED: ReadonlySet<Type> = new Set<Type>(['string', 'bool', 'bytes', 'timestamp', 'duration'])

function ordered(type: Type): boolean {
  return isNumeric(type) || ORDERED.has(type)
}

function logical(sign: string): Operator {
  return { sign, result: (args) => (args.every((arg) => arg === 'bool') ? 'bool' : undefined) }
}

function equality(sign: string): Operator {
  return { sign, result: ([a, b]) => (a !== undefined && b !== undefined && comparable(a, b) ? 'bool' : undefined) }
}

function order(sign: string): Operator {
  return {
    sign,
    result: ([a, b]) => {
      if (a === undefined || b === undefined) return undefined
      if (a === 'dyn' || b === 'dyn') return a === b || ordered(a) || ordered(b) ? 'bool' : undefined
      return (isNumeric(a) && isNumeric(b)) || (a === b && ORDERED.has(a)) ? 'bool' : undefined
    },
  }
}

/** Result types of the operands' types, as `left right`. */
function arithmetic(sign: string, others: Readonly<Record<string, Type>> = {}): Operator {
  return {
    sign,
    result: ([a, b]) => {
      if (a === undefined || b === undefined) return undefined
      if (isNumeric(a)) return a === b && !(sign === '%' && a === 'double') ? a : undefined
      if (sign === '+' && typeof a !== 'string' && typeof b !== 'string') return join(a, b)
      return typeof a === 'string' && typeof b === 'string' ? others[`${a} ${b}`] : undefined
    },
  }
}

/** CEL's operators under the names that they have in its syntax tree. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  '_&&_': logical('&&'),
  '_||_': logical('||'),
  '!_': logical('!'),
  '@not_strictly_false': logical('all'),
  '_==_': equality('=='),
  '_!=_': equality('!='),
  '_<_': order('<'),
  '_<=_': order('<='),
  '_>_': order('>'),
  '_>=_': order('>='),
  '_+_': arithmetic('+', {
    'string string': 'string',
    'bytes bytes': 'bytes',
    'timestamp duration': 'timestamp',
    'duration timestamp': 'timestamp',
    'duration duration': 'duration',
  }),
  '_-_': arithmetic('-', { 'timestamp timestamp': 'duration', 'timestamp duration': 'timestamp', 'duration duration': 'duration' }),
  '_*_': arithmetic('*'),
  '_/_': arithmetic('/'),
  '_%_': arithmetic('%'),
  '-_': { sign: '-', result: ([a]) => (a === 'int' || a === 'double' ? a : undefined) },
  '@in': {
    sign: 'in',
    result: ([a, b]) => {
      if (a === undefined || b === undefined) return undefined
      if (b === 'dyn') return 'bool'
      return typeof b !== 'string' && comparable(a, b.element) ? 'bool' : undefined
    },
  },
  '_?_:_': {
    sign: '? :',
    result: ([condition, a, b]) => (condition === 'bool' && a !== undefined && b !== undefined ? join(a, b) : undefined),
  },
}
