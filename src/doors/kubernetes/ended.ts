/** What somebody is told whose access ends while it is in use. */
import type { EndCause } from '../../core/passage.ts'
import { statusOf, type Status } from '../../kubernetes/status.ts'

const WORDS: Readonly<Record<EndCause | 'timed-out', readonly [code: number, message: string]>> = {
  expired: [401, 'the credential has expired; the request can be sent again with a new one'],
  revoked: [401, 'access was revoked'],
  'policy-changed': [403, 'the policy has changed, and allows this no more'],
  'timed-out': [504, 'it has lasted as long as it may'],
  'shut-down': [503, 'the gateway restarts; the request can be sent again'],
}

export function endedStatus(cause: EndCause | 'timed-out'): Status {
  return statusOf(...WORDS[cause])
}
