import type { CanonicalRequest } from '../../http/canonical.ts'
import type { Answer, Fields } from '../../http/engine.ts'
import type { CorsConfig } from './schema.ts'

/** A CORS preflight (Fetch §3.2.2): it carries no credential and is answered from configuration, never decided or forwarded. */
export function isPreflight({ method, read, upgrade }: CanonicalRequest): boolean {
  return method === 'OPTIONS' && upgrade === undefined && read.origin !== undefined && read['access-control-request-method'] !== undefined
}

/** The answer to a preflight. A foreign origin gets one without the fields that would let it pass. */
export function preflight(cors: CorsConfig, origin: string | undefined): Answer {
  const fields = [...corsFields(cors, origin)]
  if (isAllowed(cors, origin)) {
    fields.push('Access-Control-Allow-Methods', cors.methods.join(', '), 'Access-Control-Max-Age', String(Math.floor(cors.maxAge / 1000)))
    if (cors.headers.length > 0) fields.push('Access-Control-Allow-Headers', cors.headers.join(', '))
  }
  return { kind: 'answer', status: 204, fields, body: '' }
}

export function isAllowed(cors: CorsConfig | undefined, origin: string | undefined): boolean {
  return cors !== undefined && origin !== undefined && cors.origins.includes(origin)
}

/** The CORS fields of any response. */
export function corsFields(cors: CorsConfig, origin: string | undefined): Fields {
  const fields = ['Vary', 'Origin']
  if (!isAllowed(cors, origin)) return fields
  fields.push('Access-Control-Allow-Origin', origin!)
  if (cors.credentials) fields.push('Access-Control-Allow-Credentials', 'true')
  if (cors.expose.length > 0) fields.push('Access-Control-Expose-Headers', cors.expose.join(', '))
  return fields
}
