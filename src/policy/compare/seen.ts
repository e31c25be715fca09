/** What a part of a condition looks at in one cell, and what it says of it. */
import type { ClaimType } from '../../config/schema.ts'
import type { CellInput } from '../actions/http/cells.ts'
import type { Input, Truth } from '../when/condition.ts'
import { inNetwork } from './addresses.ts'
import { evaluatePart, shown, written, type Literal, type Operand, type Part, type Reads, type Shape } from './condition.ts'
import { compared, type Look } from './values.ts'

/** What is known in the cell of an input of `request` and `params`; undefined for claims and `context`. */
export type InputOf = (reads: Reads) => CellInput | undefined

/** @param claims Claims of the condition, with the types that it was checked with */
export function seenBy(part: Part, claims: ReadonlyMap<string, ClaimType>, inputOf: InputOf): Seen {
  return shapeSeen(part.shape, claims, inputOf) ?? opaque(part, claims, inputOf)
}

export type Seen =
  | { readonly kind: 'constant'; readonly truth: Truth }
  | { readonly kind: 'present'; readonly claim: string }
  | { readonly kind: 'claim'; readonly claim: string; readonly type: ClaimType; readonly look: Look }
  | { readonly kind: 'entry'; readonly claim: string; readonly value: Literal }
  | { readonly kind: 'time'; readonly cuts: readonly number[]; readonly at: (time: number) => boolean }
  | {
      readonly kind: 'address'
      readonly network: string | undefined
      readonly texts: readonly string[]
      readonly at: (text: string) => boolean | undefined
    }
  | { readonly kind: 'input'; readonly input: Extract<CellInput, { kind: 'open' }>; readonly look: Look }
  | {
      readonly kind: 'term'
      readonly key: string
      readonly text: string
      readonly look: Look
      readonly range: readonly [number, number]
      readonly claims: readonly string[]
    }
  | {
      readonly kind: 'opaque'
      readonly key: string
      readonly text: string
      /** Claims without which it is an error. */
      readonly needs: readonly string[]
      readonly mayFail: boolean
      /** The one thing that it looks at, where that is a claim that can be tried. */
      readonly alone: { readonly claim: string; readonly type: ClaimType; readonly look: Look } | undefined
    }

/** A literal, what is fixed here, or what is left open. */
type Given = { readonly value: Literal | undefined } | { readonly open: Reads; readonly input: CellInput | undefined }

function shapeSeen(shape: Shape, claims: ReadonlyMap<string, ClaimType>, inputOf: InputOf): Seen | undefined {
  const given = (operand: Operand): Given => {
    if (operand.kind === 'literal') return { value: operand.value }
    const input = inputOf(operand.reads)
    return input?.kind === 'fixed' ? { value: input.value } : { open: operand.reads, input }
  }
  switch (shape.kind) {
    case 'has':
      return { kind: 'present', claim: shape.claim }
    case 'truth': {
      const look: Look = { key: 'true', names: [], at: (value) => value === true, even: true }
      return { kind: 'claim', claim: shape.claim, type: 'boolean', look }
    }
    case 'contains': {
      const value = given(shape.value)
      return 'value' in value && value.value !== undefined && claims.get(shape.claim) === 'list'
        ? { kind: 'entry', claim: shape.claim, value: value.value }
        : undefined
    }
    case 'compare': {
      const [left, right] = [given(shape.left), given(shape.right)]
      if (!('open' in left) || !('value' in right) || right.value === undefined) return undefined
      const { op } = shape
      const { value } = right
      // The order of texts is not looked into.
      if (compared(op, value, value) === undefined) return undefined
      return lookedAt(left, claims, {
        key: `${op} ${JSON.stringify(value)}`,
        names: [value],
        at: (one) => compared(op, one, value) === true,
        even: true,
      })
    }
    case 'within': {
      const left = given(shape.left)
      const list = shape.list.map(given)
      if (!('open' in left) || list.some((one) => !('value' in one) || one.value === undefined)) return undefined
      const values = new Set(list.map((one) => (one as { value: Literal }).value))
      return lookedAt(left, claims, {
        key: `in ${JSON.stringify([...values])}`,
        names: [...values],
        at: (one) => values.has(one),
        even: true,
      })
    }
    case 'time': {
      const { op, instant } = shape
      const below = instant / 1_000_000n
      return {
        kind: 'time',
        cuts: [Number(below), Number(below) + 1],
        at: (time) => inOrder(op, BigInt(time) * 1_000_000n, instant),
      }
    }
    case 'network':
      return { kind: 'address', network: shape.network, texts: [], at: (text) => inNetwork(text, shape.network) }
    case 'number':
    case 'opaque':
      return undefined
  }
}

function lookedAt(
  { open: { root, name }, input }: Extract<Given, { open: Reads }>,
  claims: ReadonlyMap<string, ClaimType>,
  look: Look,
): Seen | undefined {
  if (root === 'claims') {
    const type = claims.get(name)
    return type === undefined || type === 'list' ? undefined : { kind: 'claim', claim: name, type, look }
  }
  if (root === 'context' && name === 'ip') {
    const texts = look.names.filter((one) => typeof one === 'string')
    return { kind: 'address', network: undefined, texts, at: (text) => look.at(text) === true }
  }
  return input?.kind === 'open' ? { kind: 'input', input, look } : undefined
}

function inOrder(op: '==' | '!=' | '<' | '<=' | '>' | '>=', a: bigint, b: bigint): boolean {
  switch (op) {
    case '==':
      return a === b
    case '!=':
      return a !== b
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

/** Functions and operators that come to a result whatever they are given. */
const SAFE = new Set(
  [
    'size startsWith endsWith contains matches string timestamp duration',
    'getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds',
    '_&&_ _||_ !_ _?_:_ _==_ _!=_ _<_ _<=_ _>_ _>=_ @in @not_strictly_false',
  ].flatMap((names) => names.split(' ')),
)

/** Whether something in a written expression can fail by itself. */
function fails(key: string): boolean {
  return [...key.matchAll(/\["call","([^"]*)"/g)].some(([, name]) => !SAFE.has(name!))
}

const NOWHERE: Input = {
  claims: Object.create(null) as Input['claims'],
  unknownClaims: new Set(),
  time: 0,
  ip: '',
  action: { protocol: 'http', method: '', path: '' },
  parameters: new Map(),
}

function fixedValues(fixed: readonly { readonly reads: Reads; readonly input: CellInput | undefined }[]): Partial<Input> {
  const parameters = new Map<string, string | undefined>()
  let method = ''
  for (const { reads, input } of fixed) {
    if (input?.kind !== 'fixed') continue
    if (reads.root === 'params') parameters.set(reads.name, input.value)
    else if (reads.name === 'method') method = input.value ?? ''
  }
  return { parameters, action: { protocol: 'http', method, path: '' } }
}

/** A part that nothing more is known of, unless all that it looks at is fixed here. */
function opaque(part: Part, claims: ReadonlyMap<string, ClaimType>, inputOf: InputOf): Seen {
  const inputs = part.reads.map((reads) => ({ reads, input: inputOf(reads) }))
  const fixed = inputs.filter(({ input }) => input?.kind === 'fixed')
  const open = inputs.filter(({ input }) => input?.kind !== 'fixed')
  const at = (more: Partial<Input>): Truth => evaluatePart(part, claims, { ...NOWHERE, ...fixedValues(fixed), ...more })
  const rename = (reads: Reads): string => {
    const input = inputOf(reads)
    return input === undefined ? `${reads.root}.${reads.name}` : input.kind === 'fixed' ? `= ${input.value ?? ''}` : input.key
  }
  const key = written(part.expr, rename)
  if (open.length === 0) return { kind: 'constant', truth: at({}) }
  const needs = part.strict ? open.flatMap(({ reads }) => (reads.root === 'claims' ? [reads.name] : [])) : []
  const { shape } = part
  if (shape.kind === 'number' && part.strict && open.every(({ reads, input }) => input === undefined && reads.root !== 'request')) {
    const { op, value, range } = shape
    const look: Look = { key: `${op} ${value}`, names: [value], at: (one) => compared(op, one, value) === true, even: true }
    return { kind: 'term', key: written(shape.term, rename), text: shown(shape.term, part.parsed), look, range, claims: needs }
  }
  const [only] = open
  const type = only === undefined || open.length > 1 || only.reads.root !== 'claims' ? undefined : claims.get(only.reads.name)
  const alone =
    only === undefined || type === undefined || type === 'list'
      ? undefined
      : {
          claim: only.reads.name,
          type,
          look: { key, names: [], at: (value: Literal) => at({ claims: { [only.reads.name]: value } }), even: false },
        }
  const mayFail = !part.strict || fails(key) || open.some(({ input }) => input?.kind === 'open' && input.mayFail)
  return { kind: 'opaque', key, text: shown(part.expr, part.parsed), needs, mayFail, alone }
}
