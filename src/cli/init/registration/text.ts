import type { Given } from '../answers.ts'

/** What is registered at the provider, exactly as the gateway will send it. */
export interface Registration {
  /** Name of the registration for people. */
  readonly title: string
  readonly redirects: readonly string[]
  /** Where the browser comes back to after signing out. */
  readonly home: string
  /** Undefined over http, which providers don’t call. */
  readonly frontchannel: string | undefined
  readonly backchannel: string | undefined
  readonly given: Given
}

/** One way to register: steps on a page, commands, or Terraform. */
export interface Way {
  readonly title: string
  readonly text: string
}

/** Numbered steps; what doesn't apply is left out. */
export function steps(...all: readonly (string | undefined)[]): string {
  return all
    .filter((one) => one !== undefined)
    .map((one, index) => `${index + 1}. ${one}`)
    .join('\n')
}

/** A list in HCL or JSON, which write it alike. */
export function list(items: readonly string[]): string {
  return `[${items.map((one) => JSON.stringify(one)).join(', ')}]`
}

/** Text without the indentation of its first line; lines that are only `undefined` are left out. */
export function block(...lines: readonly (string | undefined)[]): string {
  return lines.filter((one) => one !== undefined).join('\n')
}

/** Several values in one sentence. */
export function quoted(items: readonly string[]): string {
  return items.map((one) => `\`${one}\``).join(' and ')
}
