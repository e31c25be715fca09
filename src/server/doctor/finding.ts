/** What a look at an issuer found. */
export interface Finding {
  readonly check: 'provider' | 'clock' | 'audience' | 'client' | 'redirect'
  /** `todo` is for the operator to do elsewhere; whether it was done can't be seen from here. */
  readonly outcome: 'ok' | 'doubtful' | 'wrong' | 'todo'
  /** Lower case, one line. */
  readonly found: string
  /** What to write or do instead. */
  readonly help?: string
}
