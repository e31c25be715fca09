/**
 * What Ostiary asks of a credential or a request and Istio has no word for. Each is a class that Istio would let in and Ostiary refuses:
 * an error, unless the wiring says that such a thing never comes.
 */
import type { Formula, TokenTest } from '../../core/token.ts'
import { NoNativeForm } from '../../policy/native/native.ts'

/** By name: what it is that Istio can't tell, and what one has to make sure of. */
export const ASSUMPTIONS = {
  'access-tokens-only': {
    what: 'whether a token is an access token',
    ensure: 'ID tokens and other tokens that the issuer signs never have an audience of this API',
  },
  'complete-claims': {
    what: 'whether a token leaves claims out that are told elsewhere (`_claim_names`, `hasgroups`)',
    ensure: 'the issuer puts every declared claim into the token, such as only the groups that are assigned to the application',
  },
  'consistent-clients': {
    what: 'whether claims that name the client agree (`azp`, `appid`, `client_id`)',
    ensure: 'the issuer names one client in each token, in the claim that is read here',
  },
  'declared-claim-types': {
    what: 'of what type a claim is',
    ensure:
      'each claim has the type and the form that it is declared or documented with: a text where one is declared, a list of texts where a list is',
  },
  'escaped-characters': {
    what: 'escapes of a path in another spelling than the one of RFC 3986, or of control characters (`%3a`, `%c3`, `%01`), within what stands for any segment',
    ensure: 'the workload takes them for data',
  },
  'escaped-slashes': {
    what: 'a slash or backslash that is escaped (`%2F`, `%5C`), within what stands for any segment',
    ensure: 'the workload does not take them for separators; or have the mesh decode them: `pathNormalization: DECODE_AND_MERGE_SLASHES`',
  },
  'first-credential-counts': {
    what: 'whether anything comes after the token in `Authorization`',
    ensure: 'the workload itself reads no identity from `Authorization`',
  },
  'idtyp-always': {
    what: 'whether a token is an application’s own, where it has no `idtyp`',
    ensure: 'the registration has the optional claim `idtyp` for access tokens',
  },
  'issued-in-the-past': {
    what: 'whether a token says that it was issued in the future',
    ensure: 'the clocks of issuer and cluster agree',
  },
  'limited-lifetime': {
    what: 'how long a token lives, and whether it ends at all',
    ensure:
      'every token of the issuer has numbers in `iat` and `exp`, and lives no longer than allowed here (`maxLifetime`, `maxTokenLifetime`)',
  },
  'longer-clock-skew': {
    what: 'the 30 seconds that a clock may be off: it gives 60',
    ensure: 'it does no harm that a token counts for half a minute longer',
  },
  'no-app-only-tokens': {
    what: 'whether a client got a token for itself, which `sub` and the client show together',
    ensure: 'no client gets tokens for itself (client credentials) with an audience of this API',
  },
  'no-empty-claims': {
    what: 'a claim that is there and empty from one that is not there',
    ensure: 'the issuer leaves out a claim that would be an empty text or an empty list',
  },
  'no-identity-headers': {
    what: 'every header by which a caller could say who calls: the usual ones are refused',
    ensure: 'the workload believes no header about who calls, and of what it is told by the mesh only what was verified',
  },
  'one-trust-domain': {
    what: 'whether the other end of a connection is of the mesh’s trust domain or of one of its `trustDomainAliases`',
    ensure: 'the mesh has no aliases, or names in them are those of the same workloads',
  },
  'one-way-in': {
    what: 'whether there is another way to the workload than through its proxy',
    ensure:
      'nothing reaches it but through what enforces: no pod without a proxy, no port that is excluded from it, nobody who passes by the gateway; no other Service leads through the waypoint to it, which is for services alone (`istio.io/waypoint-for: service`); nobody else may write policies that allow',
  },
  'plain-headers': {
    what: 'what stands in the header of a token (`crit`, `jwk`, `kid`, …)',
    ensure: 'the issuer writes a `kid`, and neither keys nor extensions',
  },
  'published-keys': {
    what: 'which of the keys that an issuer publishes are for these tokens, and for which algorithm',
    ensure: 'all that the issuer publishes are public keys for signatures of this issuer alone; or write `keys: inline`',
  },
  'reapplied-when-observation-ends': {
    what: 'when something is no longer only observed: it has no clock',
    ensure:
      '`ostiary apply istio` is run again when an observation ends, at the instant that it tells; until it is, what was observed goes on being let through, and `ostiary drift istio` ends with 1',
  },
  'unbound-tokens': {
    what: 'whether a token is bound to a key (`cnf`)',
    ensure: 'the issuer binds no tokens of this API to keys (DPoP, mutual TLS)',
  },
  'undelegated-tokens': {
    what: 'whether somebody acts for somebody else (`act`, agents)',
    ensure: 'the issuer exchanges no tokens of this API for a party that acts for another',
  },
  'unrevoked-tokens': {
    what: 'whether a token, a session or a client was revoked',
    ensure: 'it may count until it ends, as short as its issuer makes it',
  },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly ensure: string }>>

export type Assumption = keyof typeof ASSUMPTIONS

export const assumptionNames = Object.keys(ASSUMPTIONS) as readonly Assumption[]

/**
 * Answers of tests that a class settles for every token, which makes formulas simpler that Istio could not tell.
 * @param relied Called with a class that an answer comes from
 */
export function settledBy(assumed: ReadonlySet<Assumption>, relied: (one: Assumption) => void): (test: TokenTest) => boolean | undefined {
  const by = (one: Assumption, answer: boolean): boolean | undefined => {
    if (!assumed.has(one)) return undefined
    relied(one)
    return answer
  }
  return (test) => {
    if (test.is === 'present' && isAt(test, 'idtyp')) return by('idtyp-always', true)
    if (test.is === 'same' && isAt(test, 'sub')) return by('no-app-only-tokens', false)
    return undefined
  }
}

function isAt(test: Extract<TokenTest, { readonly path: unknown }>, name: string): boolean {
  return test.path.part === 'payload' && test.path.names.length === 1 && test.path.names[0] === name
}

const BY_CLAIM: Readonly<Record<string, Assumption>> = {
  typ: 'access-tokens-only',
  nonce: 'access-tokens-only',
  at_hash: 'access-tokens-only',
  c_hash: 'access-tokens-only',
  s_hash: 'access-tokens-only',
  idtyp: 'access-tokens-only',
  cnf: 'unbound-tokens',
  act: 'undelegated-tokens',
  xms_act_fct: 'undelegated-tokens',
  xms_sub_fct: 'undelegated-tokens',
  _claim_names: 'complete-claims',
  hasgroups: 'complete-claims',
}
const CLIENTS: ReadonlySet<string> = new Set(['azp', 'appid', 'client_id'])
const TIMES: ReadonlySet<string> = new Set(['exp', 'iat', 'nbf'])

/** Claims of which Ostiary asks in passing what only their documented form answers. */
const FORMS: ReadonlySet<string> = new Set(['acct', 'oid', 'scp', 'tid', 'ver'])

/**
 * The classes that a question comes down to which Istio can't ask.
 * @throws NoNativeForm for one that is of no class: then nothing could be assumed that answers it
 */
export function classesOf(formula: Formula): ReadonlySet<Assumption> {
  if ('not' in formula) return classesOf(formula.not)
  if ('test' in formula) return new Set([classOf(formula.test)])
  return new Set(('all' in formula ? formula.all : formula.any).flatMap((one) => [...classesOf(one)]))
}

function classOf(test: TokenTest): Assumption {
  if (test.is === 'address' || test.is === 'before') throw new NoNativeForm('it asks nothing of a token')
  const first = test.path.names[0] ?? ''
  if (test.path.part === 'header') return first === 'typ' ? 'access-tokens-only' : 'plain-headers'
  if (test.is === 'past') return 'issued-in-the-past'
  if (test.is === 'span') return 'limited-lifetime'
  if (test.is === 'same') return 'consistent-clients'
  if (TIMES.has(first)) return 'limited-lifetime'
  if (test.is === 'present' && CLIENTS.has(first)) return 'consistent-clients'
  const named = test.path.names.length === 1 && Object.hasOwn(BY_CLAIM, first) ? BY_CLAIM[first] : undefined
  if (named !== undefined) return named
  if (test.is !== 'present' && test.is !== 'type' && test.is !== 'length' && !FORMS.has(first))
    throw new NoNativeForm(`Istio can not ask what the issuer asks of \`${test.path.names.join('.')}\``)
  return 'declared-claim-types'
}
