import type { IssuerBase } from '../../config/schema.ts'
import type { Identity } from '../../core/principal.ts'
import { declaredClaims, readClaims, type DeclaredClaim } from '../claims.ts'
import type { Issuer, IssuerDeps, IssuerKind, TokenResult } from '../issuer.ts'
import { Refusal, refused } from '../jose/refusal.ts'
import { withoutSignIn } from '../nosignin.ts'
import { subjectOf, type Caller } from './caller.ts'
import { awsClaims, payloadOf } from './claims.ts'
import { openEndpoint } from './endpoint.ts'
import { ALGORITHM, readPresigned, TOKEN_PREFIX, type PresignedRequest } from './presigned.ts'
import { endpointOf } from './regions.ts'
import { awsSchema, type AwsConfig } from './schema.ts'
import { Sts, type StsAnswer } from './sts.ts'

/** AWS IAM: a caller hands over a `GetCallerIdentity` that it signed for this gateway, and STS says who signed it. */
export const awsIam: IssuerKind = {
  schema: awsSchema,
  claims: awsClaims,
  single: true,
  create: (name, config, deps) => createAws(name, config as IssuerBase & AwsConfig, deps),
}

/** What an answer of STS is judged by. */
interface AwsJudge {
  readonly name: string
  readonly audience: string
  readonly accounts: ReadonlySet<string>
  readonly allowRoot: boolean
  readonly clients: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly declared: readonly DeclaredClaim[]
}

function createAws(name: string, config: AwsConfig, { clock, fetch, log }: IssuerDeps): Issuer {
  const audience = config.audiences[0]!
  const endpoints = new Map(config.regions.map((region) => endpointOf(region)).map((endpoint) => [endpoint.host, endpoint]))
  const own = config.endpoint === undefined ? undefined : openEndpoint(config.endpoint)
  const sts = new Sts({ fetch: own?.fetch ?? fetch, clock, audience })
  const judge: AwsJudge = {
    name,
    audience,
    accounts: new Set(config.accounts),
    allowRoot: config.allowRoot,
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    declared: declaredClaims(awsClaims, config.claims),
  }
  const url = config.endpoint ?? `https://${[...endpoints.keys()].join(', https://')}`
  let failure: string | undefined
  const note = (answer: StsAnswer): void => {
    const detail = answer.outcome === 'unavailable' ? answer.detail : undefined
    // Once for each kind of trouble, not once for each request in it.
    if (detail !== undefined && detail !== failure) log(`issuer ${name}: STS can not be asked: ${detail}`)
    failure = detail
  }
  return {
    name,
    kind: 'aws-iam',
    ...withoutSignIn(name, url),
    discoveryUrl: '',
    // STS signs no JWT.
    owns: () => false,
    resembles: () => false,
    claimsToken: (token) => token.startsWith(TOKEN_PREFIX),
    verifyAccessToken(token) {
      const request = refused(() => readPresigned(token, { endpoints, maxAge: config.maxAge, now: clock.now() }))
      if ('outcome' in request) return request
      return sts.ask(request).then((answer) => {
        note(answer)
        return judged(judge, request, answer)
      })
    },
    status: () => ({ ready: true, detail: failure === undefined ? 'asked for each new caller' : `STS can not be asked: ${failure}` }),
    onKeysLeft: () => undefined,
    close: () => void own?.close(),
  }
}

function judged(judge: AwsJudge, request: PresignedRequest, answer: StsAnswer): TokenResult {
  switch (answer.outcome) {
    case 'caller':
      return refused(() => ({ outcome: 'identity', identity: identityOf(judge, request, answer.caller), expiresAt: request.expiresAt }))
    case 'rejected':
      return answer
    case 'unavailable':
      return { outcome: 'unavailable', cause: answer.cause }
  }
}

/** @throws Refusal `tenant`, `claim` */
function identityOf(judge: AwsJudge, { endpoint, issuedAt, expiresAt }: PresignedRequest, caller: Caller): Identity {
  if (!judge.accounts.has(caller.account)) throw new Refusal('tenant')
  if (caller.principalType === 'root' && !judge.allowRoot) throw new Refusal('claim', 'principalType')
  const client = caller.roleArn ?? caller.arn
  return {
    issuer: judge.name,
    subject: subjectOf(caller),
    // Whether a person is behind a user or a role, AWS doesn't tell.
    kind: judge.agents.has(client) ? 'agent' : 'workload',
    ...readClaims(payloadOf(caller), judge.declared),
    scopes: undefined,
    appOnly: true,
    listedClient: judge.clients.has(client),
    actor: undefined,
    display: caller.role === undefined ? (caller.user ?? caller.sessionName) : `${caller.role}/${caller.sessionName}`,
    evidence: {
      credential: 'sigv4',
      issuerUrl: `https://${endpoint.host}`,
      audience: judge.audience,
      client,
      tokenId: undefined,
      keyId: undefined,
      algorithm: ALGORITHM,
      issuedAt,
      expiresAt,
      sessionId: undefined,
    },
  }
}
