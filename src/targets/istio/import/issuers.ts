/** RequestAuthentications as issuers: who is believed, whose tokens a workload takes, and what of it is lost. */
import type { JwtRule } from '../translate/types.ts'
import type { Losses } from './losses.ts'
import { textOf, isMatch, nameFrom, Names } from './texts.ts'
import { documentOf, type ImportedWorkload } from './workloads.ts'

export interface ImportedIssuer {
  readonly name: string
  readonly iss: string
  readonly kind: 'oidc' | 'jwt'
  /** Sorted. */
  readonly audiences: readonly string[]
  readonly jwksUri: string | undefined
  readonly jwks: string | undefined
}

/** An issuer at one workload. */
export interface AcceptedIssuer {
  readonly issuer: ImportedIssuer
  /** Those of its audiences that are accepted here. */
  readonly audiences: readonly string[]
  /** Claims whose texts are lists of words. */
  readonly words: readonly string[]
  readonly forwards: boolean
}

export interface Issuers {
  readonly all: readonly ImportedIssuer[]
  acceptedAt(workload: ImportedWorkload): readonly AcceptedIssuer[]
}

/** In place of audiences that nobody has written down: no token has it. */
export const NO_AUDIENCE = 'write-the-audience-of-your-tokens'
const WORDS = ['permission', 'scope']

interface Rule {
  readonly rule: JwtRule
  readonly document: string
  readonly field: string
}

export function issuersOf(workloads: readonly ImportedWorkload[], losses: Losses): Issuers {
  const byWorkload = new Map(workloads.map((workload) => [workload, rulesOf(workload, losses)]))
  const rules = [...byWorkload.values()].flatMap((all) => all.map((one) => one.rule))
  const names = new Names(['ostiary'])
  const all = [...Map.groupBy(rules, ({ issuer }) => issuer)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([iss, same]): ImportedIssuer => {
      const named = [...new Set(same.flatMap(({ audiences }) => audiences))]
      const asked = named.length > 0 ? named : askedAudiences(workloads)
      const jwks = same.find((one) => one.jwks !== undefined)?.jwks
      return {
        name: names.give(issuerName(iss)),
        iss,
        kind: jwks === undefined && isSecure(iss) ? 'oidc' : 'jwt',
        audiences: (asked.length > 0 ? asked : [NO_AUDIENCE]).toSorted(),
        jwksUri: same.find((one) => one.jwksUri !== undefined)?.jwksUri,
        jwks,
      }
    })
  const byIss = new Map(all.map((one) => [one.iss, one]))
  for (const of of byWorkload.values()) for (const one of of) lostOf(one, byIss.get(one.rule.issuer)!, losses)
  return {
    all,
    acceptedAt: (workload) =>
      byWorkload.get(workload)!.flatMap(({ rule }) => {
        const issuer = byIss.get(rule.issuer)!
        if (!hasItsKeys(rule, issuer)) return []
        return {
          issuer,
          audiences: rule.audiences.length === 0 ? issuer.audiences : rule.audiences,
          words: [...WORDS, ...rule.spaceDelimitedClaims],
          forwards: rule.forwardOriginalToken,
        }
      }),
  }
}

/** Those whose tokens are looked at in one way. */
function rulesOf({ authentications, authenticationsPerhaps }: ImportedWorkload, losses: Losses): readonly Rule[] {
  const read = (all: ImportedWorkload['authentications']): readonly Rule[] =>
    all.flatMap((one) => one.jwtRules.map((rule, index) => ({ rule, document: documentOf(one), field: `spec.jwtRules[${index}]` })))
  const perhaps = read(authenticationsPerhaps)
  for (const { document, field, rule } of perhaps)
    losses.add(
      'narrower',
      document,
      field,
      `it holds for some pods only, as far as is known: tokens of \`${rule.issuer}\` are not accepted by it`,
    )
  return [...Map.groupBy(read(authentications), ({ rule }) => rule.issuer)].flatMap(([issuer, same]) => {
    const [first] = same as [Rule, ...Rule[]]
    const others = [...same, ...perhaps.filter(({ rule }) => rule.issuer === issuer)]
    if (others.every(({ rule }) => JSON.stringify(rule) === JSON.stringify(first.rule))) return [first]
    const what = `another rule for tokens of \`${issuer}\` holds for the same workload, or some of it: these are not accepted there`
    for (const { document, field } of same) losses.add('narrower', document, field, what)
    return []
  })
}

function lostOf({ rule, document, field }: Rule, issuer: ImportedIssuer, losses: Losses): void {
  const { audiences, fromHeaders, fromParams, fromCookies } = rule
  if (audiences.length === 0)
    losses.add(
      'narrower',
      document,
      `${field}.audiences`,
      `any audience was accepted; accepted are ${issuer.audiences.map((one) => `\`${one}\``).join(', ')}: write whom the tokens are for in \`issuers.${issuer.name}.audiences\``,
    )
  const isBearer = fromHeaders.some(({ name, prefix }) => name.toLowerCase() === 'authorization' && prefix === 'Bearer ')
  for (const [key, places] of Object.entries({ fromHeaders, fromParams, fromCookies }))
    if (places.length > (key === 'fromHeaders' && isBearer ? 1 : 0))
      losses.add('not-carried', document, `${field}.${key}`, 'tokens are looked for behind `Bearer` in `Authorization` alone')
  if (rule.outputPayloadToHeader !== undefined)
    losses.add('not-carried', document, `${field}.outputPayloadToHeader`, 'the upstream is told who calls in headers of Ostiary’s')
  if (rule.outputClaimToHeaders.length > 0)
    losses.add('not-carried', document, `${field}.outputClaimToHeaders`, 'the upstream is told who calls in headers of Ostiary’s')
  if (issuer.kind === 'jwt' && issuer.jwks === undefined)
    losses.add(
      'not-carried',
      document,
      `${field}.jwksUri`,
      `\`${issuer.iss}\` is no https URL at which keys could be found: save its key set as \`${keyFile(issuer)}\``,
    )
  if (!hasItsKeys(rule, issuer))
    losses.add(
      'narrower',
      document,
      field,
      `other keys stand elsewhere for \`${issuer.iss}\`, and there is one issuer of that name: its tokens are not accepted here`,
    )
  else if (rule.jwksUri !== undefined && issuer.kind === 'oidc')
    losses.add('not-carried', document, `${field}.jwksUri`, 'keys are found by the issuer’s discovery document; the target has the address')
}

/** Keys that one workload believes are not those that another does. */
function hasItsKeys({ jwks, jwksUri }: JwtRule, issuer: ImportedIssuer): boolean {
  return jwks === issuer.jwks && jwksUri === issuer.jwksUri
}

export function keyFile({ name }: ImportedIssuer): string {
  return `keys/${name}.json`
}

/** What policies ask of `aud`, where nothing else says whom tokens are for. */
function askedAudiences(workloads: readonly ImportedWorkload[]): readonly string[] {
  const conditions = workloads.flatMap(({ policies }) => policies.flatMap(({ rules }) => rules.flatMap(({ when }) => when)))
  const asked = conditions.filter(({ key }) => key === 'request.auth.audiences' || key === 'request.auth.claims[aud]')
  return [...new Set(asked.flatMap(({ values }) => values.filter((value) => textOf(value).is === 'exact')))]
}

/** Whether every token that is accepted shows one of these audiences. */
export function alwaysFor({ audiences }: AcceptedIssuer, values: readonly string[]): boolean {
  return audiences.every((audience) => values.some((value) => isMatch(textOf(value), audience)))
}

function isSecure(iss: string): boolean {
  if (!URL.canParse(iss)) return false
  const { protocol, search, hash, username, password } = new URL(iss)
  return protocol === 'https:' && search === '' && hash === '' && username === '' && password === ''
}

function issuerName(iss: string): string {
  return nameFrom(URL.canParse(iss) && new URL(iss).hostname !== '' ? new URL(iss).hostname.replace(/^www\./, '') : iss)
}
