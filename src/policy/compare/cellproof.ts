/** One cell and one class of callers: what an enforcement point lets through against what the policy allows. */
import { all, not, type Formula, type NativeIssuer, type TokenPath, type TokenTest } from '../../core/token.ts'
import type { ActionCell } from '../actions/cells.ts'
import { inNetwork } from './addresses.ts'
import { ALWAYS, Bdd, NEVER, type Node } from './bdd.ts'
import { ANONYMOUS, type Fact } from './fact.ts'
import { Facts } from './facts.ts'
import { Formulas, type Side } from './formula.ts'
import { compared, type Look } from './values.ts'

/** Something that the policy has a name for, and what a token shows of it. */
interface Link {
  readonly fact: (facts: Facts) => Node
  readonly formula: Formula
}

/** Somebody who is decided otherwise. */
export interface Difference {
  /** `wider`: what is let through the policy denies. */
  readonly direction: 'wider' | 'narrower'
  /** The name of the caller's issuer; undefined for nobody. */
  readonly issuer: string | undefined
  /** What is so of the caller and the request, for people; nothing for anybody. */
  readonly who: readonly string[]
}

/** From the first instant to before the second, in milliseconds since the epoch; undefined for ever. */
export interface Stretch {
  readonly now: number
  readonly until: number | undefined
}

/** One in each direction. @throws NotComparable, TooLarge, RangeError where it can't be told */
export function differencesIn(
  side: Side,
  cell: ActionCell,
  issuer: NativeIssuer | undefined,
  time: Stretch,
  maxNodes: number,
  told: Formula,
): readonly Difference[] {
  // Most of the time that is enough: what else has to be so of a token only leaves less that differs.
  if (new CellProof(side, cell, issuer, time, maxNodes).agrees(told)) return []
  return new CellProof(side, cell, issuer, time, maxNodes).differences(told)
}

/** One cell and one class of callers. */
class CellProof {
  readonly #bdd: Bdd
  readonly #facts: Facts
  readonly #peer: Facts
  readonly #side: Side
  readonly #issuer: NativeIssuer | undefined
  readonly #until: number | undefined
  readonly #formulas: Formulas
  /** Declared claims by where they stand. */
  readonly #claims: ReadonlyMap<string, string>
  /** Questions that are about no claim that policy speaks of. */
  readonly #free = new Map<string, { readonly test: TokenTest; readonly variable: number }>()

  constructor(side: Side, cell: ActionCell, issuer: NativeIssuer | undefined, { now, until }: Stretch, maxNodes: number) {
    this.#bdd = new Bdd(maxNodes)
    this.#facts = new Facts(this.#bdd, [side.world], now)
    this.#peer = new Facts(this.#bdd, [side.world], now, this.#facts)
    if (until !== undefined) this.#facts.expectCut(until)
    this.#until = until
    this.#side = side
    this.#issuer = issuer
    this.#formulas = new Formulas(side, this.#facts, this.#peer, cell, () => false)
    const own = Object.entries(issuer?.claims ?? {})
    this.#claims = new Map(own.flatMap(([claim, { path }]) => (path === undefined ? [] : [[pathKey(path), claim] as const])))
  }

  /** Whether nothing differs, whatever tokens of the class are like. */
  agrees(told: Formula): boolean {
    const bdd = this.#bdd
    this.#formulas.expect()
    this.#expect(told)
    const denied = bdd.any(this.#formulas.restrictions(this.#formulas.masks).map(({ node }) => node))
    const differs = bdd.not(bdd.xor(this.#node(told), denied))
    return bdd.and(differs, this.#plainly()) === NEVER
  }

  differences(told: Formula): readonly Difference[] {
    const bdd = this.#bdd
    const links = this.#links()
    this.#formulas.expect()
    for (const formula of [told, ...links.map((link) => link.formula)]) this.#expect(formula)
    if (this.#issuer !== undefined)
      for (const formula of [this.#issuer.credential, ...Object.values(this.#issuer.kinds)]) this.#expect(formula)
    const denied = bdd.any(this.#formulas.restrictions(this.#formulas.masks).map(({ node }) => node))
    const allowed = this.#node(told)
    // What tokens are like first: it makes facts of its own.
    const ofToken = this.#ofToken(links)
    const possible = bdd.and(ofToken, this.#plainly())
    // The rest of what is so of somebody matters to neither.
    const spoken = new Set<number>()
    for (const node of [allowed, denied]) bdd.support(node, spoken)
    const direction = (node: Node, name: Difference['direction']): readonly Difference[] => {
      const path = bdd.path(bdd.and(node, possible))
      if (path === undefined) return []
      const about = new Map([...path].filter(([variable]) => spoken.has(variable)))
      return [{ direction: name, issuer: this.#issuer?.name, who: this.#who(about) }]
    }
    return [...direction(bdd.and(allowed, denied), 'wider'), ...direction(bdd.not(bdd.or(allowed, denied)), 'narrower')]
  }

  /** What a token shows of things that the policy has names for. */
  #links(): readonly Link[] {
    const issuer = this.#issuer
    if (issuer === undefined) return []
    const scopes = [...new Set(this.#side.scopes)]
    return [
      { fact: (facts) => facts.flag('bare', { about: 'bare' }), formula: all(issuer.appOnly, not(issuer.listedClient)) },
      { fact: (facts) => facts.flag('delegated', { about: 'delegated' }), formula: issuer.capped },
      ...scopes.map((scope) => ({ fact: (facts: Facts) => facts.scope(scope), formula: issuer.hasScope(scope) })),
      ...Object.entries(issuer.claims).flatMap(([claim, { isTrue }]) =>
        isTrue === undefined || this.#facts.claims.of(issuer.name, claim) === undefined
          ? []
          : [{ fact: (facts: Facts) => facts.claims.hasValue(issuer.name, claim, new Set([true])), formula: isTrue }],
      ),
    ]
  }

  /** What can be so of callers of this class, without a look at what tokens of it are like. */
  #plainly(): Node {
    const facts = this.#facts
    const name = this.#issuer?.name ?? ANONYMOUS
    const parts: Node[] = [facts.issuer((one) => one === name)]
    if (this.#until !== undefined) parts.push(facts.before(this.#until))
    // Some are only made while others are looked at.
    for (const all of [facts.all, this.#peer.all]) for (const fact of all) parts.push(this.#natively(fact))
    return this.#bdd.all([...parts, ...facts.links, ...this.#peer.links])
  }

  /** Tokens that are let in, and what the policy's names for something in them mean. */
  #ofToken(links: readonly Link[]): Node {
    const bdd = this.#bdd
    if (this.#issuer === undefined) return ALWAYS
    const meant = links.map(({ fact, formula }) => bdd.not(bdd.xor(fact(this.#facts), this.#node(formula))))
    return bdd.all([this.#node(this.#issuer.credential), ...meant])
  }

  /** Whoever shows a token and nothing else has nothing that is unknown, has activated nothing, says nothing, and proves no key. */
  #natively(fact: Fact): Node {
    switch (fact.about) {
      case 'claim':
      case 'list':
        return fact.domain.among((one: unknown) => one !== 'unknown')
      case 'active':
      case 'said':
        return fact.domain.among((one) => !one)
      case 'possession':
        return fact.domain.among((one) => one === 'none')
      case 'kind': {
        const { classes } = fact.domain
        const kinds = this.#issuer?.kinds ?? {}
        // The last is what all others are not.
        return this.#bdd.all(
          classes.slice(0, -1).map((kind) => {
            const meant = Object.hasOwn(kinds, kind) ? this.#node(kinds[kind]!) : NEVER
            return this.#bdd.not(
              this.#bdd.xor(
                fact.domain.among((one) => one === kind),
                meant,
              ),
            )
          }),
        )
      }
      default:
        return ALWAYS
    }
  }

  #expect(formula: Formula): void {
    if ('all' in formula) return formula.all.forEach((one) => this.#expect(one))
    if ('any' in formula) return formula.any.forEach((one) => this.#expect(one))
    if ('not' in formula) return this.#expect(formula.not)
    const { test } = formula
    const facts = this.#facts
    if (test.is === 'before') return facts.expectCut(test.instant)
    if (test.is === 'address') return test.networks.forEach((network) => facts.expectNetwork(networkText(network)))
    const claim = this.#claimOf(test.path)
    if (claim === undefined || this.#issuer === undefined) return
    if (test.is === 'value') facts.claims.expectValues(this.#issuer.name, claim, new Set(test.values))
    else if (test.is === 'texts') facts.claims.expectAny(claim)
    else if (test.is === 'compare') facts.claims.expectLook(claim, 'number', lookOf(test))
  }

  /** A declared claim that the policy's world knows, by where it stands. */
  #claimOf(path: TokenPath): string | undefined {
    const claim = this.#claims.get(pathKey(path))
    return claim !== undefined && this.#facts.claims.of(this.#issuer!.name, claim) !== undefined ? claim : undefined
  }

  #node(formula: Formula): Node {
    const bdd = this.#bdd
    if ('all' in formula) return bdd.all(formula.all.map((one) => this.#node(one)))
    if ('any' in formula) return bdd.any(formula.any.map((one) => this.#node(one)))
    if ('not' in formula) return bdd.not(this.#node(formula.not))
    return this.#test(formula.test)
  }

  #test(test: TokenTest): Node {
    const facts = this.#facts
    if (test.is === 'before') return facts.before(test.instant)
    if (test.is === 'address')
      return facts.address((text) => test.networks.some((network) => inNetwork(text, networkText(network)) === true))
    // Who shows no token has nothing in it.
    if (this.#issuer === undefined) return NEVER
    const { name } = this.#issuer
    const claim = this.#claimOf(test.path)
    const found = claim === undefined ? undefined : facts.claims.of(name, claim)
    if (claim === undefined || found === undefined) return this.#asked(test)
    const type = found.kind === 'list' ? 'list' : found.type
    const absent = facts.claims.state(found, 'absent')
    switch (test.is) {
      case 'present':
        return this.#bdd.not(absent)
      case 'type':
        // Declared claims are of their type, which the class of callers has been asked about.
        return test.type === type ? this.#bdd.not(absent) : NEVER
      case 'value':
        return test.type === type ? facts.claims.hasValue(name, claim, new Set(test.values)) : NEVER
      case 'texts':
        return found.kind === 'list' ? facts.claims.nonEmpty(found) : NEVER
      case 'compare':
        return found.kind === 'list' || type !== 'number'
          ? NEVER
          : facts.claims.claimValue(this.#side.world, claim, 'number', (value) => lookOf(test).at(value) === true)
      default:
        // Whatever else it asks, something has to be there.
        return this.#bdd.minus(this.#asked(test), absent)
    }
  }

  /** Of what isn't known to be the same question, the answers are taken not to depend on one another: too much is thought possible, never too little. */
  #asked(test: TokenTest): Node {
    const key = JSON.stringify(test)
    let found = this.#free.get(key)
    if (found === undefined) this.#free.set(key, (found = { test, variable: this.#bdd.variable() }))
    return this.#bdd.node(found.variable, NEVER, ALWAYS)
  }

  #who(path: ReadonlyMap<number, boolean>): readonly string[] {
    const asked = [...this.#free.values()].flatMap(({ test, variable }) =>
      path.has(variable) ? [`${path.get(variable) === true ? '' : 'not '}${testText(test)}`] : [],
    )
    const facts = this.#facts.all.flatMap((fact) => {
      const { domain } = fact
      if (fact.about === 'issuer' || ![...path.keys()].some((variable) => domain.uses(variable))) return []
      return [factText(fact, domain.valueAt(path))]
    })
    return [...facts, ...asked]
  }
}

function pathKey({ part, names }: TokenPath): string {
  return JSON.stringify([part, ...names])
}

function networkText({ address, bits }: { readonly address: string; readonly bits: number }): string {
  return `${address}/${bits}`
}

function lookOf({ op, value }: Extract<TokenTest, { readonly is: 'compare' }>): Look {
  return { key: `${op} ${value}`, names: [value], at: (one) => compared(op, one, value) === true, even: true }
}

function testText(test: TokenTest): string {
  const { is, ...rest } = test
  return `${is} ${JSON.stringify(rest)}`
}

function factText(fact: Fact, value: unknown): string {
  const said = (one: unknown): string =>
    typeof one === 'object' && one !== null && 'values' in one
      ? JSON.stringify((one as { readonly values: readonly unknown[] }).values[0])
      : String(one)
  switch (fact.about) {
    case 'claim':
    case 'list':
      return `${fact.claim}: ${said(value)}`
    case 'entry':
      return `${fact.claim} ${value === true ? 'has' : 'has not'} ${fact.values.length === 0 ? 'others' : fact.values.map((one) => JSON.stringify(one)).join(' or ')}`
    case 'scope':
      return `${value === true ? 'with' : 'without'} scope ${fact.scope}`
    case 'time':
      return `at ${new Date((value as { readonly from: number }).from).toISOString()}`
    case 'address':
      return `from ${(value as { readonly text: string }).text}`
    case 'kind':
      return `kind ${String(value)}`
    default:
      return `${value === true ? '' : 'not '}${fact.about}`
  }
}
