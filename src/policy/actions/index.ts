import { didYouMean } from '../../config/didyoumean.ts'
import type { Action, Protocol } from '../../core/action.ts'
import { BucketIndex } from './buckets.ts'
import { container } from './container/index.ts'
import type { ContainerPattern } from './container/template.ts'
import { http } from './http/index.ts'
import type { HttpPattern } from './http/template.ts'
import { kubernetes } from './kubernetes/index.ts'
import type { KubernetesPattern } from './kubernetes/template.ts'
import { llm } from './llm/index.ts'
import type { LlmPattern } from './llm/template.ts'
import { mcp } from './mcp/index.ts'
import type { McpPattern } from './mcp/template.ts'
import { sql } from './sql/index.ts'
import type { SqlPattern } from './sql/template.ts'
import { ssh } from './ssh/index.ts'
import type { SshPattern } from './ssh/template.ts'
import type { ActionIndex, PatternBase, Problem, RequestValue, Vocabulary } from './vocabulary.ts'

export type { ActionIndex, FlatIndex, Problem, RecordIndex, RequestValue } from './vocabulary.ts'
export type { Side } from './sets/values.ts'

/** A set of actions as policy writes it. */
export type ActionPattern = HttpPattern | KubernetesPattern | SqlPattern | SshPattern | ContainerPattern | McpPattern | LlmPattern

/** The vocabulary of any protocol: what is of another is met by nothing and covers nothing. */
export interface AnyVocabulary extends Omit<Vocabulary<Action, ActionPattern>, 'index'> {
  readonly index: <V, T>(entries: Iterable<readonly [ActionPattern, V]>, combine: (values: readonly V[]) => T) => ActionIndex<T>
}

/** Vocabularies by protocol; a folder and a line here add one. */
export const vocabularies: Readonly<Record<Protocol, AnyVocabulary>> = {
  http: general(http),
  kubernetes: general(kubernetes),
  sql: general(sql),
  ssh: general(ssh),
  container: general(container),
  mcp: general(mcp),
  llm: general(llm),
}

/** Protocols that policy can speak of. */
export const PROTOCOLS: readonly string[] = Object.keys(vocabularies)

/** The vocabulary of a resource's protocol; undefined for one that policy can't speak of. */
export function vocabularyOf(protocol: string): AnyVocabulary | undefined {
  return Object.hasOwn(vocabularies, protocol) ? vocabularies[protocol as Protocol] : undefined
}

/** One concrete action as people write it, or what is wrong with the text. @param protocol Of the resource that it is on. */
export function readAction(text: string, protocol: string, properties?: Readonly<Record<string, unknown>>): Action | Problem {
  const vocabulary = vocabularyOf(protocol)
  if (vocabulary === undefined)
    return { problem: `there is no protocol \`${protocol.slice(0, 32)}\``, help: didYouMean(protocol, Object.keys(vocabularies)) }
  return properties === undefined ? vocabulary.read(text) : vocabulary.readParts(text, properties)
}

/** Fields of `request` of a condition. */
export function requestOf(action: Action): ReadonlyMap<string, RequestValue> {
  return vocabularyOf(action.protocol)?.request(action) ?? new Map()
}

/** Finds nothing for actions of other protocols. */
class OfProtocol<A extends Action, T> implements ActionIndex<T> {
  readonly #index: { find(action: A): readonly T[] }
  readonly #protocol: string

  constructor(index: { find(action: A): readonly T[] }, protocol: A['protocol']) {
    this.#index = index
    this.#protocol = protocol
  }

  find(action: Action): readonly T[] {
    return action.protocol === this.#protocol ? this.#index.find(action as A) : []
  }
}

function general<A extends Action, P extends ActionPattern & PatternBase>(one: Vocabulary<A, P>): AnyVocabulary {
  const isOurs = (pattern: ActionPattern): pattern is P => pattern.protocol === one.protocol
  const isAction = (action: Action): action is A => action.protocol === one.protocol
  const ofOurs = <V>(entries: Iterable<readonly [ActionPattern, V]>): readonly (readonly [P, V])[] => {
    const ours: (readonly [P, V])[] = []
    for (const [pattern, value] of entries) if (isOurs(pattern)) ours.push([pattern, value])
    return ours
  }
  const { flat } = one
  return {
    ...(one as unknown as AnyVocabulary),
    matches: (pattern, action) => isOurs(pattern) && isAction(action) && one.matches(pattern, action),
    covers: (a, b) => isOurs(a) && isOurs(b) && one.covers(a, b),
    overlaps: (a, b) => isOurs(a) && isOurs(b) && one.overlaps(a, b),
    isAll: (pattern) => isOurs(pattern) && one.isAll(pattern),
    index: (entries, combine) => {
      const index = one.index(ofOurs(entries), combine)
      return index instanceof BucketIndex ? new OfProtocol(index, one.protocol) : index
    },
    ...(flat === undefined ? {} : { flat: { ...flat, write: (entries, record) => flat.write(ofOurs(entries), record) } }),
  }
}
