/** Where a change is to be made. */
export type Place =
  /** The registration of the API or of its client at the provider. */
  | 'registration'
  /** `ostiary.yaml`, or an environment. */
  | 'wiring'
  | 'policy'
  /** The program that gets the token. */
  | 'client'
  /** Something in front of or behind the gateway, such as an API that validates tokens itself. */
  | 'elsewhere'

/** What is wrong and what to do. Every text is lower case, one line, and holds nothing of a token but what may be shown. */
export interface Diagnosis {
  readonly cause: string
  readonly found?: string | undefined
  readonly wanted?: string | undefined
  readonly where: Place
  readonly change: string
}
