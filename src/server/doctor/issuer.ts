import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { issuerKinds, type Issuer } from '../../identity/index.ts'
import { audienceFindings } from './configured.ts'
import type { Finding } from './finding.ts'
import { issuerNamed, openSurroundings, readExamined, settled, type DoctorParts } from './opened.ts'
import { redirectFindings } from './redirects.ts'
import type { Witnessed } from './witness.ts'

/** An offset below this can't be told from the time that a request takes. */
const TELLABLE_MS = 5_000

/**
 * Looks at one issuer as a gateway with this configuration would use it: asks the provider, and changes nothing, here or there.
 * @throws OstiaryError `identity/no-issuer`, `identity/outbound-ca`, `identity/outbound-proxy`, those of reading a configuration
 * @throws DiagnosticsError where the wiring itself is wrong
 */
export async function examineIssuer(name: string, parts: DoctorParts): Promise<readonly Finding[]> {
  const { wiring } = readExamined(parts)
  const config = issuerNamed(name, wiring)
  const surroundings = openSurroundings(wiring, parts)
  const { deps, linesOf, seen } = surroundings
  const issuer = issuerKinds[config.kind]!.create(name, config, deps)
  try {
    // One that asks about each token for itself is asked about one that nobody has.
    if (issuer.kind === 'oauth2-introspection') await issuer.verifyAccessToken('nobody-has-this-token')
    await settled(issuer, surroundings, parts.clock)
    return [
      ...providerFindings(issuer, (config as { readonly issuer?: string }).issuer, linesOf(name), seen()),
      ...clockFindings(seen()),
      ...audienceFindings(config),
      ...(await clientFindings(issuer)),
      ...redirectFindings(name, wiring),
    ]
  } finally {
    issuer.close()
    await surroundings.close()
  }
}

function* providerFindings(issuer: Issuer, configured: string | undefined, lines: readonly string[], seen: Witnessed): Generator<Finding> {
  const { ready, detail } = issuer.status()
  // Without what it means for a gateway that runs.
  const trouble = lines[0]?.split('; ')[0] ?? (ready ? undefined : detail)
  if (trouble === undefined) {
    yield { check: 'provider', outcome: 'ok', found: issuer.discoveryUrl === '' ? detail : `${detail}, found by ${issuer.discoveryUrl}` }
    return
  }
  yield { check: 'provider', outcome: 'wrong', found: trouble, help: helpFor(trouble, configured, seen) }
}

function helpFor(trouble: string, configured: string | undefined, { issuer }: Witnessed): string {
  if (configured !== undefined && issuer !== undefined && issuer !== configured && /^https?:\/\/[!-~]{1,200}$/.test(issuer))
    return `the provider calls itself \`${issuer}\`: write that as \`issuer\`, if it is who you mean`
  if (/CERT|SELF_SIGNED|ISSUER|SSL|TLS|ALTNAME/.test(trouble))
    return 'name the authority of its certificate in `outbound.ca`, if you trust it'
  if (/ENOTFOUND|EAI_AGAIN/.test(trouble)) return 'its name does not resolve here: check the spelling, DNS, and `outbound.proxy`'
  if (/answered 404/.test(trouble)) return 'there is nothing at that URL: copy `issuer` from the provider’s own metadata'
  if (/own credential|secret for it/.test(trouble))
    return 'check the client id and where its secret is, and that the provider lets this client introspect'
  if (/is not used/.test(trouble)) return 'write public keys there, in PEM or as a JWK Set'
  return 'check that this machine can reach it, through `outbound.proxy` if there is one'
}

function* clockFindings({ ahead }: Witnessed): Generator<Finding> {
  if (ahead === undefined) return
  const seconds = Math.round(Math.abs(ahead) / 1000)
  const off = `this clock is ${seconds} s ${ahead > 0 ? 'behind' : 'ahead of'} the provider’s`
  if (Math.abs(ahead) < TELLABLE_MS) yield { check: 'clock', outcome: 'ok', found: 'this clock and the provider’s agree' }
  else if (Math.abs(ahead) < CLOCK_SKEW_MS)
    yield {
      check: 'clock',
      outcome: 'doubtful',
      found: off,
      help: `have it set by NTP; beyond ${CLOCK_SKEW_MS / 1000} s good tokens are refused`,
    }
  else yield { check: 'clock', outcome: 'wrong', found: off, help: 'have it set by NTP: good tokens are refused like this' }
}

/** Whether sign-in has what it needs: the provider's endpoints, and something to prove the client with. */
async function clientFindings(issuer: Issuer): Promise<readonly Finding[]> {
  const { signIn } = issuer
  if (signIn === undefined) return []
  const { auth, scopes } = signIn
  const findings: Finding[] = []
  const wrong = (found: string, help: string): void => void findings.push({ check: 'client', outcome: 'wrong', found, help })
  const known = await issuer.metadata().catch(() => undefined)
  if (known !== undefined && (known.authorizationEndpoint === undefined || known.tokenEndpoint === undefined))
    wrong('its metadata names no endpoints to sign in at', 'name an issuer at which people sign in, or leave `signIn` out')
  if (!scopes.includes('openid')) wrong('`scopes` has no `openid`, so there will be no ID token', 'add `openid` to `signIn.scopes`')
  try {
    await auth.prove({ endpoint: known?.tokenEndpoint ?? 'https://invalid.invalid/', secretIn: 'header' })
    const warning = auth.warning()
    const found =
      auth.kind === 'none' ? 'the client is public: it has no secret, and PKCE alone' : `the client proves itself by ${auth.kind}`
    findings.push(
      warning === undefined ? { check: 'client', outcome: 'ok', found } : { check: 'client', outcome: 'doubtful', found: warning },
    )
  } catch (error) {
    if (!(error instanceof OstiaryError)) throw error
    wrong(error.message, error.help)
  }
  return findings
}
