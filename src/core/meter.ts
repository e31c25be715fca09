/** Counts what happens, for whoever watches the gateway. A name always comes with the same label names. */
export interface Meter {
  /** Adds `by` (default 1) to the counter `name`. Label values come from closed sets, never from a caller. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void
}

/** Counts nothing. */
export const noMeter: Meter = { count: () => undefined }
