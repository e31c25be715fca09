/** The index of each resource as it is decided by, whole: whoever takes it in makes nothing anew, and of a place only what is asked about. */
import { vocabularyOf, type ActionPattern, type FlatIndex, type RecordIndex } from '../actions/index.ts'
import { Cell, type GuardrailSlot, type RuleSlot, type ScopeSlot } from '../cell.ts'
import { Cells, type KnownCells } from '../cells.ts'
import type { Binding, Guardrail, Model, Rule } from '../model.ts'
import { bringing } from '../slots.ts'
import { statementsOn } from '../statements.ts'

/** Whole numbers with a sign are kept as those without: what hands them over knows those. */
type Words = Uint32Array<ArrayBuffer>

export interface PackedIndexes {
  /** The indexes of all resources, one after the other, with the records of their cells. */
  readonly tries: Words
  /** Where that of each resource begins, and where the last ends, in the order of resources. */
  readonly starts: Words
  /** By the number of a resource, what else its index has to know. */
  readonly methods: readonly (readonly [resource: number, methods: readonly string[]])[]
  readonly decisions: number
  /** What each cell is made of: the number of the resource, then two numbers for each slot: of the statement, or `SCOPE`, and of the pattern, or scope. */
  readonly slots: Words
  /** Where those of each cell begin, and where the last end. */
  readonly slotStarts: Words
}

/** In place of a statement's number. */
const SCOPE = 0xffff_ffff

function unsigned({ buffer, byteOffset, length }: Int32Array<ArrayBuffer>): Words {
  return new Uint32Array(buffer, byteOffset, length)
}

function signed({ buffer, byteOffset, length }: Words): Int32Array<ArrayBuffer> {
  return new Int32Array(buffer, byteOffset, length)
}

/** Joins arrays that come one by one. */
class Joined {
  readonly #parts: Int32Array<ArrayBuffer>[] = []
  length = 0

  add(part: Int32Array<ArrayBuffer>): void {
    this.#parts.push(part)
    this.length += part.length
  }

  whole(): Words {
    const all = new Int32Array(this.length)
    let at = 0
    for (const part of this.#parts) {
      all.set(part, at)
      at += part.length
    }
    return unsigned(all)
  }
}

type Slot = RuleSlot | GuardrailSlot | ScopeSlot

/** The indexes of those resources whose protocol has one that can be kept. @param indexes Of every role */
export function packIndexes(model: Model, indexes: ReadonlyMap<string, number>): PackedIndexes {
  const numbers = new Map([...model.rules, ...model.guardrails].map((one, i) => [one, i]))
  const cells = new Cells('', [])
  const tries = new Joined()
  const starts: number[] = [0]
  const ownMethods: (readonly [number, readonly string[]])[] = []
  const slots: number[] = []
  const slotStarts: number[] = [0]
  for (const [resource, [name, { protocol }]] of Object.entries(model.world.resources).entries()) {
    const vocabulary = vocabularyOf(protocol)
    if (vocabulary?.flat !== undefined) {
      const brought = broughtTo(name, protocol, model, numbers, indexes)
      const { words, base, end, methods } = vocabulary.flat.write(
        brought.map(({ pattern }, i) => [pattern, i]),
        (all) => {
          slots.push(resource)
          for (const i of all) slots.push(brought[i]!.statement, brought[i]!.at)
          slotStarts.push(slots.length)
          return cells.add(new Cell(all.map((i) => brought[i]!.slot)))
        },
      )
      tries.add(words.subarray(base, end))
      if (methods.length > 0) ownMethods.push([resource, methods])
    }
    starts.push(tries.length)
  }
  return {
    tries: tries.whole(),
    starts: new Uint32Array(starts),
    methods: ownMethods,
    decisions: cells.decisions,
    slots: new Uint32Array(slots),
    slotStarts: new Uint32Array(slotStarts),
  }
}

interface Brought {
  readonly pattern: ActionPattern
  readonly slot: Slot
  readonly statement: number
  /** The number of the pattern among the statement's, or of the scope among the resource's. */
  readonly at: number
}

function broughtTo(
  resource: string,
  protocol: string,
  model: Model,
  numbers: ReadonlyMap<Rule | Guardrail, number>,
  indexes: ReadonlyMap<string, number>,
): readonly Brought[] {
  const all: Brought[] = []
  const { rules, guardrails } = statementsOn(model, resource)
  for (const one of [...rules, ...guardrails]) {
    const bring = bringing(one, indexes)
    for (const [at, { pattern }] of one.actions.entries())
      if (pattern.protocol === protocol) all.push({ pattern, slot: bring(pattern), statement: numbers.get(one)!, at })
  }
  for (const [at, [id, patterns]] of [...(model.scopes.get(resource) ?? [])].entries())
    for (const pattern of patterns) all.push({ pattern, slot: { kind: 'scope', id }, statement: SCOPE, at })
  return all
}

/** What indexes of a packed model are made with. */
export interface Unpacked {
  readonly model: Model
  /** By number: those of rules, then of guardrails counted on from there. */
  readonly statement: (number: number) => Rule | Guardrail
  /** By its place among those of all roles. */
  readonly binding: (place: number) => Binding
}

/** The indexes as they were packed. */
export class UnpackedIndexes implements KnownCells {
  readonly decisions: number
  readonly count: number
  readonly #packed: PackedIndexes
  readonly #tries: Int32Array<ArrayBuffer>
  readonly #unpacked: Unpacked
  readonly #resources: readonly string[]
  readonly #numbers: ReadonlyMap<string, number>
  readonly #methods: ReadonlyMap<number, readonly string[]>
  readonly #indexes: ReadonlyMap<string, number>

  constructor(packed: PackedIndexes, unpacked: Unpacked, indexes: ReadonlyMap<string, number>) {
    this.decisions = packed.decisions
    this.count = packed.slotStarts.length - 1
    this.#packed = packed
    this.#tries = signed(packed.tries)
    this.#unpacked = unpacked
    this.#resources = Object.keys(unpacked.model.world.resources)
    this.#numbers = new Map(this.#resources.map((name, i) => [name, i]))
    this.#methods = new Map(packed.methods)
    this.#indexes = indexes
  }

  /** Undefined where the protocol of the resource has none. */
  of(resource: string): RecordIndex | undefined {
    const number = this.#numbers.get(resource)
    if (number === undefined) return undefined
    const { starts } = this.#packed
    const [base, end] = [starts[number]!, starts[number + 1]!]
    if (base === end) return undefined
    const flat: FlatIndex = { words: this.#tries, base, end, methods: this.#methods.get(number) ?? [] }
    return vocabularyOf(this.#unpacked.model.world.resources[resource]!.protocol)?.flat?.read(flat)
  }

  cell(number: number): Cell {
    const { slots, slotStarts } = this.#packed
    const [first, end] = [slotStarts[number]!, slotStarts[number + 1]!]
    const scopes = this.#unpacked.model.scopes.get(this.#resources[slots[first]!]!)
    const made: Slot[] = []
    for (let i = first + 1; i < end; i += 2) {
      const [statement, at] = [slots[i]!, slots[i + 1]!]
      if (statement === SCOPE) made.push({ kind: 'scope', id: [...scopes!.keys()][at]! })
      else {
        const one = this.#unpacked.statement(statement)
        made.push(bringing(one, this.#indexes)(one.actions[at]!.pattern))
      }
    }
    return new Cell(made)
  }
}
