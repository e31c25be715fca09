import type { Bdd, Node } from './bdd.ts'
import { LAYERS, type Restriction } from './restrictions.ts'

/** What a decision comes to, as far as the comparison knows it. */
export interface Outcome {
  readonly effect: 'deny' | 'challenge' | 'needs-approval' | 'allow'
  /** What is left to prove or to approve, or what comes along with an `allow`. */
  readonly with: readonly string[]
  /** The same as a decision shows it. */
  readonly shows: readonly string[]
  /** Keys of all that holds: fewer of them is wider access. */
  readonly keys: readonly string[]
}

/** One thing that can stand in the way, in both versions. */
export interface Pair {
  readonly layer: Restriction['layer']
  readonly key: string
  readonly of: string | undefined
  readonly said: string
  readonly shows: string
  readonly before: Node
  readonly after: Node
}

/** Both versions' restrictions side by side, each only where nothing of an earlier step is in the way. */
export function pairsOf(bdd: Bdd, before: readonly Restriction[], after: readonly Restriction[]): readonly Pair[] {
  const [left, right] = [reached(bdd, before), reached(bdd, after)]
  const all = new Map([...right, ...left].map(([key, one]) => [key, one]))
  return [...all]
    .map(([id, { layer, key, of, said, shows }]) => ({
      layer,
      key,
      of,
      said,
      shows,
      before: left.get(id)?.node ?? 0,
      after: right.get(id)?.node ?? 0,
    }))
    .toSorted((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer) || (a.key < b.key ? -1 : 1))
}

function reached(bdd: Bdd, restrictions: readonly Restriction[]): ReadonlyMap<string, Restriction> {
  const result = new Map<string, Restriction>()
  let open: Node = 1
  for (const layer of LAYERS) {
    const here = restrictions.filter((one) => one.layer === layer)
    for (const one of here) result.set(`${layer} ${one.key}`, { ...one, node: bdd.and(open, one.node) })
    open = bdd.minus(open, bdd.any(here.map(({ node }) => node)))
  }
  return result
}

const EFFECT: Readonly<Record<Pair['layer'], Outcome['effect']>> = {
  deny: 'deny',
  challenge: 'challenge',
  approval: 'needs-approval',
  obligation: 'allow',
}

/** What it comes to where some restrictions hold. */
export function outcomeOf(pairs: readonly Pair[], holds: (pair: Pair) => boolean): Outcome {
  const held = pairs.filter(holds)
  const layer = LAYERS.find((one) => held.some((pair) => pair.layer === one)) ?? 'obligation'
  const here = held.filter((pair) => pair.layer === layer)
  const keys = here.map(({ key }) => key)
  const effect = EFFECT[layer]
  if (effect === 'deny') return { effect, with: [], shows: [], keys }
  const told = strictest(here)
  return { effect, with: told.map(({ said }) => said), shows: told.map(({ shows }) => shows), keys }
}

/** Of what goes before one another, the one that all others of its kind follow from. */
function strictest(held: readonly Pair[]): readonly Pair[] {
  const groups = new Map<string, Pair>()
  const told: Pair[] = []
  for (const pair of held) {
    if (pair.of === undefined) told.push(pair)
    else {
      const before = groups.get(pair.of)
      if (before === undefined || rank(pair) < rank(before)) groups.set(pair.of, pair)
    }
  }
  return [...told, ...groups.values()]
}

const STRICT_MASKS = ['drop', 'null', 'constant', 'hash', 'partial']

/** Masks by their strictness, as their keys tell it. */
function rank({ key }: Pair): string {
  return `${STRICT_MASKS.findIndex((one) => key.includes(`"as","${one}"`))} ${key}`
}

export type Direction = 'wider' | 'narrower' | 'other'

const STRICTNESS: readonly Outcome['effect'][] = ['allow', 'needs-approval', 'challenge', 'deny']

/** Which way access goes: `other` where something is taken away and something else is asked. */
export function directionOf(before: Outcome, after: Outcome): Direction {
  const order = STRICTNESS.indexOf(after.effect) - STRICTNESS.indexOf(before.effect)
  // A challenge that becomes an approval, or the other way round, is neither: one is met at once, the other by somebody else.
  const step = [before.effect, after.effect]
  if (step.includes('challenge') && step.includes('needs-approval')) return 'other'
  if (order !== 0) return order < 0 ? 'wider' : 'narrower'
  const lost = before.keys.some((one) => !after.keys.includes(one))
  const gained = after.keys.some((one) => !before.keys.includes(one))
  return lost && gained ? 'other' : lost ? 'wider' : 'narrower'
}

export function showOutcome({ effect, with: what }: Outcome): string {
  if (what.length === 0) return effect
  return effect === 'challenge' ? `challenge for ${what.join(' and ')}` : `${effect} with ${what.join(' and ')}`
}
