/** What filters only observe, read back: it must be what the policy will deny once observation has ended, and must decide nothing. */
import { proveEnforced } from '../policy/compare/enforced.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import { enforcedModel } from '../policy/observation.ts'
import type { NativeResource } from '../policy/native/native.ts'
import type { Place } from './answers.ts'
import { FILTERS } from './filters.ts'
import { OBSERVED, UNGRANTED } from './metadata.ts'
import { readResource } from './prove.ts'
import type { Json } from './rbac.ts'
import { NotRead } from './read.ts'

/** An `rbac` filter, in protobuf's JSON: what it enforces, and what it only observes. */
export interface Section {
  readonly rules: Json
  readonly observed: Json | undefined
}

export interface Sections {
  readonly guardrails: Section
  readonly rules: Section
}

const PREFIXES: Readonly<Record<string, string>> = { [FILTERS.guardrails]: OBSERVED.prefix, [FILTERS.rules]: UNGRANTED.prefix }

/** @throws NotRead where the filter says more than that: a `matcher` would decide instead of the rules */
export function readSection({ rules, shadowRules, shadowRulesStatPrefix, ...rest }: Json, filter: string): Section {
  const [more] = Object.keys(rest).filter((key) => key !== '@type')
  if (more !== undefined) throw new NotRead(`\`${filter}\` with \`${more}\``)
  if (rules === undefined) throw new NotRead(`\`${filter}\` without rules`)
  if (shadowRules !== undefined && shadowRulesStatPrefix !== PREFIXES[filter])
    throw new NotRead(`\`${filter}\` tells under another name what it only observes`)
  return { rules: rules as Json, observed: shadowRules as Json | undefined }
}

/**
 * Where something is only observed: whether what it is said to deny is what will be denied.
 * @throws NotRead
 */
export function observationProblems(
  { callers, guardrails, rules }: Sections & { readonly callers: Json },
  native: NativeResource,
  policy: CompiledPolicy,
  now: number,
  place?: Place,
): { readonly problems: readonly string[]; readonly notProven: readonly string[] } {
  if (native.observed === undefined && native.guardrails.every(({ observed }) => observed === undefined))
    return { problems: [], notProven: [] }
  const read = readResource({ callers, guardrails: both(guardrails), rules: rules.observed ?? rules.rules }, native, place)
  const { counterexamples, notProven } = proveEnforced({
    policy: { model: enforcedModel(policy.model) },
    resource: native.name,
    issuers: read.issuers,
    enforced: read.enforced,
    now,
  })
  const [one] = counterexamples
  if (one === undefined) return { problems: [], notProven }
  const whose = one.issuer === undefined ? 'a caller without a credential' : `\`${one.issuer}\``
  const said =
    one.direction === 'wider' ? 'is not said to be denied once it is enforced' : 'is said to be denied once it is enforced, and will not be'
  return { problems: [`${one.actions} of ${whose} ${said}`], notProven }
}

/** What is denied now and what is observed: together, what will be denied. */
function both({ rules, observed }: Section): Json {
  const policies = (one: Json | undefined): readonly (readonly [string, unknown])[] => Object.entries((one?.['policies'] ?? {}) as Json)
  if (observed !== undefined && observed['action'] !== rules['action']) throw new NotRead('an observation of another action')
  return {
    ...rules,
    policies: Object.fromEntries([...policies(rules), ...policies(observed).map(([name, one]) => [`${name} (observed)`, one])]),
  }
}
