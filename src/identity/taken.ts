import type { IssuerBase } from '../config/schema.ts'

/** What makes a token an issuer's: its `iss`, or the beginning of one that is no JWT. */
export interface Taken {
  readonly iss?: string
  readonly prefixes?: readonly string[]
}

/** What a kind takes whose every token has the configured `issuer` as its `iss`. */
export function byIssuer(config: IssuerBase): Taken {
  return { iss: (config as IssuerBase & { readonly issuer: string }).issuer }
}

/** Whether one token could be both issuers’. */
export function meet(one: Taken, other: Taken): boolean {
  if (one.iss !== undefined && one.iss === other.iss) return true
  return one.prefixes?.some((a) => other.prefixes?.some((b) => a.startsWith(b) || b.startsWith(a))) === true
}
