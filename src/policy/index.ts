import type { Located } from '../config/document.ts'
import type { Sources } from '../config/wiring.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { CompiledPolicy } from './compiled.ts'
import { sha256 } from './digest.ts'
import type { Model, Role } from './model.ts'
import { readPolicy, type KnownFiles } from './read.ts'
import { resolve } from './resolve.ts'
import { canBeHeld, shadowOf } from './shadow.ts'
import { expired, versionText } from './version.ts'
import { OWN_RESOURCE, worldOf, type KindClaims, type Operations, type PolicyWiring } from './world.ts'

export { PROTOCOLS } from './actions/index.ts'
export { checkPolicy, checkWiring } from './check.ts'
export { CompiledPolicy } from './compiled.ts'
export { type Explanation, type PartyExplanation } from './explain.ts'
export { renderExplanation } from './render.ts'
export type { KnownFiles } from './read.ts'
export { policySchema, policyTestSchema } from './schema.ts'
export { packPolicy, unpackingPolicy, type PackedPolicy } from './packed/policy.ts'
export { readSearch, searchActions, searchResources, type Search } from './searching.ts'
export { mayProceed, MAX_EVALUATIONS, readEvaluations, type Evaluation, type Evaluations } from './evaluation.ts'
export { describeDemand } from './require.ts'
export { renderAccess, type Access } from './access.ts'
export { asksOf, renderWhoCan, whoCan, type WhoCan } from './whocan.ts'
export { actionOf, coverageOf, runPolicyTests, type PolicyTestCoverage, type PolicyTestResult, type PolicyTestRun } from './test.ts'
export { OWN_RESOURCE, worldOf, type ClaimInfo, type KindClaims, type World } from './world.ts'

export interface LoadPolicy {
  readonly sources: Sources
  readonly wiring: PolicyWiring
  /** The environment's `bindings:`. */
  readonly bindings?: Located | undefined
  /** The merged wiring, so that findings about scopes have their place. */
  readonly wiringRoot?: Located | undefined
  readonly kindClaims: KindClaims
  /** Operations of OpenAPI documents by their id, by resource. */
  readonly operations?: Operations | undefined
  /** Refuse a policy under which nobody could administer the gateway. */
  readonly mustAdminister: boolean
  /** Milliseconds since the epoch: bindings that have ended by then give nothing. */
  readonly now: number
  /** Files that were read before are not read again. */
  readonly known?: KnownFiles | undefined
  /** Hex SHA-256 of a text's UTF-8 form; default: one in plain JavaScript. */
  readonly digest?: ((text: string) => string) | undefined
}

export interface LoadedPolicy {
  /** Undefined if any diagnostic is an error: a bad version is refused whole. */
  readonly policy: CompiledPolicy | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads, resolves and compiles a policy. Pure: the same input gives the same version, whatever the order of files. */
export function loadPolicy(load: LoadPolicy): LoadedPolicy {
  const sources = { ...load.sources, policy: load.sources.policy.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }
  const read = readPolicy(sources.policy, load.known)
  const diagnostics = [...read.diagnostics]
  // Names are looked at only where every file could be read: half a policy would make its other half look wrong.
  if (diagnostics.some(({ severity }) => severity === 'error')) return { policy: undefined, diagnostics }
  const resolved = resolve(read.files, worldOf(load.wiring, load.kindClaims, load.operations), {
    wiring: load.wiringRoot,
    bindings: load.bindings,
  })
  diagnostics.push(...resolved.diagnostics)
  const failed = diagnostics.some(({ severity }) => severity === 'error')
  if (!failed && load.mustAdminister) diagnostics.push(...lockout(resolved.model, load.now, sources))
  if (diagnostics.some(({ severity }) => severity === 'error')) return { policy: undefined, diagnostics }
  const digest = load.digest ?? sha256
  const version = `sha256:${digest(versionText(sources, expired(resolved.model, load.now)))}`
  return { policy: new CompiledPolicy(resolved.model, version, load.now), diagnostics }
}

/** Nobody could activate a role at a gateway that nobody may administer. */
function isOnlyEligible(role: Role | undefined): boolean {
  return role !== undefined && role.bindings.every(({ eligible }) => eligible)
}

function lockout(model: Model, now: number, sources: Sources): readonly Diagnostic[] {
  const administered = model.rules.some((rule) => {
    const roles = rule.roles.filter((role) => canBeHeld(model.roles.get(role), now) && !isOnlyEligible(model.roles.get(role)))
    // Whether there will be such a peer is not to be seen here.
    return (
      rule.resources.includes(OWN_RESOURCE) &&
      rule.peer === undefined &&
      roles.length > 0 &&
      shadowOf({ ...rule, roles }, OWN_RESOURCE, model) === undefined
    )
  })
  if (administered) return []
  const file = sources.policy[0]?.path ?? sources.wiring.path
  return [diagnostic('policy/lockout', {}, { file, line: 1, column: 1, endLine: 1, endColumn: 1 })]
}
