/**
 * A node as an Envoy is one, for tests: it accepts or rejects, asks for what the accepted names, serves with the old until the new has all
 * that it names, and leaves what nothing names any more. Both variants; knows the messages and nothing of the server.
 */
import { create, fromBinary, type DescMessage, type Message } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { readable } from '../../any.ts'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryRequest,
  type DiscoveryRequest,
} from '../../messages/envoy/service/discovery/v3/discovery_pb.ts'
import { addressesOf, needsOf } from '../references.ts'
import { SCHEMAS } from '../snapshot.ts'
import { eachKind, keyOf, KINDS, kindOf, TYPE_URLS, type Kind, type Need } from '../types.ts'

interface Had {
  readonly text: string
  readonly version: string
  readonly needs: readonly Need[]
  readonly addresses: readonly string[]
}

/** What a response says, in either variant. */
interface Update {
  readonly kind: Kind
  readonly nonce: string
  readonly version: string
  readonly resources: ReadonlyMap<string, Had>
  readonly removed: readonly string[]
}

export type Request = DeltaDiscoveryRequest | DiscoveryRequest

/** A text by which a test marks what the node is to reject. */
export const POISON = 'poison'

export class TestNode {
  readonly id: string
  readonly variant: 'delta' | 'sotw'
  /** What it has accepted last, by kind and name. */
  readonly had = eachKind(() => new Map<string, Had>())
  /** What it serves with: of a listener or cluster the last one that had all that it names. */
  readonly serves = eachKind(() => new Map<string, Had>())
  /** Responses that have come and were not looked at yet. */
  readonly inbox: Uint8Array[] = []
  /** How many responses it has looked at. */
  seen = 0
  /** Why it has rejected some. */
  readonly problems: string[] = []
  /** What it was sent though it had it already. */
  readonly repeated: string[] = []
  /** Whether it takes what is good of a response that it rejects. */
  takesGood = true
  /** Each dangling name, found when it came about. */
  readonly dangling: string[] = []
  /** Names that don't count as dangling, such as clusters which this node has itself rejected. */
  readonly excused = new Set<string>()
  readonly #versions = new Map<Kind, string>()
  readonly #nonces = new Map<Kind, string>()
  #asked = eachKind(() => new Set<string>())
  #named = eachKind(() => new Set<string>())
  #send: (request: Request) => void = () => undefined
  #isNew = true

  constructor(variant: 'delta' | 'sotw', id = 'node') {
    this.variant = variant
    this.id = id
  }

  /** Connects, saying what it has. */
  connect(send: (request: Request) => void): void {
    this.#send = send
    this.#isNew = true
    this.inbox.length = 0
    this.#nonces.clear()
    const names = this.#asked
    this.#asked = eachKind(() => new Set<string>())
    for (const kind of ['cluster', 'endpoints', 'listener', 'extension', 'secret', 'route'] as const)
      if (kind === 'cluster' || kind === 'listener' || names[kind].size > 0) this.#first(kind, names[kind])
  }

  /** Looks at the oldest response. */
  read(): boolean {
    const bytes = this.inbox.shift()
    if (bytes === undefined) return false
    this.seen++
    const update = this.variant === 'delta' ? deltaUpdate(bytes) : sotwUpdate(bytes)
    const problem = this.#apply(update)
    if (problem !== undefined) this.problems.push(problem)
    this.#nonces.set(update.kind, update.nonce)
    if (problem === undefined) this.#versions.set(update.kind, update.version)
    this.#answer(update, problem)
    this.#follow()
    this.#check()
    return true
  }

  /** All that it has, as text by name. */
  state(): Record<Kind, Record<string, string>> {
    return eachKind((kind) =>
      Object.fromEntries(
        [...this.had[kind]]
          .filter(([name]) => this.#isIn(kind, name))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, { text }]) => [name, text]),
      ),
    )
  }

  #apply(update: Update): string | undefined {
    const { kind, resources, removed } = update
    const had = this.had[kind]
    const gone = this.variant === 'sotw' && isWhole(kind) ? [...had.keys()].filter((name) => !resources.has(name)) : removed
    const bad = new Map<string, string>()
    for (const [name, one] of resources) {
      if (one.text.includes(POISON)) bad.set(name, `${name} is ${POISON}`)
      if (this.variant === 'delta' && had.get(name)?.version === one.version) this.repeated.push(`${kind} ${name}`)
    }
    if (kind === 'listener') {
      // What goes makes place before what comes takes it.
      const after = new Map([...had].filter(([name]) => !gone.includes(name)))
      for (const [name, one] of resources) {
        const other = [...after].find(
          ([key, { addresses }]) => key !== name && addresses.some((address) => one.addresses.includes(address)),
        )
        if (other !== undefined) bad.set(name, `${name} has the address of ${other[0]}`)
        else after.set(name, one)
      }
    }
    if (bad.size === 0 || this.takesGood) {
      for (const name of gone) had.delete(name)
      for (const [name, one] of resources) if (!bad.has(name) && (isWhole(kind) || this.#asked[kind].has(name))) had.set(name, one)
    }
    return bad.size === 0 ? undefined : [...bad.values()].join(', ')
  }

  /** Takes into service what is complete, then asks for what is named and leaves what isn't. */
  #follow(): void {
    for (;;) {
      this.#serve()
      const named = [
        ...this.had.cluster.values(),
        ...this.had.listener.values(),
        ...this.serves.cluster.values(),
        ...this.serves.listener.values(),
      ]
      const wanted = eachKind(() => new Set<string>())
      for (const { needs } of named) for (const { kind, name } of needs) if (!isWhole(kind)) wanted[kind].add(name)
      this.#named = eachKind((kind) => new Set(wanted[kind]))
      // In the state of the world a server can't tell who asks for something again from who has it still: it is never left.
      if (this.variant === 'sotw') for (const kind of KINDS) for (const name of this.#asked[kind]) wanted[kind].add(name)
      const changed = KINDS.filter((kind) => !isWhole(kind) && !sameSet(wanted[kind], this.#asked[kind]))
      if (changed.length === 0) return
      for (const kind of changed) this.#ask(kind, wanted[kind])
    }
  }

  /** What nothing names any more does nothing. */
  #isIn(kind: Kind, name: string): boolean {
    return this.had[kind].has(name) && (isWhole(kind) || this.#named[kind].has(name))
  }

  #serve(): void {
    for (const kind of KINDS) {
      for (const name of this.serves[kind].keys()) if (!this.#isIn(kind, name)) this.serves[kind].delete(name)
      for (const [name, one] of this.had[kind])
        if (
          this.#isIn(kind, name) &&
          (!isWhole(kind) || one.needs.every((need) => isWhole(need.kind) || this.had[need.kind].has(need.name)))
        )
          this.serves[kind].set(name, one)
    }
  }

  /** Nothing that serves may name what isn't there. */
  #check(): void {
    for (const kind of KINDS)
      for (const [name, { needs }] of this.serves[kind])
        for (const need of needs)
          if (!this.had[need.kind].has(need.name) && !this.excused.has(keyOf(need)))
            this.dangling.push(`${kind} ${name} names ${keyOf(need)}`)
  }

  #ask(kind: Kind, wanted: Set<string>): void {
    const before = this.#asked[kind]
    for (const name of before) if (!wanted.has(name)) this.had[kind].delete(name)
    const isFirst = before.size === 0 && !this.#nonces.has(kind)
    const [more, less] = [[...wanted].filter((name) => !before.has(name)), [...before].filter((name) => !wanted.has(name))]
    this.#asked[kind] = wanted
    if (this.variant === 'delta')
      this.#send(
        this.#delta(kind, {
          resourceNamesSubscribe: more,
          resourceNamesUnsubscribe: less,
          ...(isFirst ? { initialResourceVersions: {} } : {}),
        }),
      )
    else this.#send(this.#sotw(kind, undefined))
  }

  #first(kind: Kind, names: Set<string>): void {
    this.#asked[kind] = names
    if (this.variant === 'sotw') return this.#send(this.#sotw(kind, undefined))
    const initialResourceVersions = Object.fromEntries([...this.had[kind]].map(([name, { version }]) => [name, version]))
    this.#send(this.#delta(kind, { resourceNamesSubscribe: [...names], initialResourceVersions }))
  }

  #answer({ kind, nonce }: Update, problem: string | undefined): void {
    const error = problem === undefined ? {} : { errorDetail: { code: 13, message: problem } }
    if (this.variant === 'sotw') this.#send(this.#sotw(kind, problem))
    else this.#send(this.#delta(kind, { responseNonce: nonce, ...error }))
  }

  #node(): object {
    if (!this.#isNew) return {}
    this.#isNew = false
    return { node: { id: this.id } }
  }

  #delta(kind: Kind, rest: object): Request {
    return create(DeltaDiscoveryRequestSchema, { typeUrl: TYPE_URLS[kind], ...this.#node(), ...rest })
  }

  #sotw(kind: Kind, problem: string | undefined): Request {
    return create(DiscoveryRequestSchema, {
      typeUrl: TYPE_URLS[kind],
      resourceNames: [...this.#asked[kind]],
      versionInfo: this.#versions.get(kind) ?? '',
      responseNonce: this.#nonces.get(kind) ?? '',
      ...this.#node(),
      ...(problem === undefined ? {} : { errorDetail: { code: 13, message: problem } }),
    })
  }
}

function isWhole(kind: Kind): boolean {
  return kind === 'cluster' || kind === 'listener'
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one))
}

function deltaUpdate(bytes: Uint8Array): Update {
  const { typeUrl, nonce, resources, removedResources, systemVersionInfo } = fromBinary(DeltaDiscoveryResponseSchema, bytes)
  const kind = kindOf(typeUrl)!
  const all = new Map(resources.map(({ name, version, resource }) => [name, hadOf(kind, version, resource!)[1]]))
  if (all.size !== resources.length) throw new Error('a name came twice in one response')
  return { kind, nonce, version: systemVersionInfo, resources: all, removed: removedResources }
}

function sotwUpdate(bytes: Uint8Array): Update {
  const { typeUrl, nonce, resources, versionInfo } = fromBinary(DiscoveryResponseSchema, bytes)
  const kind = kindOf(typeUrl)!
  const all = new Map(resources.map((resource) => hadOf(kind, versionInfo, resource)))
  if (all.size !== resources.length) throw new Error('a name came twice in one response')
  return { kind, nonce, version: versionInfo, resources: all, removed: [] }
}

function hadOf(kind: Kind, version: string, { value }: Any): [string, Had] {
  const schema: DescMessage = SCHEMAS[kind]
  const message = fromBinary(schema, value) as Message & { name?: string; clusterName?: string }
  const name = kind === 'endpoints' ? message.clusterName! : message.name!
  const addresses = kind === 'listener' ? addressesOf(fromBinary(SCHEMAS.listener, value)) : []
  return [name, { version, text: JSON.stringify(readable(schema, message)), needs: needsOf(message), addresses }]
}
