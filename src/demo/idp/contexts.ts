import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Claims } from './claims.ts'

/** How the browser's session says that a second factor was confirmed. */
export const SECOND_FACTOR = 'mfa'

/** Claims that are got by a second factor only: authentication contexts, as `claims=` asks for them (OpenID Connect Core §5.5). */
interface Asked {
  readonly value?: unknown
  readonly values?: unknown
}

interface ClaimsParameter {
  readonly id_token?: Readonly<Record<string, Asked | null>>
  readonly access_token?: Readonly<Record<string, Asked | null>>
}

/** Whether a sign-in has to confirm a second factor: somebody asks for an authentication context, or for `mfa` in `amr`. */
export function asksForMore(parameter: unknown): boolean {
  const { id_token: id, access_token: access } = readParameter(parameter)
  return [id, access].some((part) => valuesOf(part?.['acrs']).length > 0 || valuesOf(part?.['amr']).includes(SECOND_FACTOR))
}

/** `acrs`, `amr` and `xms_cc` of a token, by what was asked for and confirmed. Entra gives none of them unasked. */
export function contextClaims(ctx: KoaContextWithOIDC, token: 'id_token' | 'access_token'): Claims {
  const { AuthorizationCode, DeviceCode, RefreshToken } = ctx.oidc.entities
  const from = AuthorizationCode ?? DeviceCode ?? RefreshToken
  const part = readParameter(from?.claims)[token]
  const confirmed = from?.amr?.includes(SECOND_FACTOR) === true
  const contexts = confirmed ? valuesOf(part?.['acrs']) : []
  return {
    ...(contexts.length === 0 ? {} : { acrs: contexts }),
    ...(confirmed && part?.['amr'] !== undefined ? { amr: ['pwd', SECOND_FACTOR] } : {}),
    ...(valuesOf(part?.['xms_cc']).includes('cp1') ? { xms_cc: ['cp1'] } : {}),
  }
}

function readParameter(parameter: unknown): ClaimsParameter {
  if (typeof parameter !== 'string') return typeof parameter === 'object' && parameter !== null ? parameter : {}
  try {
    return (JSON.parse(parameter) as ClaimsParameter | null) ?? {}
  } catch {
    return {} // the library has refused it already
  }
}

function valuesOf(asked: Asked | null | undefined): readonly string[] {
  const { value, values } = asked ?? {}
  return [value, ...(Array.isArray(values) ? values : [])].filter((one) => typeof one === 'string')
}
