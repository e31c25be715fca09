import type { Wiring } from '../../../config/schema.ts'
import type { Redirect } from '../redirects.ts'
import { explainAadsts } from './aadsts.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { GivenError } from './input.ts'
import { explainOauth } from './oauth.ts'
import type { IssuerConfig } from './refused.ts'
import { explainSymptom } from './symptoms.ts'

/** An error with the part of the configuration that it may be about. */
export interface ErrorContext {
  readonly error: GivenError
  /** The issuer that was named, or the only one that people sign in at. */
  readonly issuer: { readonly name: string; readonly config: IssuerConfig } | undefined
  readonly redirects: readonly Redirect[]
  readonly wiring: Wiring
}

/** Explains an error: by its number, by what it says, then by its class, the most exact first. Undefined where nothing of it is known. */
export function explainError(context: ErrorContext): Diagnosis | undefined {
  return explainAadsts(context) ?? explainSymptom(context) ?? explainOauth(context)
}
