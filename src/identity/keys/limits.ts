/** What bounds the keys of one provider. Times are in milliseconds. */
export interface KeyLimits {
  /** Keys are asked for anew this long after they were last got. */
  readonly refreshEvery: number
  /** Keys are believed this long after they were last got, if the provider stays down. */
  readonly hardLimit: number
  /** Between two requests that tokens with unknown key ids cause; also after a failed one. */
  readonly coolDown: number
  /** The same while there are no keys at all. */
  readonly coolDownWhenEmpty: number
  /** Longest wait for one document. */
  readonly timeout: number
  /** Largest document, in bytes. */
  readonly maxBytes: number
  /** Unknown key ids remembered at most, and for how long. */
  readonly absentKids: number
  readonly absentFor: number
}

export const keyLimits: KeyLimits = {
  refreshEvery: 3_600_000,
  hardLimit: 7 * 86_400_000,
  coolDown: 30_000,
  coolDownWhenEmpty: 5_000,
  timeout: 5_000,
  maxBytes: 1024 * 1024,
  absentKids: 1_000,
  absentFor: 300_000,
}
