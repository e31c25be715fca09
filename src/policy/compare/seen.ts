/** What a part of a condition looks at in one cell, and what it says of it. */
import type { ClaimType } from '../../config/schema.ts'
import type { ActionCell, CellInput, OpenInput, Scalar } from '../actions/cells.ts'
import type { Action } from '../../core/action.ts'
import type { Input, Truth } from '../when/condition.ts'
import { inNetwork } from './addresses.ts'
import { NotComparable } from './fact.ts'
import { evaluatePart, shown, written, type Literal, type Operand, type Part, type Reads } from './condition.ts'
import { compared, type Look } from './values.ts'

/** The cell that a part is looked at in. */
export interface InCell {
  /** What is known of an input of `request` and `params`; undefined for claims and `context`. */
  readonly input: (reads: Reads) => CellInput | undefined
  readonly action: ActionCell['action']
}

/** @param claims Claims of the condition, with the types that it was checked with */
export function seenBy(part: Part, claims: ReadonlyMap<string, ClaimType>, cell: InCell): Seen {
  return shapeSeen(part, claims, cell) ?? opaque(part, claims, cell)
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
  | { readonly kind: 'input'; readonly input: OpenInput; readonly look: Look }
  /** Whether it can be read. */
  | { readonly kind: 'readable'; readonly input: OpenInput }
  | {
      readonly kind: 'term'
      readonly key: string
      readonly text: string
      readonly look: Look
      readonly range: readonly [number, number]
      readonly claims: readonly string[]
      readonly inputs: readonly OpenInput[]
    }
  | {
      readonly kind: 'opaque'
      readonly key: string
      readonly text: string
      /** Claims without which it is an error. */
      readonly needs: readonly string[]
      readonly mayFail: boolean
      /** What of the request it looks at. */
      readonly inputs: readonly OpenInput[]
      /** The one thing that it looks at, where that is a claim that can be tried. */
      readonly alone: { readonly claim: string; readonly type: ClaimType; readonly look: Look } | undefined
    }

/** A literal, what is fixed here, or what is left open. */
type Given = { readonly value: Literal | undefined } | { readonly open: Reads; readonly input: CellInput | undefined }

function shapeSeen(part: Part, claims: ReadonlyMap<string, ClaimType>, cell: InCell): Seen | undefined {
  const { shape } = part
  const given = (operand: Operand): Given => {
    if (operand.kind === 'literal') return { value: operand.value }
    const input = cell.input(operand.reads)
    if (input?.kind === 'fixed' && !isScalar(input.value)) return { open: operand.reads, input }
    return input?.kind === 'fixed' ? { value: literalOf(input.value) } : { open: operand.reads, input }
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
    case 'listed': {
      const input = cell.input(shape.list)
      const value = given(shape.value)
      if (input?.kind !== 'list' || !('value' in value) || value.value === undefined) return undefined
      const truth = input.has(value.value)
      return truth === undefined ? undefined : { kind: 'constant', truth }
    }
    case 'readable': {
      const input = cell.input(shape.reads)
      if (input?.kind === 'open' && input.type === 'json') return within(part, claims, cell, input, [])
      if (input?.kind !== 'open') return undefined
      return input.mayFail ? { kind: 'readable', input } : { kind: 'constant', truth: true }
    }
    case 'compare': {
      const [left, right] = [given(shape.left), given(shape.right)]
      if (!('open' in left) || !('value' in right) || right.value === undefined) return undefined
      const { op } = shape
      const { value } = right
      // The order of texts is not looked into.
      if (compared(op, value, value) === undefined) return undefined
      if (left.input?.kind === 'open' && left.input.type === 'json') return within(part, claims, cell, left.input, [value])
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
      if (left.input?.kind === 'open' && left.input.type === 'json') return within(part, claims, cell, left.input, [...values])
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

function isScalar(value: unknown): boolean {
  return value === undefined || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
}

function literalOf(value: unknown): Literal | undefined {
  return typeof value === 'bigint' ? Number(value) : (value as Literal | undefined)
}

/** A look at a value within JSON: what it says of one, the engine tells, which knows what can be compared with what. */
function within(part: Part, claims: ReadonlyMap<string, ClaimType>, cell: InCell, input: OpenInput, names: readonly Literal[]): Seen {
  return {
    kind: 'input',
    input,
    look: {
      key: written(part.expr, ({ root, name }) => `${root}.${name}`),
      names,
      at: (json) => evaluatePart(part, claims, { ...NOWHERE, action: actionOf(cell, new Map([[input.key, json]])) }),
      even: true,
    },
  }
}

function actionOf(cell: InCell, values: ReadonlyMap<string, Scalar>): Action {
  const action = cell.action(values)
  if (action === undefined) throw new NotComparable('no action was found that its patterns cover')
  return action
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

/** A part that nothing more is known of, unless all that it looks at is fixed here. */
function opaque(part: Part, claims: ReadonlyMap<string, ClaimType>, cell: InCell): Seen {
  const inputs = part.reads.map((reads) => ({ reads, input: cell.input(reads) }))
  const fixed = inputs.flatMap(({ reads, input }) => (input?.kind === 'fixed' ? [{ reads, value: input.value }] : []))
  const open = inputs.filter(({ input }) => input?.kind !== 'fixed')
  const looked = open.flatMap(({ input }) => (input?.kind === 'open' ? [input] : input?.kind === 'list' ? [input.open] : []))
  const at = (more: Partial<Input>): Truth =>
    evaluatePart(part, claims, {
      ...NOWHERE,
      // What is fixed is so in every action of the cell.
      ...(fixed.some(({ reads }) => reads.root === 'request') ? { action: actionOf(cell, new Map()) } : {}),
      parameters: new Map(
        fixed.flatMap(({ reads, value }) => (reads.root === 'params' ? [[reads.name, value as string | undefined]] : [])),
      ),
      ...more,
    })
  const rename = (reads: Reads): string => {
    const input = cell.input(reads)
    if (input === undefined) return `${reads.root}.${reads.name}`
    if (input.kind === 'fixed') return `= ${typeof input.value === 'object' ? JSON.stringify(input.value) : String(input.value ?? '')}`
    return input.kind === 'open' ? input.key : input.open.key
  }
  const key = written(part.expr, rename)
  if (open.length === 0) return { kind: 'constant', truth: at({}) }
  const needs = part.strict ? open.flatMap(({ reads }) => (reads.root === 'claims' ? [reads.name] : [])) : []
  const { shape } = part
  if (shape.kind === 'number' && part.strict && looked.every(({ mayFail, type }) => !mayFail && type === 'string')) {
    const { op, value, range } = shape
    const look: Look = { key: `${op} ${value}`, names: [value], at: (one) => compared(op, one, value) === true, even: true }
    return {
      kind: 'term',
      key: written(shape.term, rename),
      text: shown(shape.term, part.parsed),
      look,
      range,
      claims: needs,
      inputs: looked,
    }
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
  const mayFail =
    !part.strict || fails(key) || looked.some((one) => one.mayFail || one.type === 'json') || fixed.some(({ value }) => value === undefined)
  return { kind: 'opaque', key, text: shown(part.expr, part.parsed), needs, mayFail, inputs: looked, alone }
}
