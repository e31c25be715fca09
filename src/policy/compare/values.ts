/** Values of a claim or another input, cut into classes that nothing in a cell tells apart. */
import type { ClaimType } from '../../config/schema.ts'
import type { OpenInput } from '../actions/cells.ts'
import type { Truth } from '../when/condition.ts'
import type { Comparison, Literal } from './condition.ts'

/** Something that looks at a value. */
export interface Look {
  /** The same for the same look. */
  readonly key: string
  /** Values that it names. */
  readonly names: readonly Literal[]
  /** What it says of a value. */
  readonly at: (value: Literal) => Truth
  /** It says the same of all values between those that are named. Else what it says of them is not known. */
  readonly even: boolean
}

export interface ValueClass {
  /** Some of its values, all of them unless `open`. */
  readonly values: readonly Literal[]
  /** It has other values, too. */
  readonly open: boolean
  /** For people, where it is open: `other`, `above 3`. */
  readonly said: string
  /** Of numbers, what they lie within. */
  readonly spans?: readonly Span[]
}

/** Numbers between two, each of which may be one of them. */
interface Span {
  readonly from: number
  readonly withFrom: boolean
  readonly to: number
  readonly withTo: boolean
}

/** A look at a set of values: whether it has the value. */
export function lookAtSet(key: string, values: ReadonlySet<Literal>): Look {
  return { key, names: [...values], at: (value) => values.has(value), even: true }
}

/** @param whole Only whole numbers, within this range. */
export function classesOf(
  type: Exclude<ClaimType, 'list'>,
  looks: readonly Look[],
  admits: (value: Literal) => boolean = () => true,
  whole?: readonly [number, number],
): readonly ValueClass[] {
  const distinct = distinctLooks(looks)
  const names = new Set(distinct.flatMap((look) => look.names))
  return merged(type === 'number' ? numbers(names, whole) : type === 'boolean' ? truthValues() : texts(names), distinct, admits)
}

function distinctLooks(looks: readonly Look[]): readonly Look[] {
  return [...new Map(looks.map((look) => [look.key, look])).values()]
}

/** Classes of an input of the request. Where it is known what else it can be than what is named, a class of nothing is left out. */
export function inputClasses(input: OpenInput, looks: readonly Look[]): readonly ValueClass[] {
  const { type, admits, values, other, range } = input
  const distinct = distinctLooks(looks)
  const names = new Set(distinct.flatMap((look) => look.names))
  if (type === 'json') return merged(json(names), distinct, admits)
  if (values !== undefined)
    return merged(
      values.map((value) => ({ values: [value], open: false, said: '' })),
      distinct,
      admits,
    )
  if (type === 'number') return merged(numbers(names, range), distinct, admits)
  if (other === undefined) return merged(texts(names), distinct, admits)
  const besides = other(names)
  const named = texts(names).filter(({ open }) => !open)
  return merged(besides === undefined ? named : [...named, { values: [besides], open: true, said: 'other' }], distinct, admits)
}

/** Values within JSON as their texts: absent, of each type those that are told apart, and what is neither a text nor a number. */
function json(names: ReadonlySet<Literal>): readonly ValueClass[] {
  const open = (value: string, said: string): ValueClass => ({ values: [value], open: true, said })
  const text = texts(names).map((one) => (one.open ? open(JSON.stringify(one.values[0]), 'another text') : asJson(one)))
  return [
    { values: [''], open: false, said: '' },
    ...truthValues().map(asJson),
    ...text,
    ...numbers(names, undefined).map((one) => (one.said === 'any' ? open('0', 'a number') : asJson(one))),
    open('null', 'null'),
    open('[]', 'a list'),
    open('{}', 'an object'),
  ]
}

function asJson({ values, ...rest }: ValueClass): ValueClass {
  return { ...rest, values: values.map((one) => JSON.stringify(one)) }
}

function merged(all: readonly ValueClass[], distinct: readonly Look[], admits: (value: Literal) => boolean): readonly ValueClass[] {
  const classes = new Map<string, ValueClass>()
  for (const one of all) {
    if (!one.open && !admits(one.values[0]!)) continue
    const key = distinct.map((look) => (one.open && !look.even ? '?' : shown(look.at(one.values[0]!)))).join('')
    const before = classes.get(key)
    classes.set(key, before === undefined ? one : joined(before, one))
  }
  // The open one last: it is the plain one.
  return [...classes.values()].toSorted((a, b) => Number(a.open) - Number(b.open))
}

function joined(a: ValueClass, b: ValueClass): ValueClass {
  const values = [...a.values, ...b.values]
  const open = a.open || b.open
  if (a.spans !== undefined && b.spans !== undefined) {
    const spans = joinedSpans([...a.spans, ...b.spans])
    return { values, open, said: spans.map(spanSaid).join(' or '), spans }
  }
  return { values, open, said: a.open && b.open ? `${a.said} or ${b.said}` : a.open ? a.said : b.said }
}

/** Those that touch are one. */
function joinedSpans(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = []
  for (const one of spans.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = result.at(-1)
    if (last !== undefined && last.to === one.from && (last.withTo || one.withFrom))
      result[result.length - 1] = { ...last, to: one.to, withTo: one.withTo }
    else result.push(one)
  }
  return result
}

function spanSaid({ from, withFrom, to, withTo }: Span): string {
  const least = `${withFrom ? 'at least' : 'above'} ${from}`
  const most = `${withTo ? 'at most' : 'below'} ${to}`
  if (from === to) return String(from)
  if (from === Number.NEGATIVE_INFINITY) return to === Number.POSITIVE_INFINITY ? 'any' : most
  if (to === Number.POSITIVE_INFINITY) return least
  return withFrom || withTo ? `${least} and ${most}` : `between ${from} and ${to}`
}

function shown(truth: Truth): string {
  return truth === true ? 't' : truth === false ? 'f' : 'e'
}

function truthValues(): readonly ValueClass[] {
  return [true, false].map((value) => ({ values: [value], open: false, said: '' }))
}

function texts(names: ReadonlySet<Literal>): readonly ValueClass[] {
  const named = [...names].filter((one) => typeof one === 'string').toSorted()
  let other = 'other'
  while (names.has(other)) other += '-1'
  return [...named.map((value) => ({ values: [value], open: false, said: '' })), { values: [other], open: true, said: 'other' }]
}

function numbers(names: ReadonlySet<Literal>, whole: readonly [number, number] | undefined): readonly ValueClass[] {
  const [least, most] = whole ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  const named = [...names]
    .filter((one) => typeof one === 'number' && one >= least && one <= most)
    .toSorted((a, b) => Number(a) - Number(b)) as number[]
  const points = whole === undefined ? named : named.filter(Number.isInteger)
  const classes: ValueClass[] = points.map((value) => ({
    values: [value],
    open: false,
    said: '',
    spans: [{ from: value, withFrom: true, to: value, withTo: true }],
  }))
  for (const [i, to] of [...named, Number.POSITIVE_INFINITY].entries()) {
    const from = named[i - 1] ?? Number.NEGATIVE_INFINITY
    const value = whole === undefined ? between(from, to) : wholeBetween(Math.max(from, least - 1), Math.min(to, most + 1))
    const span = { from, withFrom: false, to, withTo: false }
    if (value !== undefined) classes.push({ values: [value], open: true, said: spanSaid(span), spans: [span] })
  }
  return classes
}

/** A number between two, both excluded; undefined where floating point has none. */
function between(from: number, to: number): number | undefined {
  if (from === Number.NEGATIVE_INFINITY) return to === Number.POSITIVE_INFINITY ? 0 : Math.floor(to) - 1
  if (to === Number.POSITIVE_INFINITY) return Math.ceil(from) + 1
  const middle = from + (to - from) / 2
  return middle > from && middle < to ? middle : undefined
}

function wholeBetween(from: number, to: number): number | undefined {
  const value = from === Number.NEGATIVE_INFINITY ? Math.ceil(to) - 1 : Math.floor(from) + 1
  return value > from && value < to ? value : undefined
}

/** Compares as CEL does values of one type, numbers by value. Undefined where the order of texts or truth values is asked for. */
export function compared(op: Comparison, a: Literal, b: Literal): boolean | undefined {
  if (op === '==') return a === b
  if (op === '!=') return a !== b
  if (typeof a !== 'number' || typeof b !== 'number') return undefined
  switch (op) {
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
  }
}
