import { readDocument, type Located } from '../../config/document.ts'
import { validate } from '../../config/validate.ts'
import type { SourceFile, Sources } from '../../config/wiring.ts'
import { diagnostic, OstiaryError, type Diagnostic } from '../../core/errors.ts'
import { policyTestSchema, runPolicyTests, worldOf, type CompiledPolicy, type World } from '../../policy/index.ts'
import { compile, doubts, withGateway } from '../../server/configuration.ts'
import { kindClaims } from '../../server/families.ts'
import { fileKindOf, pathIn, type EnvironmentFile, type Folder } from './folder.ts'
import { namesIn, type Name } from './names.ts'

/** A file with what could be read of it. */
export interface ReadFile {
  readonly text: string
  /** Undefined where the text can't be read now. */
  readonly root: Located | undefined
  /** Names of the text, or of the last one that could be read. */
  readonly names: readonly Name[]
}

/** What is known of a configuration folder. */
export interface Analysis {
  /** By path in the folder. */
  readonly files: ReadonlyMap<string, ReadFile>
  readonly findings: readonly Diagnostic[]
  /** The last policy that could be compiled, which may be older than the files. */
  readonly policy: CompiledPolicy | undefined
  /** The same of the wiring. */
  readonly world: World | undefined
}

export const NOTHING_YET: Analysis = { files: new Map(), findings: [], policy: undefined, world: undefined }

/** What is missing without an environment may be there with each. */
const LEFT_TO_ENVIRONMENTS: ReadonlySet<string> = new Set(['policy/unbound-role', 'policy/lockout', 'config/missing'])

/** Reads, checks and tests a folder without an environment and with each. `before` keeps what can't be read for a while. */
export function analyse(folder: Folder, before: Analysis, now: number): Analysis {
  let read: ReturnType<Folder['read']>
  try {
    read = folder.read()
  } catch (error) {
    if (!(error instanceof OstiaryError)) throw error
    return { ...before, findings: [unreadable(error, folder.path)] }
  }
  const { sources, environments } = read
  const runs = [undefined, ...environments].map((environment) => runOne(folder, { ...sources, environment }, now))
  const good = runs.find(({ policy }) => policy !== undefined)
  const world = runs.find((run) => run.world !== undefined)?.world
  const files = new Map<string, ReadFile>()
  for (const file of [sources.wiring, ...environments, ...sources.policy, ...sources.tests, ...(sources.documents ?? [])])
    files.set(file.path, readFile(file, before.files.get(file.path)))
  return {
    files,
    findings: united(
      runs.map(({ findings }) => findings),
      environments,
    ),
    policy: good?.policy ?? before.policy,
    world: world ?? before.world,
  }
}

interface Run {
  readonly findings: readonly Diagnostic[]
  readonly policy: CompiledPolicy | undefined
  readonly world: World | undefined
}

function runOne(folder: Folder, sources: Sources, now: number): Run {
  const configuration = compile(folder.path, sources, now, folder.known)
  const { policy, wiring, diagnostics } = configuration
  const world = policy?.model.world ?? (wiring === undefined ? undefined : worldOf(withGateway(wiring), kindClaims))
  if (policy === undefined) return { findings: [...diagnostics, ...sources.tests.flatMap(formOf)], policy, world }
  const tests = runPolicyTests(policy, sources.tests, now)
  const failed = tests.results
    .filter(({ passed }) => !passed)
    .map(({ name, message, span }) => diagnostic('policy/test-failed', { name, message }, span))
  return { findings: [...diagnostics, ...doubts(configuration, now), ...tests.diagnostics, ...failed], policy, world }
}

/** What is wrong with the form of tests that can't be run. */
function formOf({ path, text }: SourceFile): readonly Diagnostic[] {
  const { root, diagnostics } = readDocument(path, text)
  return root === undefined ? diagnostics : validate(policyTestSchema, root).diagnostics
}

/** Findings of all runs, each once. What is so in some environments only says in which. */
function united(runs: readonly (readonly Diagnostic[])[], environments: readonly EnvironmentFile[]): readonly Diagnostic[] {
  const found = new Map<string, { readonly finding: Diagnostic; readonly runs: Set<number> }>()
  for (const [i, run] of runs.entries())
    for (const finding of run) {
      if (i === 0 && environments.length > 0 && LEFT_TO_ENVIRONMENTS.has(finding.code)) continue
      const key = JSON.stringify([finding.code, finding.span, finding.message])
      const known = found.get(key) ?? { finding, runs: new Set() }
      known.runs.add(i)
      found.set(key, known)
    }
  return [...found.values()].map(({ finding, runs: where }) => {
    if (where.has(0) || where.size >= environments.length) return finding
    const names = environments.flatMap(({ name }, i) => (where.has(i + 1) ? [`\`${name}\``] : []))
    return { ...finding, message: `${finding.message} (in ${names.join(', ')})` }
  })
}

function readFile({ path, text }: SourceFile, before: ReadFile | undefined): ReadFile {
  if (before?.text === text) return before
  const { root } = readDocument(path, text)
  const kind = fileKindOf(path)
  const names = root === undefined || kind === undefined ? before?.names : namesIn(kind, root)
  return { text, root, names: names ?? [] }
}

/** A file that can't be read is a finding on it; on the wiring where it isn't known which. */
function unreadable({ code, details, help }: OstiaryError, folder: string): Diagnostic {
  const named = String(details['file'] ?? '')
  const path = named.startsWith(folder) ? pathIn(folder, named) : named
  const file = fileKindOf(path) === undefined ? 'ostiary.yaml' : path
  return diagnostic(code, details, { file, line: 1, column: 1, endLine: 1, endColumn: 1 }, { help })
}
