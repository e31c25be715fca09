/** Why a stream ends, with gRPC's own names of its status codes. */
export type RefusalCode =
  | 'INVALID_ARGUMENT'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'RESOURCE_EXHAUSTED'
  | 'DEADLINE_EXCEEDED'
  | 'UNAVAILABLE'
  | 'INTERNAL'

/** Ends a stream; the node reads the text in its log. */
export class StreamRefusal extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode, message: string) {
    super(message)
    this.name = 'StreamRefusal'
    this.code = code
  }
}

/** What a peer wrote, fit to be shown: bounded, and without what a terminal would obey. */
export function shown(text: string, length = 200): string {
  const clean = text
    .slice(0, length)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, (char) => (char === '\n' ? char : '�'))
  return text.length > length ? `${clean}…` : clean
}
