import type { Command } from 'commander'
import { readFileSync } from 'node:fs'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { Imported, Loss, LossKind, ManifestSource } from '../../targets/istio/import/index.ts'
import { clean, counted, paint } from '../output.ts'
import type { Register } from './index.ts'

interface Options {
  readonly context?: string
  readonly out?: string
  readonly namespace?: string
  readonly rootNamespace?: string
  readonly meshCa?: string
  readonly wider?: boolean
}

/** `ostiary import`. */
export const importing: Register = (root, action) => {
  const group = root.command('import').description('a policy that stands somewhere else already, as policy and wiring of ours')
  importIstio(group, action)
  importKubernetes(group, action)
}

/** `ostiary import istio`: what is written is on standard output or in a folder, what is lost on standard error. */
function importIstio(group: Command, action: Parameters<Register>[1]): void {
  group
    .command('istio')
    .description('AuthorizationPolicies and RequestAuthentications, never wider than they are, with every loss listed')
    .argument('[files...]', 'files of resources, Services among them; `-` for standard input')
    .option('--context <name>', 'context of kubectl: ask the cluster as well')
    .option('--out <dir>', 'write into this folder; default: standard output')
    .option('--namespace <name>', 'of documents that name none')
    .option('--root-namespace <name>', 'root namespace of the mesh; default: what `meshConfig` says, or `istio-system`')
    .option(
      '--mesh-ca <file>',
      'PEM file with the bundle of the mesh’s trust domain: then rules about `principals` are written, with `peer`',
    )
    .option('--wider', 'write also what lets in a little more than Istio does; each is listed')
    .action(
      action(async ({ output }, [files], command) => {
        const { context, out, wider = false, ...options } = command.opts<Options>()
        const sources = [...read(files as readonly string[]), ...(context === undefined ? [] : await asked(context, options.rootNamespace))]
        const [imports, { refuseExisting, write }] = await Promise.all([
          import('../../targets/istio/import/index.ts'),
          import('../init/write.ts'),
        ])
        const imported = imports.importIstio(sources, { ...options, acceptWider: wider })
        if (imported.diagnostics.length > 0) throw new DiagnosticsError(imported.diagnostics)
        if (imported.counts.documents === 0) throw new OstiaryError('target/import-empty', {})
        if (out !== undefined) {
          refuseExisting(out, imported.files)
          write(out, imported.files)
        }
        process.stderr.write(`${rendered(imported, out)}\n`)
        const shown = imported.files.map(({ path, text }) => `# ${path}\n${text}`).join('---\n')
        output.answer(out === undefined ? shown : '', imported)
        return 0
      }),
    )
}

interface RoleOptions {
  readonly context?: string
  readonly out?: string
  readonly resource?: string
  readonly prefix?: string
}

/** `ostiary import kubernetes`. */
function importKubernetes(group: Command, action: Parameters<Register>[1]): void {
  group
    .command('kubernetes')
    .description('roles and bindings of a cluster, never wider than they are, with every loss and what is over-broad listed')
    .argument('[files...]', 'files of roles and bindings; `-` for standard input')
    .option('--context <name>', 'context of kubectl: ask the cluster as well')
    .option('--out <dir>', 'write into this folder; default: standard output')
    .option('--resource <name>', 'what the cluster is called', 'cluster')
    .option('--prefix <text>', 'what the API server puts before groups of tokens (`--oidc-groups-prefix`); default: nothing')
    .action(
      action(async ({ output }, [files], command) => {
        const { context, out, ...options } = command.opts<RoleOptions>()
        const sources = [...read(files as readonly string[]), ...(context === undefined ? [] : await askedForRoles(context))]
        const [imports, { refuseExisting, write }] = await Promise.all([
          import('../../targets/kubernetes/import/index.ts'),
          import('../init/write.ts'),
        ])
        if (options.resource !== undefined && !/^[a-z][a-z0-9-]{0,62}$/.test(options.resource))
          throw new OstiaryError('cli/usage', { problem: `\`${options.resource}\` is no name of a resource`, command: 'import kubernetes' })
        const imported = imports.importKubernetes(sources, options)
        if (imported.diagnostics.length > 0) throw new DiagnosticsError(imported.diagnostics)
        if (imported.counts.documents === 0) throw new OstiaryError('target/import-no-roles', {})
        if (out !== undefined) {
          refuseExisting(out, imported.files)
          write(out, imported.files)
        }
        const { documents, roles, rules } = imported.counts
        const made = `${counted(documents, 'document')}: ${counted(roles, 'role')}, ${counted(rules, 'rule')}`
        process.stderr.write(`${[`${made}${out === undefined ? '' : `, in ${out}`}`, ...sections(imported.findings, FOUND)].join('\n')}\n`)
        const shown = imported.files.map(({ path, text }) => `# ${path}\n${text}`).join('---\n')
        output.answer(out === undefined ? shown : '', imported)
        return 0
      }),
    )
}

async function askedForRoles(context: string): Promise<readonly ManifestSource[]> {
  const { kubectlIn } = await import('../../server/kubectl.ts')
  const kinds = ['clusterroles', 'roles', 'clusterrolebindings', 'rolebindings'].map((one) => `${one}.rbac.authorization.k8s.io`)
  const { stdout } = await kubectlIn(context).run(['get', kinds.join(','), '--all-namespaces', '-o', 'json'])
  return [{ file: `context ${context}`, text: stdout }]
}

const FOUND: Kinds = {
  'over-broad': { style: 'red', means: 'gives more than it seems to' },
  'per-user': { style: 'yellow', means: 'for one person or service account, and not written' },
  narrower: { style: 'cyan', means: 'the cluster gives it, and what is written here does not' },
}

const MAX_INPUT = 64 * 1024 * 1024

/** @throws OstiaryError `config/unreadable` */
function read(files: readonly string[]): readonly ManifestSource[] {
  return files.map((file) => {
    try {
      const text = readFileSync(file === '-' ? 0 : file, 'utf8')
      if (text.length > MAX_INPUT) throw new OstiaryError('config/too-large', { file, limit: MAX_INPUT })
      return { file: file === '-' ? 'standard input' : file, text }
    } catch (error) {
      if (error instanceof OstiaryError) throw error
      throw new OstiaryError('config/unreadable', { file, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
    }
  })
}

/** What there is in a cluster, and what its mesh says of itself, by the user's own kubectl. */
async function asked(context: string, rootNamespace = 'istio-system'): Promise<readonly ManifestSource[]> {
  const { kubectlIn } = await import('../../server/kubectl.ts')
  const kinds = 'authorizationpolicies.security.istio.io,requestauthentications.security.istio.io,services'
  const kubectl = kubectlIn(context)
  const policies = await kubectl.run(['get', kinds, '--all-namespaces', '-o', 'json'])
  const mesh = await kubectl.run(['get', 'configmap', 'istio', '-n', rootNamespace, '--ignore-not-found', '-o', 'json'])
  return [policies, mesh].map(({ stdout }) => ({ file: `context ${context}`, text: stdout }))
}

type Kinds = Readonly<Record<string, { readonly style: 'yellow' | 'red' | 'cyan'; readonly means: string }>>

const KINDS = {
  narrower: { style: 'yellow', means: 'denied here, and let in by Istio' },
  wider: { style: 'red', means: 'would let in more than Istio does' },
  'not-carried': { style: 'cyan', means: 'Istio does it, and what is written here does not' },
} as const satisfies Kinds & Readonly<Record<LossKind, unknown>>

function rendered({ counts, losses }: Imported, out: string | undefined): string {
  const { documents, resources, roles, rules, guardrails } = counts
  const made = [counted(resources, 'resource'), counted(roles, 'role'), counted(rules, 'rule'), counted(guardrails, 'guardrail')]
  return [
    `${counted(documents, 'document')}: ${made.join(', ')}${out === undefined ? '' : `, in ${out}`}`,
    ...sections(losses, KINDS),
  ].join('\n')
}

type Told = Omit<Loss, 'kind'> & { readonly kind: string }

/** By kind, in the order of the kinds. */
function sections(all: readonly Told[], kinds: Kinds): readonly string[] {
  return Object.entries(kinds).flatMap(([kind, { style, means }]) => {
    const here = all.filter((one) => one.kind === kind)
    return here.length === 0 ? [] : ['', `${paint(style, kind, process.stderr)} (${means})`, ...table(here)]
  })
}

function table(losses: readonly Told[]): readonly string[] {
  return [...Map.groupBy(losses, ({ document }) => document)].flatMap(([document, all]) => [
    `  ${clean(document)}`,
    ...all.map(({ field, what }) => `    ${clean(field === '' ? what : `${field}: ${what}`)}`),
  ])
}
