/** Issuers of the small world whose tokens say of themselves what Ostiary makes of them, so that random identities have tokens. */
import { all, not, payload, test as ask, type AskedToken, type Formula, type NativeIssuer } from '../../core/token.ts'
import type { Identity } from '../../core/principal.ts'

const is = (name: string): Formula => ask({ is: 'value', path: payload(name), type: 'boolean', values: [true] })
const hasScope = (scope: string): Formula => ask({ is: 'word', path: payload('scope'), word: scope })

/** Issuers whose tokens say of themselves what Ostiary makes of them. */
function issuerOf(name: string, claims: NativeIssuer['claims']): NativeIssuer {
  return {
    name,
    form: name,
    iss: `https://${name}.example`,
    audiences: ['a'],
    algorithms: ['ES256'],
    credential: all(),
    subject: ['sub'],
    derived: [],
    tokenId: 'jti',
    clients: ['client_id'],
    narrower: [],
    claims,
    appOnly: is('appOnly'),
    listedClient: all(is('appOnly'), is('listed')),
    kinds: { human: not(is('workload')), workload: is('workload') },
    capped: is('capped'),
    hasScope,
  }
}

const list = (name: string) => [name, { path: payload('claims', name), type: 'list' }] as const
const text = (name: string) => [name, { path: payload('claims', name), type: 'string' }] as const
const number = (name: string) => [name, { path: payload('claims', name), type: 'number' }] as const
export const issuers = new Map<string, readonly NativeIssuer[]>([
  [
    'entra',
    [
      issuerOf(
        'entra',
        Object.fromEntries([list('roles'), list('groups'), text('department'), text('oid'), text('sub'), number('level'), number('rank')]),
      ),
    ],
  ],
  ['ci', [issuerOf('ci', Object.fromEntries([list('groups'), text('department'), text('repository'), text('sub'), text('rank')]))]],
])

export function tokenOf({ issuer, claims, appOnly, listedClient, kind, scopes }: Identity): AskedToken & { readonly form: string } {
  const payloadOf = {
    claims: { ...claims },
    appOnly,
    listed: listedClient,
    workload: kind === 'workload',
    capped: scopes !== undefined,
    scope: (scopes ?? []).join(' '),
  }
  return { form: issuer, header: {}, payload: payloadOf }
}
