import { createHash } from 'node:crypto'
import type { Diagnostic } from '../core/errors.ts'
import { DiagnosticsError } from '../core/errors.ts'
import type { Located } from '../config/document.ts'
import { readSources } from '../config/load.ts'
import type { Wiring } from '../config/schema.ts'
import { readWiring, type Sources } from '../config/wiring.ts'
import { loadPolicy, runPolicyTests, type CompiledPolicy, type PolicyTestResult } from '../policy/index.ts'
import { families, GATEWAY_ISSUER, kindClaims } from './families.ts'

/** One version of the whole configuration: what was read, and what came of it. */
export interface Configuration {
  readonly folder: string
  readonly sources: Sources
  readonly wiring: Wiring | undefined
  /** The merged wiring as a tree, for places in findings of whoever builds from it. */
  readonly root: Located | undefined
  /** Undefined where any finding is an error. */
  readonly policy: CompiledPolicy | undefined
  readonly diagnostics: readonly Diagnostic[]
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Reads and compiles a configuration folder. Findings are answered, not thrown. */
export function loadConfiguration(folder: string, environment?: string): Configuration {
  return compile(folder, readSources(folder, environment))
}

/** Compiles sources that were read before, such as a version kept for the record. */
export function compile(folder: string, sources: Sources): Configuration {
  const { wiring, root, bindings, diagnostics } = readWiring(sources, families)
  if (wiring === undefined) return { folder, sources, wiring, root, policy: undefined, diagnostics }
  const loaded = loadPolicy({ sources, wiring: withGateway(wiring), bindings, kindClaims, mustAdminister: true, digest })
  return { folder, sources, wiring, root, policy: loaded.policy, diagnostics: [...diagnostics, ...loaded.diagnostics] }
}

/** The gateway itself is an issuer that policy may bind roles to. */
function withGateway(wiring: Wiring): Wiring {
  const gateway = { kind: 'gateway', claims: {}, audiences: [wiring.name], clients: [], agents: [] }
  return { ...wiring, issuers: { ...wiring.issuers, [GATEWAY_ISSUER]: gateway } }
}

/** Runs the policy's own tests. @throws DiagnosticsError where the configuration itself is wrong */
export function testConfiguration(folder: string, environment?: string): readonly PolicyTestResult[] {
  const { policy, sources, diagnostics } = loadConfiguration(folder, environment)
  if (policy === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
  return runPolicyTests(policy, sources.tests)
}
