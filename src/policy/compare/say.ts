/** Descriptions in words. */
import type { AddressClass } from './addresses.ts'
import type { Literal } from './condition.ts'
import type { Limit } from './cubes.ts'
import {
  ANONYMOUS,
  type ClaimClass,
  type Fact,
  type InputClass,
  type ListState,
  type RoleClass,
  type Stretch,
  type TruthClass,
} from './fact.ts'
import type { ValueClass } from './values.ts'

/** Who is meant: holders of all roles of `held`, without those of `without`, of whom all of `facts` is so. */
export interface Who {
  readonly text: string
  readonly held: readonly string[]
  readonly without: readonly string[]
  /** What else is so of them. Where it is empty, the roles say it all. */
  readonly facts: readonly string[]
}

/** @param peers What is about the other end of the connection. */
export function say(limits: readonly Limit[], peers: ReadonlySet<Fact>): Who {
  const ofPeer = limits.filter(({ fact }) => peers.has(fact))
  const who = sayParty(limits.filter(({ fact }) => !peers.has(fact)))
  if (ofPeer.length === 0) return who
  const { text } = sayParty(ofPeer)
  const peer = text === 'callers without a credential' ? 'without a peer' : `over a peer out of ${text}`
  return { ...who, text: `${who.text} ${peer}`, facts: [...who.facts, peer] }
}

function sayParty(limits: readonly Limit[]): Who {
  const held: string[] = []
  const without: string[] = []
  const facts: string[] = []
  let issuers: ReadonlySet<unknown> | undefined
  const spoken = new Set<string>()
  const lists = new Set(
    limits.flatMap(({ fact, classes }) => (fact.about === 'entry' && classes.has(true) ? [`${fact.issuer} ${fact.claim}`] : [])),
  )
  for (const { fact, classes } of limits.toSorted((a, b) => (keyOf(a.fact) < keyOf(b.fact) ? -1 : 1))) {
    if (fact.about === 'role') {
      const state = roleState(classes as ReadonlySet<RoleClass>)
      if (state === 'held') held.push(fact.role)
      else if (state === 'without') without.push(fact.role)
      else facts.push(state.replace('ROLE', `\`${fact.role}\``))
    } else if (fact.about === 'issuer') issuers = classes
    // That a list is there goes without saying where it has something.
    else if (fact.about === 'list' && lists.has(`${fact.issuer} ${fact.claim}`)) spoken.add(fact.issuer)
    else {
      if ('issuer' in fact) spoken.add(fact.issuer)
      facts.push(phrase(fact, classes))
    }
  }
  return { text: joined(whose(held, without, issuers, spoken), facts), held, without, facts: [...issuerFact(issuers), ...facts] }
}

/** `callers whose x is y and from whom …` */
function joined(base: string, facts: readonly string[]): string {
  return facts.length === 0 ? base : `${base} ${facts.join(' and ')}`
}

function whose(
  held: readonly string[],
  without: readonly string[],
  issuers: ReadonlySet<unknown> | undefined,
  spoken: ReadonlySet<string>,
): string {
  const rest = without.length === 0 ? '' : ` without ${list(without)}`
  const of = issuers === undefined || [...issuers].every((one) => spoken.has(String(one))) ? '' : ` ${credential(issuers)}`
  if (held.length > 0) return `holders of ${list(held)}${rest}${of}`
  return of === '' && rest === '' && spoken.size === 0 ? 'everyone' : `callers${of}${rest}`
}

function issuerFact(issuers: ReadonlySet<unknown> | undefined): readonly string[] {
  return issuers === undefined ? [] : [credential(issuers)]
}

function credential(issuers: ReadonlySet<unknown>): string {
  const names = [...issuers].filter((one) => one !== ANONYMOUS).map((one) => `\`${String(one)}\``)
  const some = names.length === 0 ? '' : `with a credential of ${names.join(' or ')}`
  if (!issuers.has(ANONYMOUS)) return some
  return some === '' ? 'without a credential' : `${some} or without one`
}

function keyOf(fact: Fact): string {
  return [fact.about, ...Object.values(fact).filter((one) => typeof one === 'string')].join(' ')
}

function list(roles: readonly string[]): string {
  return roles.map((role) => `\`${role}\``).join(' and ')
}

function roleState(classes: ReadonlySet<RoleClass>): string {
  if (classes.has('held'))
    return classes.has('unknown') ? 'who hold or may hold ROLE' : classes.has('not-held') ? 'for whom ROLE can be told' : 'held'
  return classes.has('unknown') ? (classes.has('not-held') ? 'not known to hold ROLE' : 'for whom ROLE can not be told') : 'without'
}

function phrase(fact: Exclude<Fact, { about: 'role' | 'issuer' }>, classes: ReadonlySet<unknown>): string {
  const yes = classes.has(true)
  switch (fact.about) {
    case 'kind':
      return `as ${[...classes].map(String).join(' or ')}`
    case 'claim':
      return `whose \`${fact.claim}\` of \`${fact.issuer}\` ${claimSaid(fact.domain.classes, classes as ReadonlySet<ClaimClass>)}`
    case 'list':
      return `whose \`${fact.claim}\` of \`${fact.issuer}\` ${listSaid(classes as ReadonlySet<ListState>)}`
    case 'entry':
      if (fact.values.length === 0) return `whose \`${fact.claim}\` of \`${fact.issuer}\` has ${yes ? 'other' : 'no other'} values`
      return `whose \`${fact.claim}\` of \`${fact.issuer}\` ${yes ? 'has' : 'has not'} ${oneOf(fact.values)}`
    case 'bare':
      return yes ? 'as an app by itself that is not listed' : 'not as an app by itself'
    case 'delegated':
      return yes ? 'by a delegated token' : 'not by a delegated token'
    case 'scope':
      return `${yes ? 'with' : 'without'} scope \`${fact.scope}\``
    case 'possession':
      return classes.has('none')
        ? classes.size === 1
          ? 'by a token that is bound to no key'
          : `bound at most by ${without(classes, 'none')}`
        : `bound by ${[...classes].map(String).join(' or ')}`
    case 'active':
      return yes ? `with \`${fact.role}\` activated` : `while \`${fact.role}\` is not activated`
    case 'time':
      return timeSaid([...(classes as ReadonlySet<Stretch>)], fact.domain.classes.at(-1)!.from)
    case 'address':
      return `whose address ${[...(classes as ReadonlySet<AddressClass>)].map(({ said }) => said).join(' or ')}`
    case 'input':
      return `where ${fact.key} ${valuesSaid(fact.domain.classes, classes as ReadonlySet<InputClass>)}`
    case 'term':
      return `where \`${fact.text}\` ${valuesSaid(fact.domain.classes, classes as ReadonlySet<ValueClass>)}`
    case 'opaque': {
      const said = [...(classes as ReadonlySet<TruthClass>)].map((one) => (one === 'error' ? 'can not be told' : `is ${one}`))
      return `where \`${fact.text}\` ${said.join(' or ')}`
    }
    case 'said':
      return yes ? fact.what : fact.what.replace(/^with\b/, 'without').replace(/^(?!without)/, 'without ')
  }
}

function without(classes: ReadonlySet<unknown>, one: unknown): string {
  return [...classes]
    .filter((other) => other !== one)
    .map(String)
    .join(' or ')
}

const STATES: Readonly<Record<string, string>> = {
  unknown: 'can not be told',
  absent: 'is absent',
  fails: 'can not be decoded',
  list: 'is there',
}

function listSaid(classes: ReadonlySet<ListState>): string {
  if (!classes.has('unknown') && classes.size === 2) return 'can be told'
  return [...classes].map((one) => STATES[one]!).join(' or ')
}

function claimSaid(all: readonly ClaimClass[], classes: ReadonlySet<ClaimClass>): string {
  return valuesSaid(all, classes)
}

function valuesSaid(all: readonly (ValueClass | string)[], classes: ReadonlySet<ValueClass | string>): string {
  const chosen = all.filter((one) => classes.has(one))
  const missing = all.filter((one) => !classes.has(one))
  const states = (ones: typeof all): readonly string[] => ones.flatMap((one) => (typeof one === 'string' ? [STATES[one]!] : []))
  const values = (ones: typeof all): readonly ValueClass[] => ones.flatMap((one) => (typeof one === 'string' ? [] : [one]))
  const open = values(chosen).filter((one) => one.open)
  const others = open.some(({ said }) => said === 'other')
  if (!others) {
    const named = values(chosen)
      .filter((one) => !one.open)
      .flatMap((one) => one.values)
    return [...(named.length === 0 ? [] : [`is ${oneOf(named)}`]), ...open.map(({ said }) => `is ${said}`), ...states(chosen)].join(' or ')
  }
  const not = values(missing).flatMap((one) => one.values)
  const said = not.length === 0 ? 'is anything' : `is not ${oneOf(not)}`
  const gone = states(missing)
  const there = states(chosen)
  // Of what it is not, states are told only where they matter: what is absent has no value either.
  return gone.length === 0
    ? said
    : there.length === 0
      ? not.length === 0
        ? 'is there'
        : `is there and ${said}`
      : `${said}, or ${there.join(' or ')}`
}

function oneOf(values: readonly Literal[]): string {
  const shown = values.slice(0, 4).map((one) => (one === '' ? 'nothing' : `\`${String(one).replaceAll('\0', ' ')}\``))
  return `${shown.join(' or ')}${values.length > 4 ? ` or one of ${values.length - 4} more` : ''}`
}

/** @param start When it all begins, which need not be said. */
function timeSaid(stretches: readonly Stretch[], start: number): string {
  const merged: { from: number; to: number }[] = []
  for (const { from, to } of stretches.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last?.to === from) last.to = to
    else merged.push({ from, to })
  }
  const instant = (time: number): string => new Date(time).toISOString().replace('.000Z', 'Z')
  const said = ({ from, to }: Stretch): string =>
    [...(from === start ? [] : [`from ${instant(from)}`]), ...(to === Number.POSITIVE_INFINITY ? [] : [`until ${instant(to)}`])].join(' ')
  return merged.map(said).join(' or ')
}
