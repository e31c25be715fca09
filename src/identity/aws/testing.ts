/** The gateway that the tests of this folder present themselves to, and the AWS SDK's own signer as its caller. */
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { startStandInSts, type StandInKey, type StandInSts } from '../../testing/standin-sts.ts'
import { testDeps, testIdentity, type TestDeps } from '../testing.ts'
import type { Identities } from '../index.ts'
import type { TokenLimits } from '../tokens.ts'

export const ACCOUNT = '123456789012'
export const AUDIENCE = 'orders.example.com'
export const HOST = 'sts.eu-central-1.amazonaws.com'

export const userKey: StandInKey = {
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  arn: `arn:aws:iam::${ACCOUNT}:user/ci/publisher`,
  userId: 'AIDACKCEVSQ6C2EXAMPLE',
  account: ACCOUNT,
}
export const roleKey: StandInKey = {
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEROLE',
  sessionToken: 'IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJH+abc/def=='.repeat(8),
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/deployer/build-17@example`,
  userId: 'AROADBQP57FF2AEXAMPLE:build-17@example',
  account: ACCOUNT,
}
export const USER_KEY_ID = 'AKIAIOSFODNN7EXAMPLE'
export const ROLE_KEY_ID = 'ASIAIOSFODNN7EXAMPLE'

export interface AwsWorld {
  readonly sts: StandInSts
  readonly deps: TestDeps
  /** A gateway's identity with changes to the issuer's configuration. Closed with the world. */
  gateway(more?: Readonly<Record<string, unknown>>, limits?: Partial<TokenLimits>): Identities
  close(): Promise<void>
}

export async function openAwsWorld(): Promise<AwsWorld> {
  const deps = testDeps()
  const sts = await startStandInSts(() => deps.clock.now())
  sts.keys.set(USER_KEY_ID, userKey).set(ROLE_KEY_ID, roleKey)
  const open: Identities[] = []
  return {
    sts,
    deps,
    gateway(more = {}, limits = { cold: { rate: 1e6, burst: 1e6, sources: 10 } }) {
      const config = {
        kind: 'aws-iam',
        audiences: [AUDIENCE],
        accounts: [ACCOUNT],
        regions: ['eu-central-1', 'global', 'cn-north-1', 'us-gov-west-1'],
        endpoint: sts.origin,
        ...more,
      }
      const identities = testIdentity({ aws: config }, deps, limits)
      open.push(identities)
      return identities
    },
    async close() {
      for (const identities of open) await identities.close()
      await sts.close()
      deps.remove()
    },
  }
}

export interface Signing {
  readonly now: number
  readonly keyId?: string
  readonly key?: StandInKey
  readonly host?: string
  readonly region?: string
  readonly audience?: string
  readonly expires?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

/** A presigned URL as the AWS SDK makes it. */
export async function presign(signing: Signing): Promise<string> {
  const { now, keyId = USER_KEY_ID, key = userKey, host = HOST, region = 'eu-central-1', expires = 900 } = signing
  const { secretAccessKey, sessionToken } = key
  const signer = new SignatureV4({
    service: 'sts',
    region,
    sha256: Sha256,
    credentials: { accessKeyId: keyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  })
  const request = {
    method: 'GET',
    protocol: 'https:',
    hostname: host,
    path: '/',
    headers: { host, 'x-ostiary-audience': signing.audience ?? AUDIENCE, ...signing.headers },
    query: { Action: 'GetCallerIdentity', Version: '2011-06-15', ...signing.query },
  }
  const { query = {} } = await signer.presign(request, { signingDate: new Date(now), expiresIn: expires })
  const search = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return `https://${host}/?${search.join('&')}`
}

/** The bearer token of a URL, whatever it is. */
export function bearer(url: string): string {
  return `ostiary-aws-v1.${Buffer.from(url).toString('base64url')}`
}
