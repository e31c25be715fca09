import type { Entropy } from '../core/clock.ts'

/** The place of this exchange in a trace (W3C Trace Context). */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly id: string
  readonly traceparent: string
  /** Passed on only beside a `traceparent` that was continued. */
  readonly tracestate: string | undefined
}

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/
/** A list of members, loosely; 512 characters is what every participant must pass on (§3.3.1.5). */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/

/** Hexadecimal digits drawn at once: a draw of a few bytes costs as much as one of some thousand. */
const DRAW = 4096

export type Tracer = (traceparent: readonly string[], tracestate: readonly string[]) => Trace

/** Continues the caller's trace with a span of our own, or starts one where there is none or more than one. */
export function tracer(entropy: Entropy): Tracer {
  let drawn = ''
  let used = 0
  const digits = (count: number): string => {
    if (used + count > drawn.length) {
      drawn = Buffer.from(entropy.bytes(DRAW / 2)).toString('hex')
      used = 0
    }
    used += count
    return drawn.slice(used - count, used)
  }
  return (traceparent, tracestate) => traceOf(traceparent, tracestate, digits)
}

function traceOf(traceparent: readonly string[], tracestate: readonly string[], digits: (count: number) => string): Trace {
  const match = traceparent.length === 1 ? TRACEPARENT.exec(traceparent[0]!) : null
  const span = digits(16)
  if (match === null) {
    const id = digits(32)
    return { id, traceparent: `00-${id}-${span}-00`, tracestate: undefined }
  }
  const state = tracestate.join(',')
  return { id: match[1]!, traceparent: `00-${match[1]!}-${span}-${match[2]!}`, tracestate: TRACESTATE.test(state) ? state : undefined }
}
