/** What can be so or not of a principal and its request: each a thing that has exactly one of several values. */
import type { AddressClass } from './addresses.ts'
import type { OpenInput } from '../actions/cells.ts'
import type { Literal } from './condition.ts'
import type { Domain } from './domain.ts'
import type { ValueClass } from './values.ts'

/** Stands for the issuer of callers without a credential. */
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
  | { readonly about: 'input'; readonly key: string; readonly input: OpenInput; readonly domain: Domain<InputClass> }
  | { readonly about: 'term'; readonly text: string; readonly inputs: readonly OpenInput[]; readonly domain: Domain<ValueClass> }
  | { readonly about: 'opaque'; readonly text: string; readonly inputs: readonly OpenInput[]; readonly domain: Domain<TruthClass> }
  /** Something that was given with the request: an approval, a justification. */
  | { readonly about: 'said'; readonly key: string; readonly what: string; readonly domain: Domain<boolean> }

/** What the two versions can't be compared by; it says why. */
export class NotComparable extends Error {}
