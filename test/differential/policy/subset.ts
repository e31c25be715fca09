/** What Ostiary, Cedar, OPA and Casbin can all say: roles, rules that grant, guardrails that deny, templates, a claim that equals a text. */

export interface Statement {
  readonly id: string
  readonly role: string
  readonly resource: string
  /** In upper case, or `*` for every method. */
  readonly method: string
  /** `/orders/{id}`, `/orders/**`: as Ostiary writes it. */
  readonly template: string
  /** Only for who has this claim with this value. */
  readonly claim?: { readonly name: string; readonly value: string } | undefined
}

export interface CommonPolicy {
  readonly resources: readonly string[]
  readonly roles: readonly string[]
  /** Claims that conditions may name. */
  readonly claims: readonly string[]
  /** Who holds the role may do it. */
  readonly rules: readonly Statement[]
  /** Who holds the role may not, whatever the rules say. */
  readonly guardrails: readonly Statement[]
}

export interface Party {
  readonly name: string
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, string>>
}

export interface Ask {
  readonly party: Party
  readonly resource: string
  readonly method: string
  readonly path: string
}

/** Decides one request for which everything was prepared that can be. */
export type Decide = () => boolean

/** A policy as one engine has it ready. */
export interface Opened {
  /** Does beforehand what has to be done once per caller, or once per text of a request, and not for each decision. */
  prepare(ask: Ask): Decide
}

export interface Engine {
  readonly name: string
  /** What of its set-up makes it as fast as it can be. */
  readonly setUp: string
  /** Where it can't run here, why not. */
  missing?(): string | undefined
  open(policy: CommonPolicy): Promise<Opened>
}

export interface Template {
  /** Of each segment its text, or undefined for any that isn't empty. The last is empty where the template ends with a slash. */
  readonly segments: readonly (string | undefined)[]
  /** Ends with `**`: one or more segments, the last of which may be empty. */
  readonly rest: boolean
}

/** Reads a template for the other engines, not with Ostiary's own reader. */
export function templateOf(text: string): Template {
  const parts = text.slice(1).split('/')
  const rest = parts.at(-1) === '**'
  return { segments: (rest ? parts.slice(0, -1) : parts).map((part) => (part.startsWith('{') ? undefined : part)), rest }
}

/** `GET` is `HEAD` as well, in Ostiary; other engines are told both. */
export function methodsOf({ method }: Statement): readonly string[] {
  return method === 'GET' ? ['GET', 'HEAD'] : [method]
}
