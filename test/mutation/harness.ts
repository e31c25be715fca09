/** What test files get in place of `node:test`: it lists their tests, so that just those can be run that look at what is changed. */

export interface Case {
  readonly name: string
  readonly run: () => unknown
}

let cases: Case[] = []
let groups: readonly string[] = []

/** The tests that have been listed since it was last asked. */
export function listed(): readonly Case[] {
  const all = cases
  cases = []
  return all
}

export function test(name: string, run: (...context: readonly never[]) => unknown): Promise<void> {
  // A test that wants more than to be run is none for here.
  if (typeof run !== 'function' || run.length > 0) throw new TypeError(`\`${name}\` is no plain test`)
  cases.push({ name: [...groups, name].join(' > '), run: () => run() })
  return Promise.resolve()
}

export function describe(name: string, list: () => void): Promise<void> {
  const outer = groups
  groups = [...outer, name]
  try {
    list()
  } finally {
    groups = outer
  }
  return Promise.resolve()
}
