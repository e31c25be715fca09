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

/** What ended by itself at `now`, sorted: bindings by their role, observation by its guardrail or resource. */
export function expired(model: Model, now: number): readonly string[] {
  return endings(model)
    .filter(({ at }) => at <= now)
    .map(({ what, at }) => `${what} ${at}`)
    .toSorted()
}

/** Everything that ends by itself, and when: milliseconds since the epoch. */
function endings({ roles, guardrails, world }: Model): readonly { readonly what: string; readonly at: number }[] {
  const all = [
    ...[...roles.values()].flatMap(({ name, bindings }) => bindings.map(({ until }) => ({ what: name, at: until }))),
    ...guardrails.map(({ id, observedUntil }) => ({ what: `guardrail ${id}`, at: observedUntil })),
    ...Object.entries(world.resources).map(([name, { observedUntil }]) => ({ what: `resource ${name}`, at: observedUntil })),
  ]
  return all.flatMap(({ what, at }) => (at === undefined ? [] : [{ what, at }]))
}

/** The next instant at which access changes by itself; undefined if it doesn't. */
export function nextExpiry(model: Model, now: number): number | undefined {
  const ends = endings(model).flatMap(({ at }) => (at > now ? [at] : []))
  return ends.length === 0 ? undefined : Math.min(...ends)
}
