/** Errors of Entra ID by number. Microsoft asks not to branch on them; they are good for explaining (*AADSTS error codes*). */
import type { Diagnosis, Place } from './diagnosis.ts'
import type { ErrorContext } from './errors.ts'
import { redirectDiagnosis } from './redirecturi.ts'

type Explain = (context: ErrorContext, code: number) => Diagnosis

interface Row {
  readonly codes: readonly number[]
  readonly explain: Explain
}

const row = (
  codes: readonly number[],
  cause: string,
  where: Place,
  change: string,
  more: Pick<Diagnosis, 'found' | 'wanted'> = {},
): Row => ({
  codes,
  explain: () => ({ cause, ...more, where, change }),
})

const clientOf = ({ issuer }: ErrorContext): string => issuer?.config.signIn?.clientId ?? '<client id>'
const tenantOf = ({ issuer }: ErrorContext): string => issuer?.config.tenants?.[0] ?? '<tenant>'
const authorityOf = ({ issuer }: ErrorContext): string => issuer?.config.authority ?? 'https://login.microsoftonline.com'
const audienceOf = ({ issuer }: ErrorContext): string =>
  issuer?.config.audiences[0]?.replace(/^api:\/\/|\/$/g, '') ?? '<client id of the API>'

const secretOf = ({ issuer }: ErrorContext): string =>
  `\`signIn.clientSecret\`${issuer === undefined ? '' : ` of the issuer \`${issuer.name}\``}`

export const rows: readonly Row[] = [
  { codes: [50011], explain: redirectDiagnosis },
  {
    codes: [500011],
    explain: (context) => ({
      cause: 'the API that a token was asked for is not in that tenant: wrong identifier, or no enterprise application for it',
      found: 'the `resource` or `scope` of the request',
      wanted: `\`api://${audienceOf(context)}/.default\`, or for a managed identity \`resource=${audienceOf(context)}\``,
      where: 'client',
      change:
        'name the API by its App ID URI or client id. With a managed identity write `<uri>/.default`, never `<uri>/<scope>`; in another tenant, have an administrator consent to it first',
    }),
  },
  {
    codes: [650057, 650056, 65005],
    explain: (context) => ({
      cause: 'the client’s registration does not list the API that it asks for',
      wanted: `the API \`${audienceOf(context)}\` under "API permissions" of the client`,
      where: 'registration',
      change: 'add the permission under "API permissions" of the client’s registration, and grant consent',
    }),
  },
  {
    codes: [65001, 90094, 65004],
    explain: (context, code) => ({
      cause:
        code === 65004
          ? 'the person declined to consent'
          : code === 90094
            ? 'only an administrator may consent to this'
            : 'nobody has consented to what the client asks for',
      where: 'registration',
      change:
        code === 65004
          ? 'sign in again and consent, or have an administrator consent for everybody'
          : `have an administrator open ${authorityOf(context)}/${tenantOf(context)}/adminconsent?client_id=${clientOf(context)}`,
    }),
  },
  {
    codes: [700016, 90002, 90038, 900432],
    explain: (context, code) => ({
      cause:
        code === 90002
          ? 'there is no such tenant in that cloud'
          : code === 700016
            ? 'there is no such client in that tenant, or in that cloud'
            : 'the tenant is in another cloud',
      found: `client \`${clientOf(context)}\`, tenant \`${tenantOf(context)}\` at \`${authorityOf(context)}\``,
      where: 'wiring',
      change:
        'compare `tenants`, `authority` and `signIn.clientId` with the "Overview" page of the registration: national clouds have an `authority` of their own',
    }),
  },
  {
    codes: [7000215],
    explain: (context) => ({
      cause: 'the client secret is wrong: often it is the secret’s id, not its value',
      found: secretOf(context),
      wanted: 'the column "Value" of "Certificates & secrets", which is shown once',
      where: 'wiring',
      change:
        'make a new secret and put its value where the reference points; it is read again at once. Sent by hand, it has to be URL-encoded',
    }),
  },
  {
    codes: [7000222, 7000112],
    explain: (context, code) =>
      code === 7000112
        ? {
            cause: 'the application is disabled in its tenant',
            where: 'registration',
            change: 'enable it under "Enterprise applications", "Properties"',
          }
        : {
            cause: 'the client secret has ended, and sign-in is broken for everybody',
            found: secretOf(context),
            where: 'registration',
            change:
              'add a new secret before the old one is removed, and put it where the reference points: no restart is needed. A certificate or federated credential in `clientAuth` has no secret that ends',
          },
  },
  row(
    [50105],
    'the account is not assigned to the application, which asks for it',
    'registration',
    'assign the person or a group under "Enterprise applications", "Users and groups"; or turn "Assignment required" off, and let policy decide',
  ),
  {
    codes: [50020, 16000, 51004, 50034, 50194],
    explain: (context, code) =>
      code === 50194
        ? {
            cause: 'the application is for one tenant, and was asked for by way of `common` or `organizations`',
            wanted: `sign-in at \`${authorityOf(context)}/${tenantOf(context)}\``,
            where: 'wiring',
            change: 'leave `organizations` out, so that people sign in at the tenant; or make the registration multi-tenant',
          }
        : {
            cause: 'the account is not in the tenant',
            wanted: `an account of the tenant \`${tenantOf(context)}\``,
            where: 'client',
            change: 'sign in with an account of that tenant, or have this one invited there as a guest',
          },
  },
  row(
    [50076, 50079, 50074, 50078, 53000, 53003, 530032],
    'Conditional Access asks for more: another factor, a managed device, another place',
    'client',
    'sign in interactively, and pass `claims` of the error on in the request; a refresh token alone can not answer it. An administrator sees which policy it was in the sign-in log',
  ),
  row(
    [50173, 70043, 70008, 700082, 700084],
    'the refresh token has ended or was revoked: password changed, sign-in frequency reached, unused for too long, or a single-page application’s day is over',
    'client',
    'sign in anew; keep no refresh token beyond its session',
  ),
  row(
    [700027, 7000274, 700024, 7000214, 7000277, 1000502],
    'the certificate or assertion of the client is refused: not registered, ended, revoked, or made by a clock that is off',
    'registration',
    'upload the certificate of `clientAuth.certificate` under "Certificates & secrets", and set the clock by NTP. The gateway reads the files again and tries once more by itself',
  ),
  row(
    [70021, 700211, 700212, 700213, 7002137, 7002138],
    'no federated credential of the client trusts the token that was shown: issuer, subject and audience are compared letter by letter, in their case',
    'registration',
    'compare `iss`, `sub` and `aud` of that token with the federated credential under "Certificates & secrets"; the audience is `api://AzureADTokenExchange`. The gateway shows what is in `clientAuth.federated.file`',
  ),
  {
    codes: [7000218, 700025],
    explain: ({ issuer }, code) =>
      code === 7000218
        ? {
            cause: 'the client has to prove itself, or public client flows are off',
            found:
              issuer?.config.signIn === undefined
                ? undefined
                : `issuer \`${issuer.name}\` without \`clientSecret\` and \`clientAuth\`, or another client`,
            where: 'registration',
            change:
              'give `signIn` a `clientAuth` or `clientSecret`; for `ostiary login --device`, set "Allow public client flows" to yes under "Authentication"',
          }
        : {
            cause: 'the client is registered as public, and sent a secret',
            where: 'registration',
            change: 'register the redirect URI under "Web" in place of "Mobile and desktop", or leave the secret out',
          },
  },
  {
    codes: [70011, 28002, 28003, 900144, 901002],
    explain: (context, code) => ({
      cause:
        code === 901002
          ? 'a request to the v2 endpoint has `resource`, which belongs to v1'
          : code === 900144
            ? 'a request to the v2 endpoint has no `scope`'
            : 'the `scope` is not one that Entra ID knows',
      found: code === 901002 ? '`resource`' : code === 900144 ? 'no `scope`' : 'the `scope` of the request',
      wanted: `\`scope=openid api://${audienceOf(context)}/.default\``,
      where: 'client',
      change:
        code === 901002
          ? 'write `scope=<resource>/.default` in its place, or ask the endpoint without `/v2.0`, which takes `resource` and no `scope`'
          : 'write scopes in full, with the App ID URI before them, for one API at a time',
    }),
  },
  {
    codes: [650053],
    explain: (context) => ({
      cause: 'the API has no such scope: a bare scope such as `user_impersonation` is taken for one of Microsoft Graph',
      found: 'a scope without its API before it',
      wanted: `\`api://${audienceOf(context)}/<scope>\``,
      where: 'client',
      change: 'write the scope in full, and see that it is there under "Expose an API"',
    }),
  },
  {
    codes: [54005, 501481, 70000],
    explain: (_, code) => ({
      cause:
        code === 54005
          ? 'the code was redeemed before: a page was reloaded, or two copies of a program share it'
          : code === 501481
            ? 'the PKCE verifier is not that of the request: the answer belongs to another attempt'
            : 'the grant is not good: code or refresh token are wrong, of another client, or over',
      where: 'client',
      change: 'begin the sign-in anew, in one browser, and redeem a code once',
    }),
  },
  {
    codes: [90009],
    explain: (context) => ({
      cause: 'the application asks for a token for itself by its URI',
      wanted: `\`scope=${audienceOf(context)}/.default\``,
      where: 'client',
      change: 'name it by its client id, a GUID, where client and API are the same registration',
    }),
  },
  row(
    [50196],
    'the client asks for the same token again and again',
    'client',
    'keep tokens until shortly before they end, and back off after errors',
  ),
  row(
    [500133, 50013, 240002, 700229],
    'the assertion of an on-behalf-of or federated request is of the wrong kind, for another, or over',
    'client',
    'send an access token of a person whose `aud` is this very client: no ID token, no token for Graph; where a token is a federated credential, an app-only one',
  ),
]

const byCode: ReadonlyMap<number, Explain> = new Map(rows.flatMap(({ codes, explain }) => codes.map((code) => [code, explain])))

/** The first of the numbers that is known, explained; otherwise where Microsoft explains it. */
export function explainAadsts(context: ErrorContext): Diagnosis | undefined {
  const { aadsts } = context.error
  const known = aadsts.find((code) => byCode.has(code))
  if (known !== undefined) {
    const diagnosis = byCode.get(known)!(context, known)
    return { ...diagnosis, cause: `AADSTS${known}: ${diagnosis.cause}` }
  }
  const [code] = aadsts
  if (code === undefined) return undefined
  return {
    cause: `AADSTS${code}: not among those that are explained here`,
    where: 'elsewhere',
    change: `see https://login.microsoftonline.com/error?code=${code}`,
  }
}
