/** Tokens that the issuer has signed and that are let in nowhere, whichever configuration it is that has the policy's meaning. */
import { request } from 'node:http'
import { randomUUID } from 'node:crypto'
import { API, entraClaims, signToken, type JsonObject } from '../../../src/testing/tokens.ts'
import { HOST, ROLES, type Workload } from '../workload.ts'

const NOW = Math.floor(Date.now() / 1000)

const WRONG: Readonly<Record<string, JsonObject>> = {
  'that lasts for a year': { iat: NOW - 60, nbf: NOW - 60, exp: NOW + 365 * 86_400 },
  'of the future': { iat: NOW + 600, nbf: NOW - 60, exp: NOW + 3600 },
  'for signing in': { nonce: 'n' },
  'that leaves its groups out': { _claim_names: { groups: 'src1' } },
  'that is bound to a key': { cnf: { jkt: 'k' } },
  'of another tenant': { tid: randomUUID() },
  'of nobody in particular': { oid: 'somebody' },
  'of another version': { ver: '1.0' },
}

/** What is wrong, one line each. */
export async function refusals(port: number, { key, origin, gate }: Workload): Promise<readonly string[]> {
  const wrong: string[] = []
  const token = (more: JsonObject): string =>
    signToken(
      key,
      entraClaims.v2User(origin, Date.now(), {
        aud: API,
        oid: randomUUID(),
        roles: ROLES,
        iat: NOW - 60,
        nbf: NOW - 60,
        exp: NOW + 4000,
        ...more,
      }),
    )
  const check = async (what: string, more: JsonObject, wanted: number): Promise<void> => {
    const status = await ask(port, gate.allowed.path, token(more))
    if (status !== wanted) wrong.push(`a token ${what}: ${status} in place of ${wanted}`)
  }
  await check('as it should be', {}, 200)
  for (const [what, more] of Object.entries(WRONG)) await check(what, more, 403)
  return wrong
}

function ask(port: number, path: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: HOST, authorization: `Bearer ${token}` }
    request({ host: '127.0.0.1', port, path, headers, agent: false, timeout: 5000 }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    )
      .on('error', reject)
      .end()
  })
}
