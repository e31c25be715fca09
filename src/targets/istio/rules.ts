/**
 * What a policy lets through, as rules that allow: guardrails and scopes are cut out of each, since a denial beside them is one that could
 * go missing. The denials of guardrails come once more, as far as they can be told, so that they show who denied.
 */
import { all, isAlways, isNever, not, type Formula, type NativeIssuer } from '../../core/token.ts'
import { NoNativeForm, NOBODY, type NativeResource, type NativeRule, type NativeStatement } from '../../policy/native/native.ts'
import { alternativesOf, AUTHORIZATION, conjunction, MAX_ALTERNATIVES, settle, type Asking, type Conditions } from './conditions.ts'
import { isOpen, knownMethods, meets, operationsOf, outside, regionsOf, within, type Operation, type Region } from './paths.ts'

/** One rule of an AuthorizationPolicy. */
export interface IstioRule {
  readonly to: readonly { readonly operation: Operation }[]
  readonly when: Conditions
}

export interface RulesInput {
  readonly native: NativeResource
  readonly asking: Asking
  /** For every rule about tokens of an issuer, by form. */
  readonly credentials: ReadonlyMap<string, Conditions>
  readonly hosts: readonly string[]
  readonly ports: readonly string[]
  /** For every rule. */
  readonly always: Conditions
  readonly forwardsToken: boolean
}

/** Operations of one rule, at most. */
const MAX_OPERATIONS = 512

export const ISS = 'request.auth.claims[iss]'
const AUD = 'request.auth.claims[aud]'

export class Rules {
  readonly #input: RulesInput
  readonly #methods: readonly string[]
  /** Whether some rule lets through what stands for any segment. */
  hasOpenPaths = false

  constructor(input: RulesInput) {
    this.#input = input
    const { rules, guardrails, scopes } = input.native
    this.#methods = knownMethods([...rules, ...guardrails, ...(scopes?.scopes ?? [])].flatMap(({ patterns }) => patterns))
  }

  /** @throws NoNativeForm */
  allowing({ patterns, applies, peers }: Pick<NativeRule, 'patterns' | 'applies' | 'peers'>): readonly IstioRule[] {
    if (peers?.length === 0) return []
    // Positive, so that no connection without a certificate meets it.
    const from = peers === undefined ? [] : [{ key: 'source.principal', values: peers }]
    return this.#made([...applies], from, (caller, formula) => this.#left(caller, formula, regionsOf(patterns, this.#methods)))
  }

  /** What a guardrail denies, or less. @throws NoNativeForm */
  denying({ patterns, applies }: NativeStatement): readonly IstioRule[] {
    const regions = regionsOf(patterns, this.#methods)
    // What is relied on here is relied on where it is cut out, too, or lets nobody in.
    const asking = { ...this.#input.asking, needs: () => undefined, narrower: () => undefined }
    const rules = [...applies].flatMap(([caller, formula]) =>
      alternativesOf(formula, asking).map((alternative) => this.#rule(regions, conjunction(this.#isOf(caller), alternative))),
    )
    return unique(rules)
  }

  #made(
    applies: readonly (readonly [string, Formula])[],
    from: Conditions,
    left: (caller: string, formula: Formula) => readonly State[],
  ): readonly IstioRule[] {
    const rules = applies.flatMap(([caller, formula]) =>
      left(caller, formula).flatMap(({ holds, regions }) =>
        alternativesOf(holds, this.#input.asking).map((alternative) => {
          this.hasOpenPaths ||= regions.some(isOpen)
          return this.#rule(regions, conjunction(conjunction(this.#mayCome(caller), [...this.#input.always, ...from]), alternative))
        }),
      ),
    )
    return unique(rules)
  }

  /** What scopes and guardrails leave of it for callers of a class. */
  #left(caller: string, formula: Formula, regions: readonly Region[]): readonly State[] {
    const { guardrails, scopes } = this.#input.native
    let states: readonly State[] = [{ holds: formula, regions }]
    if (scopes !== undefined) {
      const capped = scopes.capped.get(caller)
      if (capped !== undefined)
        states = this.#open(
          states.flatMap((state) => [
            { ...state, holds: all(state.holds, not(capped)) },
            ...scopes.scopes.map(({ patterns, has }) => ({
              holds: all(state.holds, has.get(caller) ?? { any: [] }),
              regions: within(state.regions, patterns, this.#methods),
            })),
          ]),
        )
    }
    for (const { patterns, applies } of guardrails) {
      const denied = applies.get(caller)
      if (denied === undefined) continue
      states = this.#open(
        states.flatMap((state) => {
          if (!meets(state.regions, patterns, this.#methods)) return [state]
          const free = { holds: state.holds, regions: outside(state.regions, patterns, this.#methods) }
          return isAlways(denied) ? [free] : [free, { holds: all(state.holds, not(denied)), regions: state.regions }]
        }),
      )
    }
    return states
  }

  #open(states: readonly State[]): readonly State[] {
    const open = states
      .map(({ holds, regions }) => ({ holds: settle(holds, this.#input.asking.settled), regions }))
      .filter(({ holds, regions }) => regions.length > 0 && !isNever(holds))
    if (open.length > MAX_ALTERNATIVES) throw new NoNativeForm(`it takes more than ${MAX_ALTERNATIVES} rules`)
    return open
  }

  #rule(regions: readonly Region[], when: Conditions): IstioRule {
    const { hosts, ports } = this.#input
    const to = operationsOf(regions, hosts, ports).map((operation) => ({ operation }))
    if (to.length > MAX_OPERATIONS) throw new NoNativeForm(`it takes more than ${MAX_OPERATIONS} operations`)
    return { to, when }
  }

  #issuer(caller: string): NativeIssuer {
    return this.#input.native.issuers.find(({ form }) => form === caller)!
  }

  /** Whose token it is; nobody's shows nothing that was verified. */
  #isOf(caller: string): Conditions {
    return caller === NOBODY ? [{ key: ISS, notValues: ['*'] }] : [{ key: ISS, values: [this.#issuer(caller).iss] }]
  }

  /** The same, and with what credential: a bad one is refused also where none is needed. */
  #mayCome(caller: string): Conditions {
    if (caller === NOBODY) return [...this.#isOf(caller), { key: AUTHORIZATION, notValues: ['*'] }]
    const { audiences } = this.#issuer(caller)
    return [
      ...this.#isOf(caller),
      { key: AUD, values: audiences },
      // Where it isn't forwarded, it is gone by now.
      ...(this.#input.forwardsToken ? [{ key: AUTHORIZATION, values: ['Bearer *'] }] : []),
      ...(this.#input.credentials.get(caller) ?? []),
    ]
  }
}

/** Callers for whom a formula holds, in some regions. */
interface State {
  readonly holds: Formula
  readonly regions: readonly Region[]
}

function unique(rules: readonly IstioRule[]): readonly IstioRule[] {
  return [...new Map(rules.map((one) => [JSON.stringify(one), one])).values()]
}
