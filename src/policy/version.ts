import type { Sources } from '../config/wiring.ts'
import type { Model } from './model.ts'

/**
 * The text whose digest is the version: wiring, environment, policy and OpenAPI documents with their paths, in the order of paths. Tests
 * decide nothing, so they are left out. A breakGlass binding that has expired is part of it: access changed without an edit.
 */
export function versionText({ wiring, environment, policy, documents = [] }: Sources, expired: readonly string[]): string {
  const files = [
    ['wiring', wiring.path, wiring.text],
    ...(environment === undefined ? [] : [['environment', environment.path, environment.text]]),
    ...policy.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, text }) => ['policy', path, text]),
    ...documents.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map(({ path, text }) => ['document', path, text]),
    ...expired.map((binding) => ['expired', binding, '']),
  ]
  return JSON.stringify(files)
}

/** Role and end of each binding that has expired at `now`, sorted. */
export function expiredBindings(model: Model, now: number): readonly string[] {
  return [...model.roles.values()]
    .flatMap(({ name, bindings }) =>
      bindings.filter(({ until }) => until !== undefined && until <= now).map(({ until }) => `${name} ${until}`),
    )
    .toSorted()
}

/** The next instant at which access changes by itself; undefined if it doesn't. */
export function nextExpiry(model: Model, now: number): number | undefined {
  const ends = [...model.roles.values()].flatMap(({ bindings }) =>
    bindings.flatMap(({ until }) => (until !== undefined && until > now ? [until] : [])),
  )
  return ends.length === 0 ? undefined : Math.min(...ends)
}
