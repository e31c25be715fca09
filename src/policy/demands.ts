import { RE2JS } from 're2js'
import type { Located } from '../config/document.ts'
import type { ClaimType } from '../config/schema.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { Findings } from './names.ts'
import { AUTHENTICATED, EVERYONE } from './model.ts'
import { describeDemand, proofOf, type ClaimProof, type Demand } from './require.ts'
import type { Context, Path } from './resolve.ts'
import type { RequirementsText } from './schema.ts'
import { literalProblem, patternHelp } from './when/functions.ts'
import { parseNetwork } from './when/cidr.ts'
import type { World } from './world.ts'

export function isEmpty(required: RequirementsText | undefined): boolean {
  return required !== undefined && required.approval === undefined && demanded(required).length === 0
}

type Demanded = Omit<Demand, 'byIssuer'> & { readonly key: keyof RequirementsText }

function demanded({ mfa, authContext, proofOfPossession, device, network, justification }: RequirementsText): readonly Demanded[] {
  return [
    ...(mfa === undefined ? [] : [{ kind: 'mfa' as const, name: '', key: 'mfa' as const }]),
    ...(authContext === undefined ? [] : [{ kind: 'auth-context' as const, name: authContext, key: 'authContext' as const }]),
    ...(proofOfPossession === undefined
      ? []
      : [{ kind: 'proof-of-possession' as const, name: proofOfPossession, key: 'proofOfPossession' as const }]),
    ...(device === undefined ? [] : [{ kind: 'device' as const, name: device, key: 'device' as const }]),
    ...(network === undefined ? [] : [{ ...demandOf('network', network.join(SEPARATOR)), key: 'network' as const }]),
    ...(justification === undefined
      ? []
      : [{ ...demandOf('justification', justification === true ? '' : justification.matches), key: 'justification' as const }]),
  ]
}

/** No network has it in its text. */
const SEPARATOR = ', '

/** A demand but for how issuers prove it, by what it is called. */
export function demandOf(kind: Demand['kind'], name: string): Omit<Demand, 'byIssuer'> {
  if (kind === 'network')
    return {
      kind,
      name,
      networks: name
        .split(SEPARATOR)
        .map(parseNetwork)
        .filter((one) => one !== undefined),
    }
  return kind === 'justification' ? { kind, name, accepts: name === '' ? undefined : wholly(name) } : { kind, name }
}

/** Whether all of a text matches. A pattern that is none matches nothing, and is found wrong apart. */
function wholly(pattern: string): (text: string) => boolean {
  try {
    const compiled = RE2JS.compile(pattern)
    return (text) => compiled.matches(text)
  } catch {
    return () => false
  }
}

/** Networks and patterns have to be what they are read as. */
function checkLiterals({ network, justification }: RequirementsText, id: string, path: Path, { findings }: Context): void {
  for (const [i, text] of (network ?? []).entries())
    if (parseNetwork(text) === undefined)
      findings.add('policy/requirement', { id, problem: `\`${text}\` is not a network such as \`10.0.0.0/8\`` }, [...path, 'network', i])
  if (typeof justification !== 'object') return
  const problem = literalProblem('matches', justification.matches)
  if (problem !== undefined)
    findings.add('policy/requirement', { id, problem }, [...path, 'justification', 'matches'], patternHelp(justification.matches))
}

const BY_ISSUER: ReadonlySet<Demand['kind']> = new Set(['mfa', 'auth-context', 'device'])

/** What a guardrail requires, for the issuers whose principals it can meet. Each of them has to say how it is proven, or that it can't be. */
export function resolveDemands(
  required: RequirementsText,
  about: { readonly id: string; readonly met: readonly string[]; readonly resources: readonly string[] },
  path: Path,
  context: Context,
): readonly Demand[] {
  const { world, roles, findings } = context
  checkLiterals(required, about.id, [...path, 'require'], context)
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
    // These are shown by the credential or by the request, whoever issued it.
    if (!BY_ISSUER.has(demand.kind)) return { ...demand, byIssuer }
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
      ...Object.entries(stepUp.device).map(([name, proof]) => [[...at, 'device', name], proof] as const),
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
