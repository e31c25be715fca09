/** What can be so or not of a principal and its request, as far as one cell depends on it: the variables of its formulas. */
import type { ClaimType } from '../../config/schema.ts'
import { AUTHENTICATED, EVERYONE } from '../model.ts'
import type { World } from '../world.ts'
import { addressClasses, type AddressClass } from './addresses.ts'
import { ALWAYS, NEVER, type Bdd, type Node } from './bdd.ts'
import type { Literal } from './condition.ts'
import { Domain } from './domain.ts'
import type { PlainBinding, RoleDefinition } from './roles.ts'
import { classesOf, lookAtSet, type Look, type ValueClass } from './values.ts'

export const ANONYMOUS = ''

export type ClaimClass = 'unknown' | 'absent' | ValueClass
export type ListState = 'unknown' | 'absent' | 'list'
export type RoleClass = 'held' | 'unknown' | 'not-held'
export interface Stretch {
  /** Milliseconds since the epoch: from the first to before the second. */
  readonly from: number
  readonly to: number
}
export type InputClass = 'fails' | ValueClass
export type TruthClass = 'true' | 'error' | 'false'

/** A domain and what it is about. */
export type Fact =
  | { readonly about: 'issuer'; readonly domain: Domain<string> }
  | { readonly about: 'kind'; readonly domain: Domain<string> }
  | { readonly about: 'role'; readonly role: string; readonly domain: Domain<RoleClass> }
  | { readonly about: 'claim'; readonly issuer: string; readonly claim: string; readonly domain: Domain<ClaimClass> }
  | { readonly about: 'list'; readonly issuer: string; readonly claim: string; readonly domain: Domain<ListState> }
  /** Whether the list has one of these; for a single value, it. Without values: whether it has others. */
  | {
      readonly about: 'entry'
      readonly issuer: string
      readonly claim: string
      readonly values: readonly Literal[]
      readonly domain: Domain<boolean>
    }
  /** An app's own token, of a client that isn't listed. */
  | { readonly about: 'bare'; readonly domain: Domain<boolean> }
  | { readonly about: 'delegated'; readonly domain: Domain<boolean> }
  | { readonly about: 'scope'; readonly scope: string; readonly domain: Domain<boolean> }
  | { readonly about: 'possession'; readonly domain: Domain<string> }
  | { readonly about: 'active'; readonly role: string; readonly domain: Domain<boolean> }
  | { readonly about: 'time'; readonly domain: Domain<Stretch> }
  | { readonly about: 'address'; readonly domain: Domain<AddressClass> }
  | { readonly about: 'input'; readonly key: string; readonly domain: Domain<InputClass> }
  | { readonly about: 'term'; readonly text: string; readonly domain: Domain<ValueClass> }
  | { readonly about: 'opaque'; readonly text: string; readonly domain: Domain<TruthClass> }
  /** Something that was given with the request: an approval, a justification. */
  | { readonly about: 'said'; readonly key: string; readonly what: string; readonly domain: Domain<boolean> }

/** What the two versions can't be compared by; it says why. */
export class NotComparable extends Error {}

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

export interface InputLooks {
  readonly looks: Look[]
  readonly admits: (value: Literal) => boolean
  readonly mayFail: boolean
}

/**
 * The facts of one cell. First everything that will be asked for is announced (`expect…`), so that values which nothing tells
 * apart become one; then it is asked for. A variable is made when it is first asked for.
 */
export class Facts {
  readonly all: Fact[] = []
  readonly bdd: Bdd
  readonly issuers: readonly string[]
  readonly #worlds: readonly World[]
  readonly #now: number
  readonly #claims = new Map<string, Scalar | List>()
  readonly #kinds = new Set<string>()
  readonly #cuts = new Set<number>()
  readonly #networks = new Set<string>()
  readonly #addresses = new Set<string>()
  readonly #inputs = new Map<string, InputLooks>()
  readonly #terms = new Map<string, { readonly looks: Look[]; readonly range: readonly [number, number] }>()
  readonly #issuer: Domain<string>
  readonly #made = new Map<string, Fact>()
  readonly #roles = new Map<string, { readonly held: Node; readonly maybe: Node }>()
  readonly #links: Node[] = []
  readonly #justifications = new Set<string>()
  /** Whose time it is. */
  readonly #clock: Facts

  /** @param clock Facts of somebody else at the same time. */
  constructor(bdd: Bdd, worlds: readonly World[], now: number, clock?: Facts) {
    this.bdd = bdd
    this.#clock = clock ?? this
    this.#worlds = worlds
    this.#now = now
    this.issuers = [...new Set(worlds.flatMap(({ issuers }) => Object.keys(issuers)))].toSorted()
    this.#issuer = new Domain(bdd, [...this.issuers, ANONYMOUS])
    this.all.push({ about: 'issuer', domain: this.#issuer })
  }

  // Announcing

  expectRole({ bindings, name }: RoleDefinition): void {
    for (const binding of bindings) {
      if (binding.kind !== undefined) this.#kinds.add(binding.kind)
      if (binding.until !== undefined) this.expectCut(binding.until)
      const claim = this.#claimOf(binding.issuer, binding.claim)
      if (claim === undefined) continue
      if (claim.kind === 'scalar') claim.looks.push(lookOf(binding))
      else if (binding.match === 'all') for (const value of binding.values) claim.single.add(value)
      else claim.sets.push(new Set(binding.values))
    }
    if (name !== AUTHENTICATED) return
    for (const issuer of this.issuers) {
      const claim = this.#claimOf(issuer, 'roles')
      if (claim?.kind === 'list') claim.nonEmpty = true
    }
  }

  /** A set of values of a claim, in any of which something will ask to be. */
  expectValues(issuer: string, claim: string, values: ReadonlySet<Literal>): void {
    const found = this.#claimOf(issuer, claim)
    if (found?.kind === 'scalar') found.looks.push(lookAtSet(setKey(values), values))
    else found?.sets.push(new Set(values))
  }

  expectLook(claim: string, type: ClaimType, look: Look): void {
    for (const issuer of this.issuers) {
      const found = this.#claimOf(issuer, claim)
      if (found?.kind === 'scalar' && found.type === type) found.looks.push(look)
    }
  }

  expectEntry(claim: string, value: Literal): void {
    for (const issuer of this.issuers) {
      const found = this.#claimOf(issuer, claim)
      if (found?.kind === 'list') found.sets.push(new Set([value]))
    }
  }

  expectCut(time: number): void {
    const clock = this.#clock
    clock.#cuts.add(time)
  }

  expectNetwork(network: string): void {
    this.#networks.add(network)
  }

  expectAddress(address: string): void {
    this.#addresses.add(address)
  }

  expectInput(key: string, look: Look, admits: (value: Literal) => boolean, mayFail: boolean): void {
    let found = this.#inputs.get(key)
    if (found === undefined) this.#inputs.set(key, (found = { looks: [], admits, mayFail }))
    found.looks.push(look)
  }

  expectTerm(key: string, look: Look, range: readonly [number, number]): void {
    let found = this.#terms.get(key)
    if (found === undefined) this.#terms.set(key, (found = { looks: [], range }))
    found.looks.push(look)
  }

  // Asking

  issuer(includes: (issuer: string) => boolean): Node {
    return this.#issuer.among(includes)
  }

  get anonymous(): Node {
    return this.issuer((one) => one === ANONYMOUS)
  }

  /** Whether a role is held, and whether it is held or can't be told. */
  role(definition: RoleDefinition, told: boolean, world: World): { readonly held: Node; readonly maybe: Node } {
    if (definition.name === EVERYONE) return { held: ALWAYS, maybe: ALWAYS }
    const key = `${definition.name}\n${definition.id}`
    const known = this.#roles.get(key)
    if (known !== undefined) return known
    const domain = told ? this.#role(definition.name) : undefined
    const meaning = this.#meaning(definition, world)
    let made = meaning
    if (domain !== undefined) {
      const { bdd } = this
      made = { held: domain.among((one) => one === 'held'), maybe: domain.among((one) => one !== 'not-held') }
      this.#links.push(bdd.not(bdd.xor(made.held, meaning.held)), bdd.not(bdd.xor(made.maybe, meaning.maybe)))
    }
    this.#roles.set(key, made)
    return made
  }

  #role(role: string): Domain<RoleClass> {
    return this.#fact(`role ${role}`, () => ({
      about: 'role',
      role,
      domain: new Domain<RoleClass>(this.bdd, ['unknown', 'held', 'not-held']),
    })).domain as Domain<RoleClass>
  }

  #meaning({ name, bindings }: RoleDefinition, world: World): { readonly held: Node; readonly maybe: Node } {
    const { bdd } = this
    const each = bindings.map((binding) => this.#binding(binding))
    const held = bdd.any(each.map((one) => one.held))
    const maybe = bdd.or(held, bdd.any(each.map((one) => one.unknown)))
    if (name !== AUTHENTICATED) return { held, maybe }
    const someone = bdd.not(this.anonymous)
    const bare = this.flag('bare', { about: 'bare' })
    const ofItself = this.#perIssuer(world, 'roles', (claim) => (claim.kind === 'list' ? this.#nonEmpty(claim) : NEVER), NEVER)
    const unknown = this.#perIssuer(world, 'roles', (claim) => this.#state(claim, 'unknown'), NEVER)
    const sure = bdd.and(someone, bdd.any([bdd.not(bare), ofItself, held]))
    return { held: sure, maybe: bdd.or(sure, bdd.and(someone, bdd.or(unknown, maybe))) }
  }

  #binding(binding: PlainBinding): { readonly held: Node; readonly unknown: Node } {
    const { bdd } = this
    const claim = this.#claimOf(binding.issuer, binding.claim)
    if (claim === undefined) return { held: NEVER, unknown: NEVER }
    const here = bdd.all([
      this.issuer((one) => one === binding.issuer),
      binding.kind === undefined ? ALWAYS : this.#kind(binding.kind),
      binding.until === undefined ? ALWAYS : this.before(binding.until),
      binding.eligible === undefined ? ALWAYS : this.flag(`active ${binding.eligible}`, { about: 'active', role: binding.eligible }),
    ])
    return { held: bdd.and(here, this.#matches(claim, binding)), unknown: bdd.and(here, this.#state(claim, 'unknown')) }
  }

  #matches(claim: Scalar | List, { match, values }: PlainBinding): Node {
    const { bdd } = this
    if (claim.kind === 'scalar') {
      const absent = match === 'none' ? this.#state(claim, 'absent') : NEVER
      return bdd.or(
        absent,
        this.#valueIs(claim, (one) => (match === 'none') !== values.has(one)),
      )
    }
    const list = this.#state(claim, 'list')
    if (match === 'all') return bdd.and(list, bdd.all([...values].map((value) => this.#hasEntry(claim, [value]))))
    const any = this.#hasEntry(claim, values)
    return match === 'any' ? bdd.and(list, any) : bdd.or(this.#state(claim, 'absent'), bdd.minus(list, any))
  }

  /** That a claim of the caller's issuer is one of these values, or has one of them. */
  hasValue(issuer: string, claim: string, values: ReadonlySet<Literal>): Node {
    const found = this.#claimOf(issuer, claim)
    if (found === undefined) return NEVER
    const value =
      found.kind === 'scalar'
        ? this.#valueIs(found, (one) => values.has(one))
        : this.bdd.and(this.#state(found, 'list'), this.#hasEntry(found, values))
    return this.bdd.and(
      this.issuer((one) => one === issuer),
      value,
    )
  }

  /** Where the claim is there, whatever its value. */
  present(world: World, claim: string): Node {
    return this.#perIssuer(
      world,
      claim,
      (one) =>
        one.kind === 'list' ? this.#state(one, 'list') : this.bdd.not(this.bdd.or(this.#state(one, 'unknown'), this.#state(one, 'absent'))),
      NEVER,
    )
  }

  /** Where the claim is not said to be unknown, and if it is there, of the type that a condition was checked with. */
  tellable(world: World, claim: string, type: ClaimType): Node {
    return this.#perIssuer(
      world,
      claim,
      (one) =>
        (one.kind === 'list' ? 'list' : one.type) === type ? this.bdd.not(this.#state(one, 'unknown')) : this.#state(one, 'absent'),
      ALWAYS,
    )
  }

  /** Where a scalar claim has a value of which something holds. Only what was announced as a look may be asked. */
  claimValue(world: World, claim: string, type: ClaimType, holds: (value: Literal) => boolean): Node {
    return this.#perIssuer(world, claim, (one) => (one.kind === 'scalar' && one.type === type ? this.#valueIs(one, holds) : NEVER), NEVER)
  }

  /** Where a scalar claim has one of the values that are named, each with what is to hold then. */
  linkNamed(claim: string, type: ClaimType, link: (value: Literal) => Node): void {
    for (const issuer of this.issuers) {
      const found = this.#claimOf(issuer, claim)
      if (found?.kind !== 'scalar' || found.type !== type) continue
      for (const one of this.#scalar(found).classes) {
        if (typeof one === 'string' || one.open) continue
        const here = this.bdd.and(
          this.issuer((name) => name === issuer),
          this.#scalar(found).among((other) => other === one),
        )
        this.#links.push(this.bdd.or(this.bdd.not(here), link(one.values[0]!)))
      }
    }
  }

  hasListEntry(world: World, claim: string, value: Literal): Node {
    return this.#perIssuer(
      world,
      claim,
      (one) => (one.kind === 'list' ? this.bdd.and(this.#state(one, 'list'), this.#hasEntry(one, [value])) : NEVER),
      NEVER,
    )
  }

  /** Before an instant that was announced. */
  before(time: number): Node {
    const clock = this.#clock
    return clock.#time().among(({ from }) => from < time)
  }

  /** From an instant on that was announced. */
  from(time: number): Node {
    return this.bdd.not(this.before(time))
  }

  /** That something was given with the request. */
  said(key: string, what: string): Node {
    return this.flag(`said ${key}`, { about: 'said', key, what })
  }

  /** That a justification was given, which matches a pattern; an empty one is matched by any. */
  justified(pattern: string): Node {
    const key = `justification ${pattern}`
    const given = this.said(key, pattern === '' ? 'with a justification' : `with a justification that matches \`${pattern}\``)
    if (!this.#justifications.has(key)) {
      this.#justifications.add(key)
      // What matches a pattern is a justification.
      const any = this.justified('')
      if (pattern !== '') this.#links.push(this.bdd.or(this.bdd.not(given), any))
    }
    return given
  }

  timeIs(holds: (time: number) => boolean): Node {
    return this.#time().among(({ from }) => holds(from))
  }

  address(holds: (text: string) => boolean): Node {
    const { domain } = this.#fact('address', () => ({
      about: 'address',
      domain: new Domain(this.bdd, addressClasses(this.#networks, this.#addresses)),
    }))
    return (domain as Domain<AddressClass>).among(({ text }) => holds(text))
  }

  possession(holds: (method: string) => boolean): Node {
    const { domain } = this.#fact('possession', () => ({ about: 'possession', domain: new Domain(this.bdd, ['dpop', 'mtls', 'none']) }))
    return this.bdd.minus((domain as Domain<string>).among(holds), this.anonymous)
  }

  input(key: string, holds: (value: Literal) => boolean): Node {
    return this.#input(key).among((one) => one !== 'fails' && holds(one.values[0]!))
  }

  inputFails(key: string): Node {
    return this.#input(key).among((one) => one === 'fails')
  }

  term(key: string, text: string, holds: (value: Literal) => boolean): Node {
    const { domain } = this.#fact(`term ${key}`, () => {
      const { looks, range } = this.#terms.get(key)!
      return {
        about: 'term',
        text,
        domain: new Domain(
          this.bdd,
          classesOf('number', looks, () => true, range),
        ),
      }
    })
    return (domain as Domain<ValueClass>).among((one) => holds(one.values[0]!))
  }

  opaque(key: string, text: string, mayFail: boolean): { readonly yes: Node; readonly no: Node } {
    const { domain } = this.#fact(`opaque ${key}`, () => ({
      about: 'opaque',
      text,
      domain: new Domain<TruthClass>(this.bdd, mayFail ? ['true', 'error', 'false'] : ['true', 'false']),
    }))
    const of = (wanted: TruthClass): Node => (domain as Domain<TruthClass>).among((one) => one === wanted)
    return { yes: of('true'), no: of('false') }
  }

  get delegated(): Node {
    return this.bdd.minus(this.flag('delegated', { about: 'delegated' }), this.anonymous)
  }

  scope(scope: string): Node {
    return this.flag(`scope ${scope}`, { about: 'scope', scope })
  }

  flag(
    key: string,
    about:
      | { readonly about: 'bare' | 'delegated' }
      | { readonly about: 'scope'; readonly scope: string }
      | { readonly about: 'active'; readonly role: string }
      | { readonly about: 'said'; readonly key: string; readonly what: string },
  ): Node {
    const { domain } = this.#fact(`flag ${key}`, () => ({ ...about, domain: new Domain<boolean>(this.bdd, [true, false]) }))
    return (domain as Domain<boolean>).among((one) => one)
  }

  /** What has to hold of variables together: roles and what gives them, parts of conditions and the values that they look at. */
  get links(): readonly Node[] {
    return this.#links
  }

  // Variables

  #fact(key: string, make: () => Fact): Fact {
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const made = make()
    this.#made.set(key, made)
    this.all.push(made)
    return made
  }

  #claimOf(issuer: string, claim: string): Scalar | List | undefined {
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
  #perIssuer(world: World, claim: string, each: (one: Scalar | List) => Node, otherwise: Node): Node {
    const { bdd } = this
    const without = new Set<string>([ANONYMOUS])
    let node: Node = NEVER
    for (const issuer of this.issuers) {
      const reads = Object.hasOwn(world.issuers, issuer) && Object.hasOwn(world.issuers[issuer]!.claims, claim)
      const found = reads ? this.#claimOf(issuer, claim) : undefined
      if (found === undefined) without.add(issuer)
      else
        node = bdd.or(
          node,
          bdd.and(
            this.issuer((one) => one === issuer),
            each(found),
          ),
        )
    }
    return bdd.or(
      node,
      bdd.and(
        this.issuer((one) => without.has(one)),
        otherwise,
      ),
    )
  }

  #scalar(claim: Scalar): Domain<ClaimClass> {
    if (claim.domain === undefined) {
      const values = classesOf(claim.type, claim.looks)
      // The plainest last: another value than those that are named.
      claim.domain = new Domain<ClaimClass>(this.bdd, ['unknown', ...values.slice(0, -1), 'absent', values.at(-1)!])
      this.all.push({ about: 'claim', issuer: claim.issuer, claim: claim.claim, domain: claim.domain })
    }
    return claim.domain
  }

  #list(claim: List): Domain<ListState> {
    if (claim.domain === undefined) {
      claim.domain = new Domain<ListState>(this.bdd, ['unknown', 'absent', 'list'])
      const { issuer } = claim
      this.all.push({ about: 'list', issuer, claim: claim.claim, domain: claim.domain })
      claim.entries = entriesOf(claim).map((values) => ({ values, domain: undefined }))
      if (claim.nonEmpty) {
        claim.others = new Domain<boolean>(this.bdd, [true, false])
        this.all.push({ about: 'entry', issuer, claim: claim.claim, values: [], domain: claim.others })
      }
    }
    return claim.domain
  }

  #state(claim: Scalar | List, state: 'unknown' | 'absent' | 'list'): Node {
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
        entry.domain = new Domain<boolean>(this.bdd, [true, false])
        this.all.push({ about: 'entry', issuer, claim, values: entry.values, domain: entry.domain })
      }
      return entry.domain
    })
    return this.bdd.any(domains.map((domain) => domain.among((one) => one)))
  }

  #nonEmpty(claim: List): Node {
    const list = this.#state(claim, 'list')
    const others = claim.others!.among((one) => one)
    return this.bdd.and(list, this.bdd.or(others, this.#anyEntry(claim, claim.entries)))
  }

  #kind(kind: string): Node {
    const { domain } = this.#fact('kind', () => {
      const others = ['human', 'workload', 'managed-identity', 'agent', 'human-via-agent'].filter((one) => !this.#kinds.has(one))
      return { about: 'kind', domain: new Domain(this.bdd, [...this.#kinds, ...others.slice(0, 1)]) }
    })
    return (domain as Domain<string>).among((one) => one === kind)
  }

  #time(): Domain<Stretch> {
    const { domain } = this.#fact('time', () => {
      const cuts = [this.#now, ...[...this.#cuts].filter((one) => one > this.#now).toSorted((a, b) => a - b)]
      const stretches = cuts.map((from, i) => ({ from, to: cuts[i + 1] ?? Number.POSITIVE_INFINITY }))
      // The present is the plain one.
      return { about: 'time', domain: new Domain<Stretch>(this.bdd, [...stretches.slice(1), stretches[0]!]) }
    })
    return domain as Domain<Stretch>
  }

  #input(key: string): Domain<InputClass> {
    const { domain } = this.#fact(`input ${key}`, () => {
      const { looks, admits, mayFail } = this.#inputs.get(key)!
      return {
        about: 'input',
        key,
        domain: new Domain<InputClass>(this.bdd, [...(mayFail ? (['fails'] as const) : []), ...classesOf('string', looks, admits)]),
      }
    })
    return domain as Domain<InputClass>
  }
}

function own(claims: World['issuers'][string]['claims'], claim: string): readonly ClaimType[] {
  return Object.hasOwn(claims, claim) ? [claims[claim]!.type] : []
}

function lookOf({ values }: PlainBinding): Look {
  return lookAtSet(setKey(values), values)
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
