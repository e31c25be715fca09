import type { Identity } from '../core/principal.ts'
import { holds, type RoleState } from './holds.ts'
import type { Binding, Model } from './model.ts'

type Words = Uint32Array<ArrayBuffer>

/**
 * Bindings found by what they look for, so that giving an identity its roles doesn't cost by how many there are. Columns of numbers: nothing
 * for a garbage collector to walk through, and cheap to hand over. What a binding looks for is only read once somebody may have it.
 */
export interface FlatBindings {
  /** Each issuer and claim that is looked at, in the order of the first binding over it. */
  readonly claims: readonly (readonly [issuer: string, claim: string])[]
  /** The row where those of each claim begin, and where the last end. */
  readonly starts: Words
  /** `ROW` numbers for each binding. */
  readonly rows: Words
  /** Instants at which bindings end, milliseconds since the epoch. */
  readonly ends: readonly number[]
  /** Rows of those that look for what isn't there, by claim. */
  readonly nones: Words
  readonly noneStarts: Words
  /** Hashes of what the others look for, by claim and ascending, and the row of each. */
  readonly hashes: Words
  readonly found: Words
  readonly hashStarts: Words
}

/*
 * A row: the index of the role, that of the role to activate for it, what can be said without reading the binding, when it ends (0 for
 * never, or one more than its place in `ends`), and its place among the bindings of all roles.
 */
const ROW = 5
const ROLE = 0
const BY = 1
const FLAGS = 2
const END = 3
const PLACE = 4

const ELIGIBLE = 1
/** By what the claim has, not by what it lacks. */
const SHOWN = 2
/** Times the kind of principal that it is for. */
const KIND = 4
const ANY = 0
const KINDS: Readonly<Record<Identity['kind'], number>> = { human: 1, workload: 2, 'managed-identity': 3, agent: 4, 'human-via-agent': 5 }

/** FNV-1a of a value of a claim. Others may have the same. */
function hashOf(value: string | number | boolean): number {
  const text = typeof value === 'string' ? value : `${typeof value} ${JSON.stringify(value)}`
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Of `all`, any one value is a necessary condition: the first stands for all of them. */
function hashesOf({ match, values }: Binding): readonly number[] {
  const looked = match === 'all' ? [...values].slice(0, 1) : [...values]
  return [...new Set(looked.map(hashOf))]
}

interface Placed {
  readonly binding: Binding
  readonly place: number
}

/** Those that have not ended. @param indexes Of every role @param now Milliseconds since the epoch */
export function flatBindings({ roles }: Pick<Model, 'roles'>, indexes: ReadonlyMap<string, number>, now: number): FlatBindings {
  const byClaim = new Map<string, Placed[]>()
  for (const [place, binding] of bindingsOf({ roles }).entries()) {
    if (binding.until !== undefined && now >= binding.until) continue
    const key = JSON.stringify([binding.issuer, binding.claim])
    const list = byClaim.get(key)
    if (list === undefined) byClaim.set(key, [{ binding, place }])
    else list.push({ binding, place })
  }
  const rows: number[] = []
  const ends = new Map<number, number>()
  const starts = [0]
  const [nones, noneStarts]: [number[], number[]] = [[], [0]]
  const [hashed, hashStarts]: [(readonly [hash: number, row: number])[], number[]] = [[], [0]]
  for (const list of byClaim.values()) {
    const own: (readonly [hash: number, row: number])[] = []
    for (const { binding, place } of list) {
      const row = rows.length / ROW
      if (binding.match === 'none') nones.push(row)
      else for (const hash of hashesOf(binding)) own.push([hash, row])
      rows.push(indexes.get(binding.role)!, indexes.get(binding.via ?? binding.role)!, flagsOf(binding), endOf(binding, ends), place)
    }
    for (const one of own.toSorted(([a], [b]) => a - b)) hashed.push(one)
    starts.push(rows.length / ROW)
    noneStarts.push(nones.length)
    hashStarts.push(hashed.length)
  }
  return {
    claims: [...byClaim.keys()].map((key) => JSON.parse(key) as [string, string]),
    starts: new Uint32Array(starts),
    rows: new Uint32Array(rows),
    ends: [...ends.keys()],
    nones: new Uint32Array(nones),
    noneStarts: new Uint32Array(noneStarts),
    hashes: new Uint32Array(hashed.map(([hash]) => hash)),
    found: new Uint32Array(hashed.map(([, row]) => row)),
    hashStarts: new Uint32Array(hashStarts),
  }
}

/** All of them, in the order that their places are counted in. */
export function bindingsOf({ roles }: Pick<Model, 'roles'>): readonly Binding[] {
  return [...roles.values()].flatMap(({ bindings }) => bindings)
}

function flagsOf({ eligible, match, kind }: Binding): number {
  return (eligible ? ELIGIBLE : 0) + (match === 'none' ? 0 : SHOWN) + KIND * (kind === undefined ? ANY : KINDS[kind])
}

function endOf({ until }: Binding, ends: Map<number, number>): number {
  if (until === undefined) return 0
  const known = ends.get(until) ?? ends.size + 1
  ends.set(until, known)
  return known
}

/** A claim of an issuer that bindings look at. */
export interface BoundClaim {
  readonly name: string
  readonly number: number
}

const NONE: readonly BoundClaim[] = []

/** Flat bindings, by row. */
export class Bindings {
  readonly #flat: FlatBindings
  readonly #roles: readonly string[]
  readonly #at: (place: number) => Binding
  readonly #claims = new Map<string, BoundClaim[]>()
  /** Those that were read, by row. */
  readonly #read = new Map<number, Binding>()

  /**
   * @param roles Names of roles by their index
   * @param at The binding at a place
   */
  constructor(flat: FlatBindings, roles: readonly string[], at: (place: number) => Binding) {
    this.#flat = flat
    this.#roles = roles
    this.#at = at
    for (const [number, [issuer, name]] of flat.claims.entries()) {
      const claims = this.#claims.get(issuer)
      if (claims === undefined) this.#claims.set(issuer, [{ name, number }])
      else claims.push({ name, number })
    }
  }

  /** Claims of an issuer that are looked at. */
  claimsOf(issuer: string): readonly BoundClaim[] {
    return this.#claims.get(issuer) ?? NONE
  }

  /** Rows of those that an identity of the issuer may have by this claim, and of some others; some more than once. */
  candidates(claim: BoundClaim, { claims, unknownClaims }: Identity): Iterable<number> {
    if (unknownClaims.has(claim.name)) return this.rowsOf(claim)
    const rows: number[] = []
    const { nones, noneStarts } = this.#flat
    for (let i = noneStarts[claim.number]!; i < noneStarts[claim.number + 1]!; i++) rows.push(nones[i]!)
    const value = Object.hasOwn(claims, claim.name) ? claims[claim.name] : undefined
    if (value === undefined) return rows
    for (const one of typeof value === 'object' ? value : [value]) this.#find(claim, one, rows)
    return rows
  }

  #find({ number }: BoundClaim, value: string | number | boolean, rows: number[]): void {
    const { hashes, found, hashStarts } = this.#flat
    const hash = hashOf(value)
    const end = hashStarts[number + 1]!
    let [low, high] = [hashStarts[number]!, end]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (hashes[middle]! < hash) low = middle + 1
      else high = middle
    }
    for (let i = low; i < end && hashes[i] === hash; i++) rows.push(found[i]!)
  }

  /** Rows of all that look at the claim. */
  *rowsOf({ number }: BoundClaim): Iterable<number> {
    for (let row = this.#flat.starts[number]!; row < this.#flat.starts[number + 1]!; row++) yield row
  }

  /** What the binding makes of an identity of its issuer. What it looks for is of no account where the claim can't be told. */
  stateOf(row: number, { name }: BoundClaim, identity: Identity): RoleState {
    if (!identity.unknownClaims.has(name)) return holds(this.binding(row), identity)
    const kind = Math.floor(this.#flags(row) / KIND)
    return kind === ANY || kind === KINDS[identity.kind] ? 'unknown' : 'not-held'
  }

  binding(row: number): Binding {
    const known = this.#read.get(row)
    if (known !== undefined) return known
    const read = this.#at(this.#flat.rows[row * ROW + PLACE]!)
    this.#read.set(row, read)
    return read
  }

  role(row: number): string {
    return this.#roles[this.#flat.rows[row * ROW + ROLE]!]!
  }

  /** The role that is activated to have it. */
  by(row: number): string {
    return this.#roles[this.#flat.rows[row * ROW + BY]!]!
  }

  /** Milliseconds since the epoch, or infinity. */
  until(row: number): number {
    const end = this.#flat.rows[row * ROW + END]!
    return end === 0 ? Number.POSITIVE_INFINITY : this.#flat.ends[end - 1]!
  }

  isEligible(row: number): boolean {
    return (this.#flags(row) & ELIGIBLE) !== 0
  }

  /** By what the claim has, not by what it lacks. */
  isShown(row: number): boolean {
    return (this.#flags(row) & SHOWN) !== 0
  }

  #flags(row: number): number {
    return this.#flat.rows[row * ROW + FLAGS]!
  }
}
