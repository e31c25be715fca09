import { all, any, header, not, payload, quoted, test, type Formula, type NativeIssuer } from '../../core/token.ts'
import { declaredClaims } from '../claims.ts'
import { absent, claimsOf, isLike, isOne, known, plainHeader, present, selfContained, text, textIfAny, timely } from '../nativeform.ts'
import { PERSONAL } from './caller.ts'
import { entraClaims } from './claims.ts'
import { cloudOf, isExternalId } from './clouds.ts'
import { isGuid, type EntraConfig } from './schema.ts'
import { issuerOf } from './tenants.ts'

const GUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
/** Some word of `scp` that is a scope: neither empty nor `/`. */
const SOME_SCOPE = '(?s)(?:.* )?(?:[^ /][^ ]*|/[^ ]+)(?: .*)?'

const [OID, TID, VER, SCP, IDTYP, MIRID] = ['oid', 'tid', 'ver', 'scp', 'idtyp', 'xms_mirid'].map((claim) => payload(claim)) as [
  Path,
  Path,
  Path,
  Path,
  Path,
  Path,
]
type Path = ReturnType<typeof payload>

/**
 * Access tokens of Microsoft Entra ID, one form for each listed tenant and token version, as questions that an enforcement point can ask
 * for itself. What is accepted here `verifyAccess` accepts, too; a property test holds that.
 */
export function nativeEntra(
  name: string,
  config: EntraConfig & { readonly audiences: readonly string[] },
): readonly NativeIssuer[] | { readonly refused: string } {
  const { authority, tenants, policies } = config
  if (policies !== undefined) return { refused: 'is Azure AD B2C, whose policies share an `iss`, so that nobody else can tell them apart' }
  // Where only the metadata knows what v1 tokens are issued by, they are not let in.
  const versions: readonly ('1.0' | '2.0')[] = isExternalId(authority) || cloudOf(authority) === undefined ? ['2.0'] : ['2.0', '1.0']
  // A v2 token names the API by its client id alone: where none is listed, there is no such token.
  return tenants
    .flatMap((tenant) => versions.map((version) => formOf(name, config, tenant, version)))
    .filter(({ audiences }) => audiences.length > 0)
}

function formOf(
  name: string,
  config: EntraConfig & { readonly audiences: readonly string[] },
  tenant: string,
  version: '1.0' | '2.0',
): NativeIssuer {
  const { authority, audiences, clients, agents, maxLifetime, organizations } = config
  const declared = declaredClaims(entraClaims, config.claims)
  const [client, other] = (version === '2.0' ? ['azp', 'appid'] : ['appid', 'azp']).map((claim) => payload(claim)) as [Path, Path]
  const like = (path: Path, texts: readonly string[]): Formula => (texts.length === 0 ? any() : isLike(path, texts.map(quoted).join('|')))
  const hasScopes = test({ is: 'matches', path: SCP, pattern: SOME_SCOPE })
  const untyped = absent(IDTYP)
  const appOnly = any(isOne(IDTYP, ['app']), all(untyped, not(hasScopes)))
  // By `acct` where the registration asks for it; else by `idp`, which is absent or the tenant's own for members.
  const [acct, idp] = [payload('acct'), payload('idp')]
  const isGuest = any(
    test({ is: 'value', path: acct, type: 'number', values: [1] }),
    all(absent(acct), present(idp), not(isLike(idp, `(?s:(?:.*/)?)${tenant}(?s:(?:/.*)?)`))),
  )
  const isDerived = (first: string): boolean => first === 'azp' || first === 'guest'
  const azp = declared.find(({ name: claim, path }) => claim === 'azp' && path[0] === 'azp' && path.length === 1)
  return {
    name,
    form: `${name}/${tenant}/v${version[0]!}`,
    iss: issuerOf(authority, tenant, version)!,
    audiences: version === '2.0' ? audiences.filter(isGuid) : [...audiences, ...audiences.filter(isGuid).map((id) => `api://${id}`)],
    algorithms: ['RS256'],
    credential: all(
      plainHeader,
      absent(header('nonce')),
      isLike(header('typ'), 'jwt'),
      isOne(VER, [version]),
      isLike(TID, tenant),
      isLike(OID, GUID),
      test({ is: 'type', path: payload('aud'), type: 'string' }),
      selfContained,
      // No ID tokens.
      ...['nonce', 'at_hash', 'c_hash'].map((claim) => absent(payload(claim))),
      text(client),
      any(absent(other), test({ is: 'same', path: other, other: client })),
      textIfAny(SCP),
      textIfAny(MIRID),
      any(isOne(IDTYP, ['app', 'user']), untyped),
      not(all(isOne(IDTYP, ['app']), hasScopes)),
      any(not(untyped), hasScopes, all(...PERSONAL.map((claim) => absent(payload(claim))))),
      // Agents are parties of their own.
      ...['xms_act_fct', 'xms_sub_fct'].map((claim) => absent(payload(claim))),
      not(like(client, agents)),
      // All groups are there.
      any(absent(payload('hasgroups')), test({ is: 'value', path: payload('hasgroups'), type: 'boolean', values: [false] })),
      any(absent(acct), test({ is: 'value', path: acct, type: 'number', values: [0, 1] })),
      textIfAny(idp),
      timely(maxLifetime),
      ...declared.filter(({ path }) => !isDerived(path[0]!)).map(known),
    ),
    subject: ['tid', 'oid'],
    narrower: [
      'tokens of agents, and of people for whom an agent acts',
      'tokens with more groups than fit (`_claim_names`, `hasgroups`)',
      'tokens that are bound to a key (`cnf`)',
      'tokens with a declared claim of another type',
      ...(organizations ? ['tokens of tenants that are not in `tenants`'] : []),
      ...(isExternalId(authority) || cloudOf(authority) !== undefined
        ? []
        : ['v1 tokens of an authority whose issuer only its metadata knows']),
    ],
    ...claimsOf(declared, isDerived, {
      ...(declared.some(({ name: claim, type, path }) => claim === 'guest' && type === 'boolean' && path[0] === 'guest')
        ? { guest: { type: 'boolean' as const, isTrue: isGuest } }
        : {}),
      // The client, which v1 calls `appid`.
      ...(azp?.type === 'string' ? { azp: { path: client, type: 'string' as const } } : {}),
    }),
    tokenId: 'uti',
    clients: ['azp', 'appid'],
    appOnly,
    listedClient: all(appOnly, like(client, clients)),
    kinds: { human: not(appOnly), workload: all(appOnly, absent(MIRID)), 'managed-identity': all(appOnly, present(MIRID)) },
    capped: not(appOnly),
    hasScope: (scope) => (scope === '' || scope === '/' ? any() : test({ is: 'word', path: SCP, word: scope })),
  }
}
