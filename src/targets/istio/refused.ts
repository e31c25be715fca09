/** What is refused of every request to a workload. Headers by which a caller could pretend to be somebody, or ask for something else than is decided: who sends one is refused. */
import { IDENTITY_HEADERS } from '../../envoy/identity.ts'
import type { Attachment, Documents } from './documents.ts'
import type { TargetDocument } from '../target.ts'
import type { Conditions } from './conditions.ts'
import { ISS } from './rules.ts'

export function headersDenied(
  documents: Documents,
  attachment: Attachment,
  ports: readonly string[],
  notHosts: readonly string[],
): TargetDocument {
  const names = IDENTITY_HEADERS.flatMap((name) => [name, name.replaceAll('-', '_')])
  return documents.authorization({ what: 'identity-headers' }, attachment, {
    action: 'DENY',
    // Without ports it would deny whatever isn't http, too.
    rules: names.map((name) => ({
      to: [{ operation: { ports, ...(notHosts.length === 0 ? {} : { notHosts }) } }],
      when: [{ key: `request.headers[${name}]`, values: ['*'] }],
    })),
  })
}

/** Tokens that show what none may have: each is denied, whatever else it says. */
export function tokensDenied(
  documents: Documents,
  attachment: Attachment,
  unfit: ReadonlyMap<string, Conditions>,
  ports: readonly string[],
): readonly TargetDocument[] {
  const rules = [...unfit].flatMap(([iss, conditions]) =>
    conditions.map((one) => ({ to: [{ operation: { ports } }], when: [{ key: ISS, values: [iss] }, one] })),
  )
  return rules.length === 0 ? [] : [documents.authorization({ what: 'unfit-tokens' }, attachment, { action: 'DENY', rules })]
}
