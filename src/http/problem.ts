/** What the gateway itself answers: problem documents (RFC 9457), and pages for browsers. */
import { createHash } from 'node:crypto'
import { OstiaryError, type Code } from '../core/errors.ts'
import type { Answer, Fields } from './engine.ts'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.4rem}code{font-size:.9em}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181b}}'
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Pages of the gateway share their origin with the application: nothing may run in them, frame them or cache them. */
const PAGE_FIELDS: Fields = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Cache-Control',
  'no-store',
  'Content-Security-Policy',
  `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
]

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A small page without scripts. `extra` is HTML of our own. */
export function page(status: number, title: string, text: string, fields: Fields = [], extra = ''): Answer {
  const body = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${STYLE}</style></head><body><h1>${escape(title)}</h1><p>${escape(text)}</p>${extra}</body></html>\n`
  return { kind: 'answer', status, fields: [...PAGE_FIELDS, ...fields], body }
}

export interface ProblemOptions {
  /** A reason fit for the caller, in place of the catalogue's help. */
  readonly detail?: string | undefined
  /** Decision id, where the exchange was recorded. */
  readonly decision?: string | undefined
  readonly html?: boolean
  readonly fields?: Fields
  readonly status?: number
}

/** A problem document, or the same as a page. Its `type` ends in the catalogue's code. */
export function problem(code: Code, options: ProblemOptions): Answer {
  const error = new OstiaryError(code)
  const status = options.status ?? error.status
  const detail = options.detail ?? error.help
  const decision = options.decision === undefined ? [] : ['Ostiary-Decision', options.decision]
  if (options.html === true) {
    const id = options.decision === undefined ? '' : `<p>Decision <code>${escape(options.decision)}</code></p>`
    const title = error.message.charAt(0).toUpperCase() + error.message.slice(1)
    return page(status, title, `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`, [...decision, ...(options.fields ?? [])], id)
  }
  const body = { type: `https://ostiary.dev/errors/${code}`, title: error.message, status, detail, decision: options.decision }
  return {
    kind: 'answer',
    status,
    fields: [
      'Content-Type',
      'application/problem+json',
      'Cache-Control',
      'no-store',
      'X-Content-Type-Options',
      'nosniff',
      ...decision,
      ...(options.fields ?? []),
    ],
    body: `${JSON.stringify(body)}\n`,
  }
}

/** `WWW-Authenticate: Bearer …` (RFC 6750 §3). An error is named only where something was presented. */
export function bearerChallenge(realm: string, authorizationUri: string | undefined, error?: string, description?: string): Fields {
  const parameters = [`realm="${realm}"`]
  if (authorizationUri !== undefined) parameters.push(`authorization_uri="${authorizationUri}"`)
  if (error !== undefined) parameters.push(`error="${error}"`)
  if (description !== undefined) parameters.push(`error_description="${description}"`)
  return ['WWW-Authenticate', `Bearer ${parameters.join(', ')}`]
}
