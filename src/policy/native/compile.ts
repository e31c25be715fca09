import { all, ALWAYS, any, isNever, NEVER, not, test, type Formula, type NativeIssuer, type TokenValue } from '../../core/token.ts'
import type { HttpPattern } from '../actions/http/template.ts'
import { AUTHENTICATED, EVERYONE, type Binding, type Guardrail, type Model, type PlacedPattern, type Rule } from '../model.ts'
import type { Demand } from '../require.ts'
import { statementsOn } from '../statements.ts'
import { claimHas } from './claims.ts'
import { meaningOf, nativeNetwork } from './conditions.ts'
import {
  NoNativeForm,
  NOBODY,
  type ByClass,
  type NativeGuardrail,
  type NativeObservation,
  type NativeResource,
  type NativeRule,
  type NativeScopes,
  type NotNative,
} from './native.ts'

export interface NativeInput {
  readonly model: Model
  /** Name of a resource that speaks http. */
  readonly resource: string
  /** By name: all of the wiring, or why their tokens can't be verified by anybody else. */
  readonly issuers: ReadonlyMap<string, readonly NativeIssuer[] | { readonly refused: string }>
  /**
   * Who is at the other end of the connection where one of the roles is held, for whoever can tell. Default: nobody can.
   * @throws NoNativeForm
   */
  readonly peersOf?: (roles: readonly string[]) => readonly string[]
}

export interface NativeResult {
  readonly native: NativeResource
  /** What is not in it. As long as there is anything, `native` may be wider than the policy. */
  readonly refused: readonly NotNative[]
}

/** Compiles what the policy says of one resource for enforcement points that see tokens. */
export function compileNative({ model, resource, issuers, peersOf }: NativeInput): NativeResult {
  const info = model.world.resources[resource]
  const until = info?.observedUntil
  const refused: NotNative[] = []
  const accepted: NativeIssuer[] = []
  // A resource that is only observed lets in those, too, whose issuer it does not accept: as far as their tokens can be verified.
  const foreign: NativeIssuer[] = []
  for (const [name, issuer] of issuers) {
    const isAccepted = info?.issuers?.includes(name) !== false
    if (!('refused' in issuer)) (isAccepted ? accepted : foreign).push(...issuer)
    else if (isAccepted) refused.push({ id: undefined, why: `issuer \`${name}\` ${issuer.refused}`, span: undefined })
  }
  const compiler = new Compiler(model, accepted, until)
  const { rules, guardrails } = statementsOn(model, resource)
  const attempt = <S extends Rule | Guardrail, T>(statement: S, compile: (one: S) => T): readonly T[] => {
    try {
      return [compile(statement)]
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      refused.push({ id: statement.id, why: error.message, span: statement.span })
      return []
    }
  }
  return {
    native: {
      name: resource,
      issuers: until === undefined ? accepted : [...accepted, ...foreign],
      rules: rules.flatMap((rule) => attempt(rule, (one) => compiler.rule(one, peersOf))),
      guardrails: guardrails.flatMap((guardrail) => attempt(guardrail, (one) => compiler.guardrail(one))),
      scopes: compiler.scopes(resource),
      ...(until === undefined ? {} : { observed: observationOf(until, [...accepted, ...foreign]) }),
    },
    refused,
  }
}

/** Whoever shows nothing, or a token that is let in at all. */
function observationOf(until: number, issuers: readonly NativeIssuer[]): NativeObservation {
  const before = test({ is: 'before', instant: until })
  return { until, lets: new Map([NOBODY, ...issuers.map(({ form }) => form)].map((caller) => [caller, before])) }
}

class Compiler {
  readonly #model: Model
  readonly #issuers: readonly NativeIssuer[]
  /** Until when the whole resource is only observed. */
  readonly #until: number | undefined

  constructor(model: Model, issuers: readonly NativeIssuer[], until: number | undefined) {
    this.#model = model
    this.#issuers = issuers
    this.#until = until
  }

  rule({ id, span, actions, roles, peer, when }: Rule, peersOf: NativeInput['peersOf']): NativeRule {
    if (peer !== undefined && peersOf === undefined) throw new NoNativeForm('`peer:` asks who is at the other end of the connection')
    const peers = peer === undefined ? undefined : peersOf!(peer)
    const applies = this.#byClass((issuer) => {
      const held = any(...roles.map((role) => this.#held(role, issuer)))
      return when === undefined || isNever(held) ? held : all(held, meaningOf(when, issuer).yes)
    })
    return { id, span, patterns: patternsOf(actions), applies, ...(peers === undefined ? {} : { peers }) }
  }

  guardrail(guardrail: Guardrail): NativeGuardrail {
    const { id, span, actions, who, roles, when, denies, requires, approval, masks, limit, strict, observedUntil } = guardrail
    if (masks.length > 0) throw new NoNativeForm('`mask:` changes answers')
    if (limit !== undefined) throw new NoNativeForm('`limit:` counts requests')
    if (strict) throw new NoNativeForm('`record: strict` wants a record before the effect')
    if (who === 'for')
      for (const role of roles)
        if (this.#canBeActivated(role)) throw new NoNativeForm(`role \`${role}\` can be activated, which a token does not show`)
    const met = (issuer: NativeIssuer | undefined): Formula => {
      // Whether a role is held can be told of every token that is let in.
      const held = any(...roles.map((role) => this.#held(role, issuer)))
      const meets = who === 'for' ? held : not(held)
      if (isNever(meets)) return NEVER
      const stands = denies || approval !== undefined ? ALWAYS : any(...requires.map((demand) => not(this.#met(demand, issuer))))
      const unlessNot = when === undefined ? ALWAYS : not(meaningOf(when, issuer).no)
      return all(meets, stands, unlessNot)
    }
    return {
      id,
      span,
      patterns: patternsOf(actions),
      ...this.#ended(met, observedUntil),
      effect: denies ? 'deny' : requires.length > 0 ? 'challenge' : 'needs-approval',
    }
  }

  scopes(resource: string): NativeScopes | undefined {
    const scopes = this.#model.scopes.get(resource)
    if (scopes === undefined) return undefined
    const { applies: capped, ...observed } = this.#ended((issuer) => issuer?.capped ?? NEVER)
    return {
      capped,
      ...observed,
      scopes: [...scopes].map(([scope, patterns]) => ({
        scope,
        patterns: patterns as readonly HttpPattern[],
        has: this.#byClass((issuer) => issuer?.hasScope(scope) ?? NEVER),
      })),
    }
  }

  /** What stands against callers, from the end of its own observation and of its resource's on; before it, it only would. */
  #ended(met: (issuer: NativeIssuer | undefined) => Formula, own?: number): { readonly applies: ByClass; readonly observed?: ByClass } {
    if (own === undefined && this.#until === undefined) return { applies: this.#byClass(met) }
    const observing = test({ is: 'before', instant: Math.max(own ?? -Infinity, this.#until ?? -Infinity) })
    return {
      applies: this.#byClass((issuer) => all(met(issuer), not(observing))),
      observed: this.#byClass((issuer) => all(met(issuer), observing)),
    }
  }

  /** Whoever activates a role may be `authenticated` by it. */
  #canBeActivated(name: string): boolean {
    const all = name === AUTHENTICATED ? [...this.#model.roles.values()] : [this.#model.roles.get(name)]
    return all.some((role) => role?.bindings.some(({ eligible }) => eligible) === true)
  }

  #byClass(formula: (issuer: NativeIssuer | undefined) => Formula): ByClass {
    const classes = [[NOBODY, formula(undefined)] as const, ...this.#issuers.map((issuer) => [issuer.form, formula(issuer)] as const)]
    return new Map(classes.filter(([, one]) => !isNever(one)))
  }

  /** Whether callers of a class hold a role. */
  #held(role: string, issuer: NativeIssuer | undefined): Formula {
    if (role === EVERYONE) return ALWAYS
    if (issuer === undefined) return NEVER
    if (role === AUTHENTICATED) return this.#authenticated(issuer)
    return any(...(this.#model.roles.get(role)?.bindings ?? []).map((binding) => bound(binding, issuer)))
  }

  /** Every identity but an app's own, which needs a role, a listing, or something in the token that gives any role. */
  #authenticated(issuer: NativeIssuer): Formula {
    const { roles } = issuer.claims
    const shown = [...this.#model.roles.values()].flatMap(({ bindings }) => bindings.filter(({ match }) => match !== 'none'))
    return any(
      not(issuer.appOnly),
      issuer.listedClient,
      roles?.type === 'list' && roles.path !== undefined ? test({ is: 'texts', path: roles.path }) : NEVER,
      ...shown.map((binding) => bound(binding, issuer)),
    )
  }

  /** Whether the caller proves what is asked for. Nobody is asked natively, and nobody can say anything with the request. */
  #met({ kind, byIssuer, networks }: Demand, issuer: NativeIssuer | undefined): Formula {
    if (kind === 'network') return test({ is: 'address', networks: networks!.map(nativeNetwork) })
    if (kind === 'justification') throw new NoNativeForm('`require: justification` asks for a text with the request')
    const proof = issuer === undefined ? undefined : byIssuer.get(issuer.name)
    // Tokens that are bound to a key are not let in.
    if (issuer === undefined || proof === undefined || kind === 'proof-of-possession') return NEVER
    return hasValue(issuer, proof.claim, proof.values)
  }
}

function bound({ issuer: name, claim, match, values, kind, until, eligible }: Binding, issuer: NativeIssuer): Formula {
  if (name !== issuer.name || eligible) return NEVER
  const ofKind = kind === undefined ? ALWAYS : Object.hasOwn(issuer.kinds, kind) ? issuer.kinds[kind]! : NEVER
  const has = (one: Iterable<TokenValue>): Formula => hasValue(issuer, claim, one)
  const matched = match === 'any' ? has(values) : match === 'none' ? not(has(values)) : all(...[...values].map((one) => has([one])))
  return all(ofKind, matched, until === undefined ? ALWAYS : test({ is: 'before', instant: until }))
}

function hasValue(issuer: NativeIssuer, claim: string, values: Iterable<TokenValue>): Formula {
  const found = claimHas(issuer, claim, values)
  if (found === undefined) throw new NoNativeForm(`issuer \`${issuer.name}\` has no claim \`${claim}\``)
  return found
}

function patternsOf(actions: readonly PlacedPattern[]): readonly HttpPattern[] {
  return actions.map(({ pattern }) => {
    if (pattern.protocol !== 'http') throw new NoNativeForm('it is not about http')
    return pattern
  })
}
