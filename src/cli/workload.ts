import { resolve } from 'node:path'
import { isObject, readJson } from '../identity/jose/json.ts'
import { finish, type SignedIn } from './login.ts'
import { workloadToken } from './signin/workload.ts'

/** An hour, for a token that doesn't say its end to a client. In milliseconds. */
const UNSAID = 3_600_000

/** Signs in as what runs here, by what the platform gives to it. */
export async function workloadLogin(
  admin: string,
  { audience, tokenFile }: { readonly audience?: string; readonly tokenFile?: string },
): Promise<SignedIn & { readonly from: string }> {
  const { token, from } = await workloadToken(audience, tokenFile)
  const workload = { audience, tokenFile: tokenFile === undefined ? undefined : resolve(tokenFile) }
  return { ...(await finish(admin, { token, expires: endOf(token), workload })), from }
}

/** `exp` of a JWT. Nothing is decided on it: the gateway judges the token itself. */
export function endOf(token: string): number {
  const payload = readJson(Buffer.from(token.split('.')[1] ?? '', 'base64url'))
  const { exp } = isObject(payload) ? payload : {}
  return typeof exp === 'number' ? exp * 1000 : Date.now() + UNSAID
}
