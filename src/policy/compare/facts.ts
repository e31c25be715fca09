/** What can be so or not of a principal and its request, as far as one cell depends on it: the variables of its formulas. */
import { AUTHENTICATED, EVERYONE } from '../model.ts'
import type { World } from '../world.ts'
import { addressClasses, type AddressClass } from './addresses.ts'
import { ALWAYS, NEVER, type Bdd, type Node } from './bdd.ts'
import { Claims } from './claims.ts'
import type { OpenInput } from '../actions/cells.ts'
import type { Literal } from './condition.ts'
import { Domain } from './domain.ts'
import { ANONYMOUS, type Fact, type InputClass, type RoleClass, type Stretch, type TruthClass } from './fact.ts'
import type { PlainBinding, RoleDefinition } from './roles.ts'
import { classesOf, inputClasses, type Look, type ValueClass } from './values.ts'

interface InputLooks {
  readonly input: OpenInput
  readonly looks: Look[]
}

/**
 * The facts of one cell. First everything that will be asked for is announced (`expect…`), so that values which nothing tells
 * apart become one; then it is asked for. A variable is made when it is first asked for.
 */
export class Facts {
  readonly all: Fact[] = []
  readonly bdd: Bdd
  readonly issuers: readonly string[]
  readonly claims: Claims
  readonly #now: number
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
    this.#now = now
    this.issuers = [...new Set(worlds.flatMap(({ issuers }) => Object.keys(issuers)))].toSorted()
    this.#issuer = new Domain(bdd, [...this.issuers, ANONYMOUS])
    this.all.push({ about: 'issuer', domain: this.#issuer })
    this.claims = new Claims(bdd, worlds, this.issuers, (includes) => this.issuer(includes), this.all)
  }

  // Announcing

  expectRole({ bindings, name }: RoleDefinition): void {
    for (const binding of bindings) {
      if (binding.kind !== undefined) this.#kinds.add(binding.kind)
      if (binding.until !== undefined) this.expectCut(binding.until)
      this.claims.expectBinding(binding)
    }
    if (name === AUTHENTICATED) this.claims.expectAny('roles')
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

  /** @param look Undefined where it is only asked whether there is something. */
  expectInput(input: OpenInput, look: Look | undefined): void {
    let found = this.#inputs.get(input.key)
    if (found === undefined) this.#inputs.set(input.key, (found = { input, looks: [] }))
    if (look !== undefined) found.looks.push(look)
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
    const ofItself = this.claims.perIssuer(world, 'roles', (claim) => (claim.kind === 'list' ? this.claims.nonEmpty(claim) : NEVER), NEVER)
    const unknown = this.claims.perIssuer(world, 'roles', (claim) => this.claims.state(claim, 'unknown'), NEVER)
    const sure = bdd.and(someone, bdd.any([bdd.not(bare), ofItself, held]))
    return { held: sure, maybe: bdd.or(sure, bdd.and(someone, bdd.or(unknown, maybe))) }
  }

  #binding(binding: PlainBinding): { readonly held: Node; readonly unknown: Node } {
    const { bdd } = this
    const claim = this.claims.of(binding.issuer, binding.claim)
    if (claim === undefined) return { held: NEVER, unknown: NEVER }
    const here = bdd.all([
      this.issuer((one) => one === binding.issuer),
      binding.kind === undefined ? ALWAYS : this.#kind(binding.kind),
      binding.until === undefined ? ALWAYS : this.before(binding.until),
      binding.eligible === undefined ? ALWAYS : this.flag(`active ${binding.eligible}`, { about: 'active', role: binding.eligible }),
    ])
    return { held: bdd.and(here, this.claims.matches(claim, binding)), unknown: bdd.and(here, this.claims.state(claim, 'unknown')) }
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

  term(key: string, text: string, inputs: readonly OpenInput[], holds: (value: Literal) => boolean): Node {
    const { domain } = this.#fact(`term ${key}`, () => {
      const { looks, range } = this.#terms.get(key)!
      return {
        about: 'term',
        text,
        inputs,
        domain: new Domain(
          this.bdd,
          classesOf('number', looks, () => true, range),
        ),
      }
    })
    return (domain as Domain<ValueClass>).among((one) => holds(one.values[0]!))
  }

  opaque(key: string, text: string, inputs: readonly OpenInput[], mayFail: boolean): { readonly yes: Node; readonly no: Node } {
    const { domain } = this.#fact(`opaque ${key}`, () => ({
      about: 'opaque',
      text,
      inputs,
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
    return [...this.#links, ...this.claims.links]
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
      const { input, looks } = this.#inputs.get(key)!
      return {
        about: 'input',
        key,
        input,
        domain: new Domain<InputClass>(this.bdd, [...(input.mayFail ? (['fails'] as const) : []), ...inputClasses(input, looks)]),
      }
    })
    return domain as Domain<InputClass>
  }
}
