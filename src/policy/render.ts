import type { Considered, RoleExplanation } from './considered.ts'
import type { Explanation, PartyExplanation } from './explain.ts'

/** An explanation as text for a terminal, without colour. Everything in it that came from outside is shown without control characters. */
export function renderExplanation(explanation: Explanation): string {
  const { effect, observed, action, resource, policyVersion, parties, wouldHelp, resourceKnown, tooManyParties } = explanation
  const lines = [`${effect}  ${action}  on ${resource}`, `policy  ${policyVersion}`]
  if (observed !== undefined) lines.push(`observed  without what is only observed, it would be ${observed}`)
  if (!resourceKnown) lines.push(`resource  \`${resource}\` is not known to this policy`)
  for (const [i, party] of parties.entries()) lines.push('', ...renderParty(party, i > 0))
  if (tooManyParties) lines.push('', 'acting for  more parties follow than are allowed')
  if (wouldHelp.length > 0) lines.push('', 'what would help', ...wouldHelp.map((help) => `  - ${help}`))
  return `${lines.map(printable).join('\n')}\n`
}

function printable(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD')
}

function renderParty(party: PartyExplanation, acting: boolean): readonly string[] {
  const { evidence, issuer, scopes } = party
  const lines = [
    `${acting ? 'acting for it' : 'who'}  ${party.party} (${party.kind})${party.display === undefined ? '' : `, ${party.display}`}${acting ? `: ${party.effect}` : ''}`,
  ]
  if (evidence !== undefined) {
    const parts = [
      evidence.credential,
      `issuer ${issuer} (${evidence.issuerUrl})`,
      ...(evidence.audience === '' ? [] : [`audience ${evidence.audience}`]),
      ...(evidence.client === undefined ? [] : [`client ${evidence.client}`]),
      ...(evidence.keyId === undefined ? [] : [`key ${evidence.keyId}`]),
      `valid until ${instant(evidence.expiresAt)}`,
    ]
    lines.push(`credential  ${parts.join(', ')}`)
  }
  if (!party.issuerAccepted) lines.push(`issuer  ${issuer} is not accepted on this resource`)
  lines.push('roles', ...party.roles.map(renderRole))
  if (scopes.state !== 'not-capped')
    lines.push(
      `scopes  ${scopes.held.join(' ') || 'none'}: ${scopes.state === 'covered' ? 'they cover the action' : 'they do not cover the action'}`,
    )
  if (party.rules.length > 0) lines.push('rules', ...party.rules.map(renderConsidered))
  if (party.guardrails.length > 0) lines.push('guardrails', ...party.guardrails.map(renderConsidered))
  if (party.omitted > 0) lines.push(`  and ${party.omitted} more that do not cover the action`)
  return lines
}

function renderRole({ role, state, claim, value, name, because, via }: RoleExplanation): string {
  const called = name === undefined ? '' : ` (${name})`
  const why = because === undefined ? '' : `: ${because}`
  switch (state) {
    case 'held':
      return `  + ${role}: held${claim === undefined ? ', built in' : `, by claim \`${claim}\`${value === undefined ? '' : ` with \`${value}\`${called}`}`}${via === undefined ? '' : `, as \`${via}\`, which includes it`}`
    case 'unknown':
      return `  ? ${role}: can not be told${claim === undefined ? '' : `, because claim \`${claim}\` can not${why}`}`
    case 'not-held':
      return `  - ${role}: not held`
  }
}

function renderConsidered({ id, place, bears, covers, why }: Considered): string {
  return `  ${bears ? '*' : covers ? '-' : ' '} ${id}: ${why}  (${place})`
}

function instant(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : 'for ever'
}
