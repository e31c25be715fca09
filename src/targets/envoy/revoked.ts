/** Revocations, for an Envoy to enforce by itself: policies that deny, of a filter of their own that changes without the policy. */
import { all, any, ALWAYS, not, payload, quoted, test, type Formula, type NativeIssuer } from '../../core/token.ts'
import { policiesOf, type Json, type Policies } from '../../envoy/rbac.ts'
import { isGuid } from '../../identity/revocations/match.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import { RBAC } from '../../envoy/filters.ts'

/** The filter as a whole: nothing is revoked, nothing is denied. */
export function revokedOf(issuers: readonly NativeIssuer[], revoked: readonly RevocationTarget[]): Json {
  const policies = issuers.flatMap((issuer) => policiesAbout(issuer, revoked))
  return { '@type': RBAC, rules: { action: 'DENY', policies: Object.fromEntries(policies) } }
}

function policiesAbout(issuer: NativeIssuer, revoked: readonly RevocationTarget[]): Policies {
  const [tokens, subjects, clients] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const instants: Formula[] = []
  for (const target of revoked) {
    // A browser's session is nothing that an Envoy takes.
    if (target.kind === 'session' || target.issuer !== issuer.name) continue
    if (target.kind === 'token') tokens.add(target.token)
    else if (target.kind === 'subject') subjects.add(target.subject)
    else if (target.kind === 'client') clients.add(target.client)
    else instants.push(all(target.subject === undefined ? ALWAYS : isSubject(issuer, [target.subject]), not(issuedAfter(target.before))))
  }
  const told = (what: string, formula: Formula): Policies => policiesOf(`(revoked:${what})`, { any: true }, issuer, formula)
  return [
    ...told('token', isOneOf(issuer.tokenId, [...tokens])),
    ...told('subject', isSubject(issuer, [...subjects])),
    // Whoever is no person is a client by its subject as well.
    ...told('client', any(...issuer.clients.map((claim) => isOneOf(claim, [...clients])), isSubject(issuer, [...clients]))),
    ...instants.flatMap((formula, index) => told(`issued-before:${index}`, formula)),
  ]
}

/** What has no time of issue counts as issued before any instant. */
function issuedAfter(instant: number): Formula {
  return test({ is: 'compare', path: payload('iat'), op: '>', value: instant / 1000 })
}

/** Subjects have the form of their issuer: one claim, or several with `/` between them. */
function isSubject({ subject }: NativeIssuer, names: readonly string[]): Formula {
  const [only, ...others] = subject
  if (others.length === 0) return isOneOf(only!, names)
  return any(
    ...names.flatMap((name) => {
      const parts = name.split('/')
      return parts.length === subject.length ? [all(...subject.map((claim, index) => isOneOf(claim, [parts[index]!])))] : []
    }),
  )
}

function isOneOf(claim: string, names: readonly string[]): Formula {
  const path = payload(claim)
  const values = names.filter((name) => !isGuid(name))
  return any(
    values.length === 0 ? any() : test({ is: 'value', path, type: 'string', values }),
    ...names.filter(isGuid).map((name) => test({ is: 'matches', path, pattern: `(?i)${quoted(name)}` })),
  )
}
