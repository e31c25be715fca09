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
  const refused: NotNative[] = []
  const accepted: NativeIssuer[] = []
  for (const [name, issuer] of issuers) {
    if (info?.issuers?.includes(name) === false) continue
    if ('refused' in issuer) refused.push({ id: undefined, why: `issuer \`${name}\` ${issuer.refused}`, span: undefined })
    else accepted.push(...issuer)
  }
  if (info?.observedUntil !== undefined)
    refused.push({ id: undefined, why: '`observe:` of the resource lets through what is denied', span: undefined })
  const compiler = new Compiler(model, accepted)
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
      issuers: accepted,
      rules: rules.flatMap((rule) => attempt(rule, (one) => compiler.rule(one, peersOf))),
      guardrails: guardrails.flatMap((guardrail) => attempt(guardrail, (one) => compiler.guardrail(one))),
      scopes: compiler.scopes(resource),
    },
    refused,
  }
}

class Compiler {
  readonly #model: Model
  readonly #issuers: readonly NativeIssuer[]

  constructor(model: Model, issuers: readonly NativeIssuer[]) {
    this.#model = model
    this.#issuers = issuers
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
    const observing = observedUntil === undefined ? undefined : test({ is: 'before', instant: observedUntil })
    return {
      id,
      span,
      patterns: patternsOf(actions),
      applies: this.#byClass((issuer) => all(met(issuer), observing === undefined ? ALWAYS : not(observing))),
      ...(observing === undefined ? {} : { observed: this.#byClass((issuer) => all(met(issuer), observing)) }),
      effect: denies ? 'deny' : requires.length > 0 ? 'challenge' : 'needs-approval',
    }
  }

  scopes(resource: string): NativeScopes | undefined {
    const scopes = this.#model.scopes.get(resource)
    if (scopes === undefined) return undefined
    return {
      capped: this.#byClass((issuer) => issuer?.capped ?? NEVER),
      scopes: [...scopes].map(([scope, patterns]) => ({
        scope,
        patterns: patterns as readonly HttpPattern[],
        has: this.#byClass((issuer) => issuer?.hasScope(scope) ?? NEVER),
      })),
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
