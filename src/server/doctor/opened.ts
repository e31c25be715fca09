import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { didYouMean } from '../../config/didyoumean.ts'
import type { IssuerBase, Wiring } from '../../config/schema.ts'
import { systemEntropy, type Clock } from '../../core/clock.ts'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import { noMeter } from '../../core/meter.ts'
import { openOutbound, type Issuer, type IssuerDeps } from '../../identity/index.ts'
import { pause } from '../../secrets/request.ts'
import { loadConfiguration, type Configuration } from '../configuration.ts'
import { witness, type Witnessed } from './witness.ts'

/** Longest wait for a provider, in milliseconds: two documents with the time that each may take. */
const MAX_WAIT = 12_000

export interface DoctorParts {
  readonly folder: string
  readonly environment?: string | undefined
  readonly clock: Clock
  /** In place of requests through the configured proxy. */
  readonly fetch?: typeof fetch
}

/** A configuration whose wiring is right. Its policy may be wrong. */
export interface Examined extends Configuration {
  readonly wiring: Wiring
}

/**
 * Reads the configuration that is asked about.
 * @throws OstiaryError those of reading a configuration
 * @throws DiagnosticsError where the wiring itself is wrong
 */
export function readExamined({ folder, environment, clock }: DoctorParts): Examined {
  const configuration = loadConfiguration(folder, environment, clock.now())
  const { wiring, diagnostics } = configuration
  if (wiring === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  return { ...configuration, wiring }
}

/** The issuer of this name. @throws OstiaryError `identity/no-issuer` */
export function issuerNamed(name: string, { issuers }: Wiring): IssuerBase {
  const config = Object.hasOwn(issuers, name) ? issuers[name] : undefined
  if (config !== undefined) return config
  const names = Object.keys(issuers)
  throw new OstiaryError('identity/no-issuer', { issuer: name, known: names.join(', ') }, { help: didYouMean(name, names) })
}

/** What issuers are opened with here: a folder of their own, and an eye on what they ask. */
export interface Surroundings {
  readonly deps: IssuerDeps
  /** What an issuer said so far, without its name. */
  readonly linesOf: (issuer: string) => readonly string[]
  readonly seen: () => Witnessed
  close(): Promise<void>
}

/** @throws OstiaryError `identity/outbound-ca`, `identity/outbound-proxy` */
export function openSurroundings({ outbound }: Wiring, { folder, clock, fetch: given }: DoctorParts): Surroundings {
  const through = given === undefined ? openOutbound(outbound, folder) : { fetch: given, close: () => Promise.resolve() }
  const dataDir = mkdtempSync(join(tmpdir(), 'ostiary-doctor-'))
  const { fetch, seen } = witness(through.fetch, () => clock.now())
  const lines: string[] = []
  const log = (line: string): void => void lines.push(line)
  const linesOf = (issuer: string): readonly string[] => {
    const own = `issuer ${issuer}: `
    return lines.filter((line) => line.startsWith(own)).map((line) => line.slice(own.length))
  }
  return {
    deps: { clock, entropy: systemEntropy, meter: noMeter, dataDir, folder, log, fetch },
    linesOf,
    seen,
    async close() {
      await through.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** Waits until an issuer has what it needs, or has said why it doesn't: what others say is theirs. */
export async function settled(issuer: Issuer, { linesOf }: Surroundings, clock: Clock): Promise<void> {
  const end = clock.monotonic() + MAX_WAIT
  while (!issuer.status().ready && linesOf(issuer.name).length === 0 && clock.monotonic() < end) await pause(clock, 20)
}
