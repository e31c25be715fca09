/** Who a rule of Istio is about: its sources and conditions, one alternative after the other, for the issuers that a workload believes. */
import { keyOf } from '../translate/keys.ts'
import { JWT_METADATA, requestPrincipal } from '../translate/matchers.ts'
import type { Json, Rule, Source } from '../translate/types.ts'
import { alwaysFor, type AcceptedIssuer } from './issuers.ts'
import { isMatch, textOf, textOfMatcher, type Text } from './texts.ts'

/** That a claim is, or is not, one of some texts, or a list with one of them. */
export interface ClaimAsked {
  readonly path: readonly string[]
  readonly texts: readonly Text[]
  readonly isSo: boolean
}

export interface AddressAsked {
  readonly from: 'source' | 'remote'
  readonly networks: readonly string[]
  readonly isSo: boolean
  readonly field: string
}

/** What can't be asked here, with its place. */
export interface Unasked {
  readonly field: string
  readonly what: string
}

/** Callers of whom all of it is so. */
export interface Callers {
  /** Whether somebody without a token may be one. */
  readonly anonymous: boolean
  readonly issuers: readonly AcceptedIssuer[]
  readonly claims: readonly ClaimAsked[]
  readonly addresses: readonly AddressAsked[]
  /** Names of the other end of a connection, one of which it has to have; undefined for anybody. */
  readonly peers: readonly { readonly values: readonly string[]; readonly field: string }[]
  readonly ports: readonly { readonly values: readonly string[]; readonly isSo: boolean; readonly field: string }[]
  readonly unasked: readonly Unasked[]
}

/** @param field Place of the rule */
export function callersOf({ from, when }: Rule, accepted: readonly AcceptedIssuer[], field: string): readonly Callers[] {
  const anybody: Callers = { anonymous: true, issuers: accepted, claims: [], addresses: [], peers: [], ports: [], unasked: [] }
  const sources = from.length === 0 ? [[anybody]] : from.map((source, index) => ofSource(anybody, source, `${field}.from[${index}].source`))
  let all = sources.flat()
  for (const [index, { key, values, notValues }] of when.entries()) {
    const at = `${field}.when[${index}]`
    if (values.length > 0) all = all.flatMap((one) => asked(one, key, values, true, at, accepted))
    if (notValues.length > 0) all = all.flatMap((one) => asked(one, key, notValues, false, at, accepted))
  }
  return all
}

const FIELDS: readonly (readonly [keyof Source, keyof Source, string])[] = [
  ['principals', 'notPrincipals', 'source.principal'],
  ['requestPrincipals', 'notRequestPrincipals', 'request.auth.principal'],
  ['namespaces', 'notNamespaces', 'source.namespace'],
  ['serviceAccounts', 'notServiceAccounts', 'source.serviceAccount'],
  ['trustDomains', 'notTrustDomains', 'source.trustDomain'],
  ['ipBlocks', 'notIpBlocks', 'source.ip'],
  ['remoteIpBlocks', 'notRemoteIpBlocks', 'remote.ip'],
]

function ofSource(anybody: Callers, source: Source, field: string): readonly Callers[] {
  let all: readonly Callers[] = [anybody]
  const { issuers } = anybody
  for (const [is, isNot, key] of FIELDS) {
    if (source[is].length > 0) all = all.flatMap((one) => asked(one, key, source[is], true, `${field}.${is}`, issuers))
    if (source[isNot].length > 0) all = all.flatMap((one) => asked(one, key, source[isNot], false, `${field}.${isNot}`, issuers))
  }
  return all
}

function asked(
  callers: Callers,
  key: string,
  values: readonly string[],
  isSo: boolean,
  field: string,
  accepted: readonly AcceptedIssuer[],
): readonly Callers[] {
  switch (key) {
    case 'source.ip':
    case 'remote.ip': {
      const from = key === 'source.ip' ? 'source' : 'remote'
      return [{ ...callers, addresses: [...callers.addresses, { from, networks: values, isSo, field }] }]
    }
    case 'destination.port':
      return [{ ...callers, ports: [...callers.ports, { values, isSo, field }] }]
    case 'source.principal':
      if (isSo) return [{ ...callers, peers: [...callers.peers, { values, field }] }]
      break
    case 'request.auth.principal':
      return principal(callers, values, isSo, field)
    default: {
      const path = claimOf(key)
      if (path !== undefined) return claim(callers, { path, texts: values.map(textOf), isSo }, values, accepted)
    }
  }
  return [{ ...callers, unasked: [...callers.unasked, { field, what: `\`${key}\` can not be asked in a policy of Ostiary` }] }]
}

/** The path of the claim that a key asks for, as the translation has it. */
function claimOf(key: string): readonly string[] | undefined {
  const made = keyOf(key)?.together?.(['x'], { namespace: '', isTcp: false, peer: 'certificate' })
  const { filter, path } = (made?.['metadata'] ?? {}) as { readonly filter?: string; readonly path?: readonly { readonly key: string }[] }
  return filter === JWT_METADATA && path !== undefined ? path.slice(1).map((one) => one.key) : undefined
}

function claim(callers: Callers, one: ClaimAsked, values: readonly string[], accepted: readonly AcceptedIssuer[]): readonly Callers[] {
  const [name] = one.path
  if (one.path.length === 1 && name === 'iss')
    return [keeping(callers, one.isSo, ({ issuer }) => one.texts.some((text) => isMatch(text, issuer.iss)))]
  // Whoever has a token at all has it for one of the audiences.
  if (one.path.length === 1 && name === 'aud' && accepted.every((each) => alwaysFor(each, values)))
    return [keeping(callers, one.isSo, () => true)]
  return [{ ...callers, anonymous: callers.anonymous && !one.isSo, claims: [...callers.claims, one] }]
}

/** Tokens of some issuers, or none of theirs: then also nobody’s. */
function keeping(callers: Callers, isSo: boolean, isMeant: (one: AcceptedIssuer) => boolean): Callers {
  return {
    ...callers,
    anonymous: callers.anonymous && !isSo,
    issuers: callers.issuers.filter((each) => isMeant(each) === isSo),
  }
}

/** `iss/sub`, of which the issuer is known beforehand. */
function principal(callers: Callers, values: readonly string[], isSo: boolean, field: string): readonly Callers[] {
  const halves = values.map((value) => {
    const [iss, sub] = ((requestPrincipal(value)['andIds'] as Json)['ids'] as readonly Json[]).map((one) =>
      textOfMatcher(((one['metadata'] as Json)['value'] as Json)['stringMatch'] as Json),
    )
    return { iss: iss!, sub: sub! }
  })
  const whole = halves.filter(({ sub }) => sub.is === 'any')
  const single = halves.filter(({ sub }) => sub.is !== 'any')
  const isOfWhole = ({ issuer }: AcceptedIssuer): boolean => whole.some(({ iss }) => isMatch(iss, issuer.iss))
  if (!isSo) {
    const rest = keeping(callers, false, isOfWhole)
    const met = single.filter(({ iss }) => rest.issuers.some(({ issuer }) => isMatch(iss, issuer.iss)))
    if (met.length === 0) return [rest]
    const unasked = { field, what: 'that somebody is not one of some subjects can not be asked without the issuer' }
    return [{ ...rest, unasked: [...rest.unasked, unasked] }]
  }
  const subjects = callers.issuers
    .filter((one) => !isOfWhole(one))
    .flatMap((one): readonly Callers[] => {
      const texts = single.filter(({ iss }) => isMatch(iss, one.issuer.iss)).map(({ sub }) => sub)
      if (texts.length === 0) return []
      return [{ ...callers, anonymous: false, issuers: [one], claims: [...callers.claims, { path: ['sub'], texts, isSo: true }] }]
    })
  const all = keeping(callers, true, isOfWhole)
  return [...(all.issuers.length === 0 && (whole.length > 0 || subjects.length > 0) ? [] : [all]), ...subjects]
}

/** Whether it is about everybody without a token, and nobody else. */
export function isTokenless({ anonymous, issuers, claims, addresses, peers, ports, unasked }: Callers): boolean {
  return anonymous && [issuers, claims, addresses, peers, ports, unasked].every((all) => all.length === 0)
}

/** Several conditions of one value each about one list: all of them. */
export function allOf(asked: readonly ClaimAsked[]): ClaimAsked | undefined {
  const single = asked.filter(({ isSo, texts }) => isSo && texts.length === 1 && texts[0]!.is === 'exact')
  const same = [...Map.groupBy(single, ({ path }) => JSON.stringify(path)).values()].find((all) => all.length > 1)
  return same && { path: same[0]!.path, texts: same.flatMap(({ texts }) => texts), isSo: true }
}

/** Whether one of the conditions that `allOf` joined. */
export function isPartOf({ path, texts, isSo }: ClaimAsked, every: ClaimAsked): boolean {
  return (
    isSo &&
    texts.length === 1 &&
    JSON.stringify(path) === JSON.stringify(every.path) &&
    every.texts.some(({ text }) => text === texts[0]!.text)
  )
}
