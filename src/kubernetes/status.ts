/** `metav1.Status`: how an API server says no. */

/** `metav1.StatusReason`, as far as the gateway says them. */
export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Readonly<Record<string, never>>
  readonly status: 'Failure'
  readonly message: string
  readonly reason: StatusReason
  readonly details?: StatusDetails
  /** HTTP status. */
  readonly code: number
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  /** The resource, by its plural name. */
  readonly kind?: string
  readonly retryAfterSeconds?: number
}

const REASONS: ReadonlyMap<number, StatusReason> = new Map([
  [400, 'BadRequest'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'NotFound'],
  [405, 'MethodNotAllowed'],
  [406, 'NotAcceptable'],
  [408, 'Timeout'],
  [413, 'RequestEntityTooLarge'],
  [415, 'UnsupportedMediaType'],
  [429, 'TooManyRequests'],
  [500, 'InternalError'],
  [504, 'Timeout'],
])

/** @param code HTTP status, 400 or more */
export function statusOf(code: number, message: string, details?: StatusDetails): Status {
  const reason = REASONS.get(code) ?? (code >= 500 ? 'ServiceUnavailable' : 'BadRequest')
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  }
}
