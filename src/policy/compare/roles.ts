/** What gives the roles of one policy, in a form in which two versions can be told to be the same. */
import type { ClaimType } from '../../config/schema.ts'
import { AUTHENTICATED, type Binding, type Model } from '../model.ts'
import type { Literal } from './condition.ts'

/** A binding as far as it decides. */
export interface PlainBinding {
  readonly issuer: string
  readonly claim: string
  readonly type: ClaimType
  readonly match: Binding['match']
  readonly values: ReadonlySet<Literal>
  readonly kind: Binding['kind']
  /** Milliseconds since the epoch; undefined for ever. */
  readonly until: number | undefined
  /** The role that has to be activated first; undefined where it is held without. */
  readonly eligible: string | undefined
}

export interface RoleDefinition {
  readonly name: string
  /** The same number for the same bindings, in both versions. */
  readonly id: number
  readonly bindings: readonly PlainBinding[]
  /** Something in it that isn't understood here. */
  readonly foreign: string | undefined
}

const KNOWN = new Set(['role', 'issuer', 'claim', 'type', 'match', 'values', 'kind', 'until', 'via', 'eligible', 'span'])

/** Numbers texts, so that equal ones have equal numbers. */
export class Numbers {
  readonly #numbers = new Map<string, number>()

  of(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.#numbers.set(text, this.#numbers.size)
    return this.#numbers.size - 1
  }
}

/** Definitions of all roles of a model, `authenticated` included, as of `now` (milliseconds since the epoch). */
export function roleDefinitions({ roles, world }: Model, now: number, numbers: Numbers): ReadonlyMap<string, RoleDefinition> {
  const all = new Map<string, RoleDefinition>()
  const every = new Map<string, PlainBinding>()
  let anyForeign: string | undefined
  for (const [name, role] of roles) {
    const active = role.bindings.filter(({ until }) => until === undefined || now < until)
    const bindings = active.map(plainBinding)
    const foreign = active.flatMap((one) => foreignKeys(one, KNOWN)).at(0)
    anyForeign ??= foreign
    all.set(name, define(name, bindings, foreign, numbers))
    for (const one of bindings) if (one.match !== 'none') merge(every, one)
  }
  // It also looks at whether there are app roles, where that claim is read.
  const readers = Object.entries(world.issuers).flatMap(([issuer, { claims }]) =>
    Object.hasOwn(claims, 'roles') ? [`${issuer} ${claims['roles']!.type}`] : [],
  )
  all.set(AUTHENTICATED, define(AUTHENTICATED, [...every.values()], anyForeign, numbers, readers.toSorted()))
  return all
}

/** Keys of something that are set and not known here. */
export function foreignKeys(value: object, known: ReadonlySet<string>): readonly string[] {
  return Object.entries(value).flatMap(([key, one]) => (one === undefined || known.has(key) ? [] : [key]))
}

function plainBinding(binding: Binding): PlainBinding {
  const { role, issuer, claim, type, match, values, kind, until, via } = binding
  const eligible = (binding as { readonly eligible?: unknown }).eligible === true ? (via ?? role) : undefined
  return { issuer, claim, type, match, values, kind, until, eligible }
}

/** Whoever has one of the values of any role is `authenticated`: bindings that differ in their values only are one. */
function merge(every: Map<string, PlainBinding>, one: PlainBinding): void {
  const key = one.match === 'any' ? shape(one, '') : text(one)
  const before = every.get(key)
  every.set(key, before === undefined ? one : { ...one, values: new Set([...before.values, ...one.values]) })
}

function define(
  name: string,
  bindings: readonly PlainBinding[],
  foreign: string | undefined,
  numbers: Numbers,
  more: readonly string[] = [],
): RoleDefinition {
  const texts = [...new Set(bindings.map(text))].toSorted()
  return { name, id: numbers.of(JSON.stringify([name === AUTHENTICATED, more, foreign, ...texts])), bindings, foreign }
}

function shape({ issuer, claim, type, match, kind, until, eligible }: PlainBinding, values: string): string {
  return JSON.stringify([issuer, claim, type, match, kind, until, eligible, values])
}

function text(one: PlainBinding): string {
  return shape(one, JSON.stringify([...one.values].map((value) => JSON.stringify(value)).toSorted()))
}
