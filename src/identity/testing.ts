/** What the tests of this folder share: an identity with fixtures around it, and short ways to ask it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Wiring } from '../config/schema.ts'
import type { AuthResult } from '../core/credential.ts'
import type { Identity } from '../core/principal.ts'
import { Secret } from '../core/secret.ts'
import type { SessionStore } from '../store/sessions.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import { keyFixture, type JsonObject, type KeyFixture, type TestKey } from '../testing/tokens.ts'
import type { IssuerDeps } from './issuer.ts'
import { createIdentity, issuerKinds, type Identities } from './index.ts'
import type { TokenLimits } from './tokens.ts'

export interface TestDeps extends IssuerDeps {
  readonly clock: ManualClock
  readonly lines: string[]
  readonly counts: Map<string, number>
  remove(): void
}

/** Dependencies with a clock that is moved by hand and a folder of its own. */
export function testDeps(more: Partial<IssuerDeps> & { readonly clock?: ManualClock } = {}): TestDeps {
  const dataDir = more.dataDir ?? mkdtempSync(join(tmpdir(), 'identity-'))
  const lines: string[] = []
  const counts = new Map<string, number>()
  return {
    clock: new ManualClock(),
    entropy: seededEntropy(),
    meter: { count: (name, labels = {}) => void counts.set(`${name} ${Object.values(labels).join(' ')}`, 1) },
    dataDir,
    folder: dataDir,
    log: (line) => void lines.push(line),
    fetch: (input, init) => fetch(input, init),
    lines,
    counts,
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
    ...more,
  }
}

/** An issuer's configuration as its schema reads it. */
export function issuerConfig(config: { readonly kind: string } & Record<string, unknown>): Wiring['issuers'][string] {
  return issuerKinds[config.kind]!.schema.parse(config) as Wiring['issuers'][string]
}

/** Opened when it is first asked, which few tests do: to make the files of a database costs more than most of them. */
function openedLate(open: () => SessionStore): SessionStore {
  let store: SessionStore | undefined
  return new Proxy({} as SessionStore, {
    get: (_, name: keyof SessionStore) => {
      if (name === 'close' && store === undefined) return () => Promise.resolve()
      store ??= open()
      return store[name].bind(store)
    },
  })
}

export function testIdentity(
  issuers: Readonly<Record<string, { readonly kind: string } & Record<string, unknown>>>,
  deps: TestDeps,
  limits?: Partial<TokenLimits>,
  wiring: Partial<Pick<Wiring, 'dpop'>> = {},
): Identities {
  const configs = Object.fromEntries(Object.entries(issuers).map(([name, config]) => [name, issuerConfig(config)]))
  const sessions = { idle: 3_600_000, absolute: 43_200_000, maximum: 10 }
  return createIdentity({
    wiring: { issuers: configs, outbound: {}, sessions, ...wiring },
    deps: { store: openedLate(() => openSqliteStore(join(deps.dataDir, 'sessions.db'))), ...deps },
    ...(limits === undefined ? {} : { limits }),
  })
}

export function ask(identities: Identities, token: string, source = '192.0.2.1'): AuthResult | Promise<AuthResult> {
  return identities.authenticator.authenticate({ kind: 'bearer', token: new Secret(token) }, { source, time: 0, resource: 'orders' })
}

/** The answer in one word: `verified`, the reason with its claim, or what is unavailable. */
export async function said(identities: Identities, token: string, source?: string): Promise<string> {
  return tell(await ask(identities, token, source))
}

export function tell(result: AuthResult): string {
  switch (result.outcome) {
    case 'verified':
    case 'absent':
      return result.outcome
    case 'rejected':
      return result.claim === undefined ? result.reason : `${result.reason} ${result.claim}`
    case 'unavailable':
      return `unavailable ${result.cause}`
  }
}

export async function identified(identities: Identities, token: string): Promise<Identity> {
  const result = await ask(identities, token)
  if (result.outcome !== 'verified') throw new Error(tell(result))
  return result.verified.identity
}

/** One issuer with its provider on loopback. */
export interface IssuerWorld {
  readonly fixture: KeyFixture
  readonly deps: TestDeps
  readonly identities: Identities
  /** Milliseconds since the epoch, of the clock that stands. */
  readonly now: number
  close(): Promise<void>
}

/** Opens an issuer named as its kind. @param configure What it is configured with; the provider is at `origin`. */
export async function openIssuerWorld(
  keys: readonly TestKey[],
  configure: (origin: string, deps: TestDeps) => { readonly kind: string } & Record<string, unknown>,
): Promise<IssuerWorld> {
  const fixture = await keyFixture(keys)
  const deps = testDeps()
  const config = configure(fixture.origin, deps)
  const identities = testIdentity({ [config.kind]: config }, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
  return {
    fixture,
    deps,
    identities,
    now: deps.clock.now(),
    async close() {
      await identities.close()
      await fixture.close()
      deps.remove()
    },
  }
}

/** Claims without some of them. */
export function without(claims: JsonObject, ...names: string[]): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)))
}
