/** What filters that were read back come to, by class of caller and request. */
import { all, any, ALWAYS, isNever, NEVER, not, test, type Formula, type NativeIssuer, type TokenTest } from '../core/token.ts'
import type { Told } from '../policy/compare/enforced.ts'
import type { NativeResource } from '../policy/native/native.ts'
import { asRead, settled, templatesNeeded, type PathTemplate, type Read, type ReadFilter, type RequestAtom } from './read.ts'

/** Where filters serve several resources, that of one. */
export interface Place {
  /** In lower case. */
  readonly host: string
  readonly port: number
  /** All whose policies are in the same filters. */
  readonly among: readonly NativeResource[]
}

/** Numbers of path templates, by their texts. */
export type PathNumbers = ReadonlyMap<string, number>

export interface Filters {
  readonly callers: ReadFilter
  readonly guardrails: ReadFilter
  readonly rules: ReadFilter
}

interface Indexed {
  readonly action: ReadFilter['action']
  readonly policies: ReadFilter['policies']
  /** Policies by a path without which they match nothing. */
  readonly byPath: ReadonlyMap<number, readonly number[]>
  /** Those of which that can't be said. */
  readonly others: readonly number[]
}

/** What guardrails and rules come to, by class of caller that is let in at all. What they ask of a token is put together once. */
export class Answers {
  readonly #filters: readonly Indexed[]
  readonly #issuers: ReadonlyMap<string, NativeIssuer>
  readonly #paths: (template: PathTemplate) => number
  readonly #known = new Map<string, WeakMap<Read, Formula>>()

  constructor({ guardrails, rules }: Filters, issuers: readonly NativeIssuer[], numbers: PathNumbers) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.form, issuer]))
    const known = new WeakMap<PathTemplate, number>()
    this.#paths = (template) => {
      let number = known.get(template)
      if (number === undefined) known.set(template, (number = numbers.get(textOf(template))!))
      return number
    }
    this.#filters = [guardrails, rules].map((filter) => this.#indexed(filter))
  }

  #indexed({ action, policies }: ReadFilter): Indexed {
    const byPath = new Map<number, number[]>()
    const others: number[] = []
    for (const [number, { matches }] of policies.entries()) {
      const needed = templatesNeeded(matches)
      if (needed === undefined) others.push(number)
      for (const path of new Set(needed?.map(this.#paths))) {
        const list = byPath.get(path)
        if (list === undefined) byPath.set(path, [number])
        else list.push(number)
      }
    }
    return { action, policies, byPath, others }
  }

  of(form: string, asked: Asked): Told {
    const request = requestOf(asked, this.#paths)
    const matched = this.#filters.map(({ policies, byPath, others }) => {
      const candidates = new Set([...others, ...[...asked.covering].flatMap((path) => byPath.get(path) ?? [])])
      return [...candidates]
        .toSorted((one, other) => one - other)
        .flatMap((number) => this.#policy(form, policies[number]!.matches, number, request))
    })
    return {
      key: JSON.stringify(matched.map((all) => all.map(({ key }) => key))),
      formula: () =>
        all(
          ...this.#filters.map(({ action }, number) => {
            const some = any(...matched[number]!.map(({ formula }) => formula()))
            return action === 'ALLOW' ? some : not(some)
          }),
        ),
    }
  }

  /** A policy is all of several parts, each of which asks about the request or about the token. Nothing for one that never matches. */
  #policy(form: string, matches: Read, number: number, request: (atom: RequestAtom) => boolean): readonly Part[] {
    const token = (one: TokenTest): Formula => asRead(ofClass(one, this.#issuers.get(form)))
    const made: Formula[] = []
    // What is always asked of the same is known by its number, and nothing else is.
    let key = `${number}`
    for (const part of 'all' in matches ? matches.all : [matches]) {
      const one = asks(part).request ? settled(part, request, token) : this.#ofToken(form, part, token)
      if (isNever(one)) return []
      if (asks(part).request && asks(part).token) key += JSON.stringify(one)
      made.push(one)
    }
    return [{ key, formula: () => all(...made) }]
  }

  #ofToken(form: string, part: Read, token: (test: TokenTest) => Formula): Formula {
    let known = this.#known.get(form)
    if (known === undefined) this.#known.set(form, (known = new WeakMap()))
    let made = known.get(part)
    if (made === undefined) known.set(part, (made = settled(part, () => false, token)))
    return made
  }
}

interface Part {
  readonly key: string
  readonly formula: () => Formula
}

const asking = new WeakMap<Read, { readonly request: boolean; readonly token: boolean }>()

function asks(read: Read): { readonly request: boolean; readonly token: boolean } {
  let known = asking.get(read)
  if (known === undefined) {
    const parts = 'all' in read ? read.all : 'any' in read ? read.any : 'not' in read ? [read.not] : []
    const within = parts.map(asks)
    known = { request: 'request' in read || within.some((one) => one.request), token: 'token' in read || within.some((one) => one.token) }
    asking.set(read, known)
  }
  return known
}

export interface Asked {
  readonly method: string
  readonly place: Place | undefined
  /** Numbers of paths that cover it. */
  readonly covering: ReadonlySet<number>
  readonly credential: boolean
  /** What of the request is not in its one form; default: all of it is. */
  readonly odd?: 'path' | 'method'
  readonly oneToken?: boolean
  /** Whether the connection is to become another; default: not. */
  readonly upgrade?: boolean
}

export function requestOf(
  { method, place, covering, credential, odd, oneToken = credential, upgrade = false }: Asked,
  number: (template: PathTemplate) => number,
): (atom: RequestAtom) => boolean {
  return (atom) => {
    switch (atom.about) {
      case 'path':
        return covering.has(number(atom.template))
      case 'method':
        return atom.is === method
      case 'canonical':
        return atom.of !== odd
      case 'credential':
        return credential
      case 'one-token':
        return oneToken
      case 'host':
        return atom.is === place?.host
      case 'port':
        return atom.is === place?.port
      case 'upgrade':
        return upgrade
    }
  }
}

/** A token of a class has its issuer's name, and who shows none has nothing. */
export function ofClass(one: TokenTest, issuer: NativeIssuer | undefined): Formula {
  if (one.is === 'address' || one.is === 'before') return test(one)
  if (issuer === undefined) return NEVER
  const { part, names } = one.path
  if (part !== 'payload' || names.length !== 1 || names[0] !== 'iss') return test(one)
  if (one.is === 'present') return ALWAYS
  if (one.is === 'value') return one.type === 'string' && one.values.includes(issuer.iss) ? ALWAYS : NEVER
  return test(one)
}

/** The same for the same template. */
export function textOf({ segments, rest }: PathTemplate): string {
  return JSON.stringify([rest, ...segments.map((one) => (one.kind === 'literal' ? one.text : null))])
}
