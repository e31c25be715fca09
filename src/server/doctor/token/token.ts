import type { IssuerBase } from '../../../config/schema.ts'
import type { AuthResult } from '../../../core/credential.ts'
import type { Identity } from '../../../core/principal.ts'
import { Secret } from '../../../core/secret.ts'
import { createIdentity, type Issuer, type TokenResult } from '../../../identity/index.ts'
import { issuerNamed, openSurroundings, readExamined, settled, type DoctorParts, type Examined } from '../opened.ts'
import { redirectsOf } from '../redirects.ts'
import { decoded, viewOf, type Decoded, type TokenView } from './decoded.ts'
import type { Diagnosis } from './diagnosis.ts'
import { explainError } from './errors.ts'
import { readGiven, type GivenError } from './input.ts'
import { isKeyOfApplication } from './ownkey.ts'
import { explainRefusal } from './refusals.ts'
import type { IssuerConfig } from './refused.ts'
import { standingOf, type Standing } from './standing.ts'

export interface TokenParts extends DoctorParts {
  /** The issuer that it is meant for. Default: the one whose it is. */
  readonly issuer?: string | undefined
}

/** What is known of a token or of an error. Holds no token, no signature, and of its claims only what may be shown. */
export type TokenReport =
  | { readonly outcome: 'good'; readonly token: TokenView | undefined; readonly standing: Standing }
  | {
      readonly outcome: 'refused' | 'unavailable'
      /** Configured name of the issuer that judged it. */
      readonly issuer: string | undefined
      /** Of the gateway's own verifier, with the claim at fault. */
      readonly reason: string
      readonly token: TokenView | undefined
      readonly diagnosis: Diagnosis
      /** Who it would be, where only a proof beside it is missing. */
      readonly standing?: Standing
    }
  | { readonly outcome: 'error'; readonly codes: readonly string[]; readonly diagnosis: Diagnosis }
  | { readonly outcome: 'nothing' }

/**
 * Judges a token as a gateway with this configuration would, or explains an error. Asks providers what a gateway asks them, and for one
 * that no key is found for, whether its application has a key of its own. Changes nothing.
 * @throws OstiaryError `identity/no-issuer`, `identity/outbound-ca`, `identity/outbound-proxy`, those of reading a configuration
 * @throws DiagnosticsError where the wiring itself is wrong
 */
export async function examineToken(input: string, parts: TokenParts): Promise<TokenReport> {
  const configuration = readExamined(parts)
  if (parts.issuer !== undefined) issuerNamed(parts.issuer, configuration.wiring)
  const given = readGiven(input)
  switch (given.kind) {
    case 'nothing':
      return { outcome: 'nothing' }
    case 'error':
      return errorReport(given.error, configuration, parts.issuer)
    case 'token':
      return judged(given.token, configuration, parts)
  }
}

function errorReport(error: GivenError, { wiring }: Examined, named: string | undefined): TokenReport {
  const signing = Object.keys(wiring.issuers).filter((name) => (wiring.issuers[name] as IssuerConfig).signIn !== undefined)
  const kinds = error.aadsts.length > 0 ? signing.filter((name) => wiring.issuers[name]?.kind === 'entra') : signing
  const name = named ?? (kinds.length === 1 ? kinds[0] : undefined)
  const issuer = name === undefined ? undefined : { name, config: wiring.issuers[name] as IssuerConfig }
  const redirects = (name === undefined ? signing : [name]).flatMap((one) => redirectsOf(one, wiring))
  const codes = [...error.aadsts.map((code) => `AADSTS${code}`), ...(error.code === undefined ? [] : [error.code])]
  const diagnosis = explainError({ error, issuer, redirects, wiring }) ?? {
    cause: 'this error is not known here',
    where: 'elsewhere',
    change: 'give the whole text of the error as the provider or the browser shows it, or the token itself',
  }
  return { outcome: 'error', codes, diagnosis }
}

async function judged(token: string, { wiring, policy }: Examined, parts: TokenParts): Promise<TokenReport> {
  const surroundings = openSurroundings(wiring, parts)
  const { deps, linesOf } = surroundings
  const identities = createIdentity({ wiring, deps })
  try {
    const read = decoded(token)
    const named = identities.issuers.find(({ name }) => name === parts.issuer)
    const whose = ownerOf(token, read, identities.issuers)
    const issuer = named ?? whose
    if (issuer !== undefined) await settled(issuer, surroundings, parts.clock)
    // One that was named has the word, also about what isn't its own.
    const result: AuthResult | TokenResult =
      named !== undefined && named !== whose
        ? await named.verifyAccessToken(token)
        : await identities.authenticator.authenticate(
            { kind: 'bearer', token: new Secret(token) },
            { source: 'doctor', time: parts.clock.now(), resource: '' },
          )
    const view = read === undefined ? undefined : viewOf(read)
    const standing = (identity: Identity): Standing => standingOf(identity, { wiring, policy, now: parts.clock.now() })
    switch (result.outcome) {
      case 'verified':
        return { outcome: 'good', token: view, standing: standing(result.verified.identity) }
      case 'identity':
        return { outcome: 'good', token: view, standing: standing(result.identity) }
      case 'unavailable':
        return {
          outcome: 'unavailable',
          issuer: issuer?.name,
          reason: result.cause,
          token: view,
          diagnosis: unavailable(issuer, linesOf(issuer?.name ?? '')),
        }
      case 'absent':
        return { outcome: 'nothing' }
      case 'rejected': {
        const { reason, claim } = result
        const ownKey = reason === 'unknown-key' && read !== undefined && (await isKeyOfApplication(read, issuer, deps.fetch))
        const diagnosis = explainRefusal({
          reason,
          claim,
          token: read,
          issuer: issuer === undefined ? undefined : { name: issuer.name, config: configOf(wiring.issuers, issuer.name) },
          issuers: wiring.issuers,
          now: parts.clock.now(),
          ownKey,
        })
        const proven = reason === 'unproven' ? await issuer?.verifyAccessToken(token) : undefined
        return {
          outcome: 'refused',
          issuer: issuer?.name,
          reason: claim === undefined ? reason : `${reason} ${claim}`,
          token: view,
          diagnosis: read === undefined && issuer === undefined && reason === 'malformed' ? nobodys(wiring.issuers) : diagnosis,
          ...(proven?.outcome === 'identity' ? { standing: standing(proven.identity) } : {}),
        }
      }
    }
  } finally {
    await identities.close()
    await surroundings.close()
  }
}

function configOf(issuers: Readonly<Record<string, IssuerBase>>, name: string): IssuerConfig {
  return issuers[name]!
}

/** The issuer that a gateway gives the token to, by the same rule. */
function ownerOf(token: string, read: Decoded | undefined, issuers: readonly Issuer[]): Issuer | undefined {
  const claiming = issuers.filter((one) => one.claimsToken?.(token) === true)
  if (claiming.length > 0) return claiming.length === 1 ? claiming[0] : undefined
  const iss = read?.payload['iss']
  if (typeof iss !== 'string') return undefined
  return issuers.find((one) => one.owns(iss)) ?? issuers.find((one) => one.resembles(iss))
}

function unavailable(issuer: Issuer | undefined, lines: readonly string[]): Diagnosis {
  return {
    cause: 'whether it is good can not be told now: its provider can not be asked',
    found: lines[0]?.split('; ')[0] ?? issuer?.status().detail,
    where: 'elsewhere',
    change: `see \`ostiary doctor issuer ${issuer?.name ?? 'NAME'}\`; until it answers, the gateway answers 503`,
  }
}

/** What is no JWT, and of a form that nobody here knows. */
function nobodys(issuers: Readonly<Record<string, IssuerBase>>): Diagnosis {
  const opaque = Object.entries(issuers).filter(([, { kind }]) => kind === 'oauth2-introspection')
  return {
    cause: 'it is no JWT, and no issuer of this configuration takes a token of this form',
    wanted:
      opaque.length === 0
        ? 'a JWT: three parts with dots between them'
        : `a JWT, or what begins as \`tokenPrefixes\` of ${opaque.map(([name]) => `\`${name}\``).join(' or ')} say`,
    where: 'wiring',
    change: 'copy the token whole; for opaque tokens, add an issuer of kind `oauth2-introspection`, which asks the provider about each',
  }
}
