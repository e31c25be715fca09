import type { Located } from '../config/document.ts'
import type { ClaimType } from '../config/schema.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { Findings } from './names.ts'
import { AUTHENTICATED, EVERYONE } from './model.ts'
import { describeDemand, proofOf, type ClaimProof, type Demand } from './require.ts'
import type { Context, Path } from './resolve.ts'
import type { RequirementsText } from './schema.ts'
import type { World } from './world.ts'

export function isEmpty(required: RequirementsText | undefined): boolean {
  return required !== undefined && demanded(required).length === 0
}

function demanded({
  mfa,
  authContext,
  proofOfPossession,
}: RequirementsText): readonly (Pick<Demand, 'kind' | 'name'> & { readonly key: string })[] {
  return [
    ...(mfa === undefined ? [] : [{ kind: 'mfa' as const, name: '', key: 'mfa' }]),
    ...(authContext === undefined ? [] : [{ kind: 'auth-context' as const, name: authContext, key: 'authContext' }]),
    ...(proofOfPossession === undefined
      ? []
      : [{ kind: 'proof-of-possession' as const, name: proofOfPossession, key: 'proofOfPossession' }]),
  ]
}

/** What a guardrail requires, for the issuers whose principals it can meet. Each of them has to say how it is proven, or that it can't be. */
export function resolveDemands(
  required: RequirementsText,
  about: { readonly id: string; readonly met: readonly string[]; readonly resources: readonly string[] },
  path: Path,
  { world, roles, findings }: Context,
): readonly Demand[] {
  const accepted = about.resources.map((name) => world.resources[name]?.issuers)
  const coming = Object.keys(world.issuers).filter((issuer) =>
    accepted.some((issuers) => issuers === undefined || issuers.includes(issuer)),
  )
  const anybody = about.met.includes(EVERYONE) || about.met.includes(AUTHENTICATED)
  const meant = coming.filter(
    (issuer) => anybody || about.met.some((role) => roles.get(role)?.bindings.some((binding) => binding.issuer === issuer) === true),
  )
  return demanded(required).map(({ key, ...demand }) => {
    const byIssuer = new Map<string, ClaimProof>()
    // That is shown by the credential itself, whoever issued it.
    if (demand.kind === 'proof-of-possession') return { ...demand, byIssuer }
    for (const issuer of meant) {
      const proof = proofOf(world, issuer, demand)
      if (proof === undefined)
        findings.add('policy/step-up', { id: about.id, what: describeDemand(demand), issuer }, [...path, 'require', key])
      else if (proof !== 'never') byIssuer.set(issuer, proof)
    }
    return { ...demand, byIssuer }
  })
}

/** What `stepUp` of the issuers names must be there, and of the type of its values. */
export function checkStepUp({ issuers }: World, wiring: Located | undefined): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = []
  const findings = wiring === undefined ? undefined : new Findings(wiring, diagnostics)
  for (const [issuer, { stepUp, claims }] of Object.entries(issuers)) {
    if (stepUp === undefined || stepUp === 'never') continue
    const at: Path = ['issuers', issuer, 'stepUp']
    const proofs = [
      [[...at, 'mfa'], stepUp.mfa] as const,
      ...Object.entries(stepUp.authContext).map(([name, proof]) => [[...at, 'authContext', name], proof] as const),
    ]
    for (const [path, proof] of proofs) {
      if (proof === undefined || proof === 'never') continue
      const type = Object.hasOwn(claims, proof.claim) ? claims[proof.claim]!.type : undefined
      const problem = problemOf(type, proof)
      if (problem !== undefined) diagnostics.push(diagnostic('policy/step-up-claim', { issuer, problem }, findings?.span(path)))
    }
  }
  return diagnostics
}

function problemOf(
  type: ClaimType | undefined,
  { claim, any }: { readonly claim: string; readonly any: readonly (string | number)[] },
): string | undefined {
  if (type === undefined) return `unknown claim \`${claim}\``
  if (type === 'boolean') return `claim \`${claim}\` is a truth value, which proves no level`
  const wanted = type === 'number' ? 'number' : 'string'
  const wrong = any.find((value) => typeof value !== wanted)
  return wrong === undefined ? undefined : `claim \`${claim}\` is of type ${type}, and \`${wrong}\` is not`
}
