/** The claims that a cell depends on, their values in classes that nothing tells apart. */
import type { ClaimType } from '../../config/schema.ts'
import type { World } from '../world.ts'
import { ALWAYS, NEVER, type Bdd, type Node } from './bdd.ts'
import type { Literal } from './condition.ts'
import { Domain } from './domain.ts'
import { ANONYMOUS, NotComparable, type ClaimClass, type Fact, type ListState } from './fact.ts'
import type { PlainBinding } from './roles.ts'
import { classesOf, lookAtSet, type Look } from './values.ts'

interface Scalar {
  readonly kind: 'scalar'
  readonly issuer: string
  readonly claim: string
  readonly type: Exclude<ClaimType, 'list'>
  readonly looks: Look[]
  domain: Domain<ClaimClass> | undefined
}

/** A variable of its own for values that nothing tells apart, made when it is first asked for: beside the role that asks. */
interface Entry {
  readonly values: readonly Literal[]
  domain: Domain<boolean> | undefined
}

interface List {
  readonly kind: 'list'
  readonly issuer: string
  readonly claim: string
  readonly sets: Set<Literal>[]
  /** Values that have to be told apart from all others. */
  readonly single: Set<Literal>
  nonEmpty: boolean
  domain: Domain<ListState> | undefined
  entries: Entry[]
  others: Domain<boolean> | undefined
}

/** First what will be asked for is announced (`expect…`), then it is asked for. A variable is made when it is first asked for. */
export class Claims {
  /** What has to hold of variables together. */
  readonly links: Node[] = []
  readonly #bdd: Bdd
  readonly #worlds: readonly World[]
  readonly #issuers: readonly string[]
  readonly #issuer: (includes: (issuer: string) => boolean) => Node
  readonly #all: Fact[]
  readonly #claims = new Map<string, Scalar | List>()

  /**
   * @param issuer Where the caller is of one of these issuers
   * @param all Takes the facts that are made
   */
  constructor(
    bdd: Bdd,
    worlds: readonly World[],
    issuers: readonly string[],
    issuer: (includes: (issuer: string) => boolean) => Node,
    all: Fact[],
  ) {
    this.#bdd = bdd
    this.#worlds = worlds
    this.#issuers = issuers
    this.#issuer = issuer
    this.#all = all
  }

  expectBinding({ issuer, claim, match, values }: PlainBinding): void {
    const found = this.of(issuer, claim)
    if (found?.kind === 'scalar') found.looks.push(lookAtSet(setKey(values), values))
    else if (match === 'all') for (const value of values) found?.single.add(value)
    else found?.sets.push(new Set(values))
  }

  /** Whether a list has anything at all will be asked. */
  expectAny(claim: string): void {
    for (const issuer of this.#issuers) {
      const found = this.of(issuer, claim)
      if (found?.kind === 'list') found.nonEmpty = true
    }
  }

  /** A set of values of a claim, in any of which something will ask to be. */
  expectValues(issuer: string, claim: string, values: ReadonlySet<Literal>): void {
    const found = this.of(issuer, claim)
    if (found?.kind === 'scalar') found.looks.push(lookAtSet(setKey(values), values))
    else found?.sets.push(new Set(values))
  }

  expectLook(claim: string, type: ClaimType, look: Look): void {
    for (const issuer of this.#issuers) {
      const found = this.of(issuer, claim)
      if (found?.kind === 'scalar' && found.type === type) found.looks.push(look)
    }
  }

  expectEntry(claim: string, value: Literal): void {
    for (const issuer of this.#issuers) {
      const found = this.of(issuer, claim)
      if (found?.kind === 'list') found.sets.push(new Set([value]))
    }
  }

  /** The claim of an issuer; undefined where no version reads it. */
  of(issuer: string, claim: string): Scalar | List | undefined {
    const key = `${issuer}\n${claim}`
    const known = this.#claims.get(key)
    if (known !== undefined) return known
    const types = new Set(
      this.#worlds.flatMap(({ issuers }) => (Object.hasOwn(issuers, issuer) ? own(issuers[issuer]!.claims, claim) : [])),
    )
    if (types.size > 1) throw new NotComparable(`claim \`${claim}\` of issuer \`${issuer}\` is of another type`)
    const [type] = types
    if (type === undefined) return undefined
    const made: Scalar | List =
      type === 'list'
        ? { kind: 'list', issuer, claim, sets: [], single: new Set(), nonEmpty: false, domain: undefined, entries: [], others: undefined }
        : { kind: 'scalar', issuer, claim, type, looks: [], domain: undefined }
    this.#claims.set(key, made)
    return made
  }

  /** By the issuer of the caller: of its claim, or what holds where this version reads no such claim of it, and without a credential. */
  perIssuer(world: World, claim: string, each: (one: Scalar | List) => Node, otherwise: Node): Node {
    const bdd = this.#bdd
    const without = new Set<string>([ANONYMOUS])
    let node: Node = NEVER
    for (const issuer of this.#issuers) {
      const reads = Object.hasOwn(world.issuers, issuer) && Object.hasOwn(world.issuers[issuer]!.claims, claim)
      const found = reads ? this.of(issuer, claim) : undefined
      if (found === undefined) without.add(issuer)
      else
        node = bdd.or(
          node,
          bdd.and(
            this.#issuer((one) => one === issuer),
            each(found),
          ),
        )
    }
    return bdd.or(
      node,
      bdd.and(
        this.#issuer((one) => without.has(one)),
        otherwise,
      ),
    )
  }

  #scalar(claim: Scalar): Domain<ClaimClass> {
    if (claim.domain === undefined) {
      const values = classesOf(claim.type, claim.looks)
      // The plainest last: another value than those that are named.
      claim.domain = new Domain<ClaimClass>(this.#bdd, ['unknown', ...values.slice(0, -1), 'absent', values.at(-1)!])
      this.#all.push({ about: 'claim', issuer: claim.issuer, claim: claim.claim, domain: claim.domain })
    }
    return claim.domain
  }

  #list(claim: List): Domain<ListState> {
    if (claim.domain === undefined) {
      claim.domain = new Domain<ListState>(this.#bdd, ['unknown', 'absent', 'list'])
      const { issuer } = claim
      this.#all.push({ about: 'list', issuer, claim: claim.claim, domain: claim.domain })
      claim.entries = entriesOf(claim).map((values) => ({ values, domain: undefined }))
      if (claim.nonEmpty) {
        claim.others = new Domain<boolean>(this.#bdd, [true, false])
        this.#all.push({ about: 'entry', issuer, claim: claim.claim, values: [], domain: claim.others })
      }
    }
    return claim.domain
  }

  state(claim: Scalar | List, state: 'unknown' | 'absent' | 'list'): Node {
    return claim.kind === 'list' ? this.#list(claim).among((one) => one === state) : this.#scalar(claim).among((one) => one === state)
  }

  #valueIs(claim: Scalar, holds: (value: Literal) => boolean): Node {
    return this.#scalar(claim).among((one) => typeof one !== 'string' && holds(one.values[0]!))
  }

  #hasEntry(claim: List, values: Iterable<Literal>): Node {
    this.#list(claim)
    const wanted = new Set(values)
    return this.#anyEntry(
      claim,
      claim.entries.filter((one) => wanted.has(one.values[0]!)),
    )
  }

  #anyEntry({ issuer, claim }: List, entries: readonly Entry[]): Node {
    const domains = entries.map((entry) => {
      if (entry.domain === undefined) {
        entry.domain = new Domain<boolean>(this.#bdd, [true, false])
        this.#all.push({ about: 'entry', issuer, claim, values: entry.values, domain: entry.domain })
      }
      return entry.domain
    })
    return this.#bdd.any(domains.map((domain) => domain.among((one) => one)))
  }

  nonEmpty(claim: List): Node {
    const list = this.state(claim, 'list')
    const others = claim.others!.among((one) => one)
    return this.#bdd.and(list, this.#bdd.or(others, this.#anyEntry(claim, claim.entries)))
  }

  /** Where the claim is what a binding of its issuer wants. */
  matches(claim: Scalar | List, { match, values }: PlainBinding): Node {
    const bdd = this.#bdd
    if (claim.kind === 'scalar') {
      const absent = match === 'none' ? this.state(claim, 'absent') : NEVER
      return bdd.or(
        absent,
        this.#valueIs(claim, (one) => (match === 'none') !== values.has(one)),
      )
    }
    const list = this.state(claim, 'list')
    if (match === 'all') return bdd.and(list, bdd.all([...values].map((value) => this.#hasEntry(claim, [value]))))
    const any = this.#hasEntry(claim, values)
    return match === 'any' ? bdd.and(list, any) : bdd.or(this.state(claim, 'absent'), bdd.minus(list, any))
  }

  /** That a claim of the caller's issuer is one of these values, or has one of them. */
  hasValue(issuer: string, claim: string, values: ReadonlySet<Literal>): Node {
    const found = this.of(issuer, claim)
    if (found === undefined) return NEVER
    const value =
      found.kind === 'scalar'
        ? this.#valueIs(found, (one) => values.has(one))
        : this.#bdd.and(this.state(found, 'list'), this.#hasEntry(found, values))
    return this.#bdd.and(
      this.#issuer((one) => one === issuer),
      value,
    )
  }

  /** Where the claim is there, whatever its value. */
  present(world: World, claim: string): Node {
    return this.perIssuer(
      world,
      claim,
      (one) =>
        one.kind === 'list' ? this.state(one, 'list') : this.#bdd.not(this.#bdd.or(this.state(one, 'unknown'), this.state(one, 'absent'))),
      NEVER,
    )
  }

  /** Where the claim is not said to be unknown, and if it is there, of the type that a condition was checked with. */
  tellable(world: World, claim: string, type: ClaimType): Node {
    return this.perIssuer(
      world,
      claim,
      (one) => ((one.kind === 'list' ? 'list' : one.type) === type ? this.#bdd.not(this.state(one, 'unknown')) : this.state(one, 'absent')),
      ALWAYS,
    )
  }

  /** Where a scalar claim has a value of which something holds. Only what was announced as a look may be asked. */
  claimValue(world: World, claim: string, type: ClaimType, holds: (value: Literal) => boolean): Node {
    return this.perIssuer(world, claim, (one) => (one.kind === 'scalar' && one.type === type ? this.#valueIs(one, holds) : NEVER), NEVER)
  }

  /** Where a scalar claim has one of the values that are named, each with what is to hold then. */
  linkNamed(claim: string, type: ClaimType, link: (value: Literal) => Node): void {
    for (const issuer of this.#issuers) {
      const found = this.of(issuer, claim)
      if (found?.kind !== 'scalar' || found.type !== type) continue
      for (const one of this.#scalar(found).classes) {
        if (typeof one === 'string' || one.open) continue
        const here = this.#bdd.and(
          this.#issuer((name) => name === issuer),
          this.#scalar(found).among((other) => other === one),
        )
        this.links.push(this.#bdd.or(this.#bdd.not(here), link(one.values[0]!)))
      }
    }
  }

  hasListEntry(world: World, claim: string, value: Literal): Node {
    return this.perIssuer(
      world,
      claim,
      (one) => (one.kind === 'list' ? this.#bdd.and(this.state(one, 'list'), this.#hasEntry(one, [value])) : NEVER),
      NEVER,
    )
  }
}

function own(claims: World['issuers'][string]['claims'], claim: string): readonly ClaimType[] {
  return Object.hasOwn(claims, claim) ? [claims[claim]!.type] : []
}

function setKey(values: ReadonlySet<Literal>): string {
  return `in ${JSON.stringify([...values].map((one) => JSON.stringify(one)).toSorted())}`
}

/** Values of a list in groups that nothing tells apart. */
function entriesOf({ sets, single }: List): readonly (readonly Literal[])[] {
  const distinct = [...new Map(sets.map((set) => [setKey(set), set])).values()]
  const groups = new Map<string, Literal[]>()
  const memberships = new Map<Literal, number[]>()
  for (const [i, set] of distinct.entries())
    for (const value of set) {
      const list = memberships.get(value)
      if (list === undefined) memberships.set(value, [i])
      else list.push(i)
    }
  for (const value of single) if (!memberships.has(value)) memberships.set(value, [])
  for (const [value, within] of memberships) {
    const key = single.has(value) ? `=${JSON.stringify(value)}` : within.join(' ')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return [...groups.values()]
}
