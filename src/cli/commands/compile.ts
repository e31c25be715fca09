import type { Command } from 'commander'
import { stringify } from 'yaml'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { EnvoyDoor } from '../../doors/envoy/schema.ts'
import { targetKinds } from '../../targets/index.ts'
import { counted, paint, renderDiagnostic } from '../output.ts'
import { alikeBy, compileTargets, isRefusedWhole, reportCompiled, type CompiledTarget, type CompileOptions } from '../targets.ts'
import { noNode } from './envoy.ts'
import type { Register } from './index.ts'

/** `ostiary compile`. */
export const compile: Register = (root, action) => {
  const group = root.command('compile').description('the policy in the language of another enforcement point')
  compileEnvoy(group, action)
  for (const kind of Object.keys(targetKinds)) compileTarget(kind, group, action)
}

/** `ostiary compile envoy`: what Envoys would enforce, or why they can't. */
function compileEnvoy(group: Command, action: Parameters<Register>[1]): void {
  group
    .command('envoy')
    .description('what the Envoys of `doors.envoy.nodes` are to enforce: filters, routes, and what can not be told them')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--node <name>', 'one of them; default: all, and only a summary')
    .option('--static', 'as a file that an Envoy can be started with, without this gateway; keys have to be put in')
    .action(
      action(async ({ output }, [dir], command) => {
        const [{ loadConfiguration }, { planNode }, { emitEnvoy, asStatic }, { CHECKS_CLUSTER }, { nativeIssuers }] = await Promise.all([
          import('../../server/configuration.ts'),
          import('../../targets/envoy/nodes.ts'),
          import('../../targets/envoy/emit.ts'),
          import('../../envoy/gateway.ts'),
          import('../../server/families.ts'),
        ])
        const folder = String(dir)
        const options = command.opts<{ env?: string; node?: string; static?: boolean }>()
        const { wiring, policy, diagnostics } = loadConfiguration(folder, options.env)
        const errors = diagnostics.filter(({ severity }) => severity === 'error')
        if (wiring === undefined || policy === undefined) throw new DiagnosticsError(errors)
        const door = wiring.doors['envoy'] as EnvoyDoor | undefined
        const nodes = door?.nodes ?? {}
        const chosen = Object.entries(nodes).filter(([name]) => options.node === undefined || name === options.node)
        if (Object.keys(nodes).length === 0) throw new OstiaryError('target/none', { where: '`doors.envoy.nodes`', document: 'mesh.md' })
        if (chosen.length === 0) throw noNode(options.node ?? '', Object.keys(nodes))
        const issuers = nativeIssuers(wiring)
        const plans = chosen.map(([name, node]) => ({ name, node, plan: planNode({ name, node, wiring, policy, issuers, folder }) }))
        const refused = plans.flatMap(({ plan }) => plan.diagnostics)
        for (const one of refused) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
        const [only] = plans
        if (options.node !== undefined && only !== undefined && refused.length === 0) {
          const asked = only.plan.resources.flatMap(({ native, delegated }) => (delegated === true ? [native.name] : []))
          if (options.static === true && asked.length > 0)
            throw new OstiaryError('cli/usage', {
              problem: `\`--static\` is for an Envoy without this gateway, which it asks about ${asked.map((one) => `\`${one}\``).join(', ')}`,
              command: 'compile envoy',
            })
          const gateway = door?.checks === undefined || options.static === true ? undefined : CHECKS_CLUSTER
          const made = emitEnvoy({
            name: only.name,
            address: only.node.listen,
            resources: only.plan.resources,
            keys: new Map(),
            tls: undefined,
            maxDuration: only.node.maxDuration,
            logs: gateway,
            checks: gateway,
          })
          const shown = options.static === true ? asStatic(made) : made
          output.answer(JSON.stringify(shown, undefined, 2), shown)
          return 0
        }
        const summary = plans.map(({ name, plan: { resources, diagnostics: found } }) => {
          const native = resources.map(({ delegated, native: { name: resource, rules, guardrails } }) =>
            delegated === true
              ? `${resource} (delegated: the gateway is asked about each request)`
              : `${resource} (${counted(rules.length, 'rule')}, ${counted(guardrails.length, 'guardrail')})`,
          )
          const state = found.length === 0 ? paint('green', 'native') : paint('red', `${counted(found.length, 'part')} refused`)
          return `${name}: ${state}${native.length === 0 ? '' : `, ${native.join(', ')}`}`
        })
        const narrower = [
          ...new Set(
            plans.flatMap(({ plan }) => plan.resources.flatMap(({ native }) => native.issuers.flatMap((issuer) => issuer.narrower))),
          ),
        ].toSorted()
        const residues =
          narrower.length === 0 ? [] : ['', 'refused there, though Ostiary may accept them:', ...narrower.map((one) => `  ${one}`)]
        output.answer([...summary, ...residues].join('\n'), {
          nodes: plans.map(({ name, plan }) => ({
            node: name,
            resources: plan.resources.map(({ native }) => native.name),
            delegated: plan.resources.flatMap(({ native, delegated }) => (delegated === true ? [native.name] : [])),
            refused: plan.diagnostics,
          })),
          narrower,
        })
        return refused.length > 0 ? 1 : 0
      }),
    )
}

/** Older readers take `yes` for a truth value, unless it is quoted. */
const YAML = { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' } as const

/** `ostiary compile <kind>`: documents to apply, on standard output, and what there is to know about them, on standard error. */
function compileTarget(kind: string, group: Command, action: Parameters<Register>[1]): void {
  group
    .command(kind)
    .description(`what the targets of kind \`${kind}\` are to enforce, as documents to apply`)
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them; default: all')
    .option('--keys', 'ask the issuers for their keys, and put them in: without them, what is written accepts no token')
    .option('--out <dir>', 'write into this folder, one for each target, with what has to be there besides; default: standard output')
    .action(
      action(async ({ output }, [dir], command) => {
        const folder = String(dir)
        const { out, ...options } = command.opts<CompileOptions & { readonly out?: string }>()
        const results = await compileTargets(kind, folder, options)
        reportCompiled(out === undefined ? results : results.map((one) => ({ ...one, needs: [] })), folder)
        const isRefused = results.some((one) => isRefusedWhole(one))
        if (out !== undefined) {
          if (!isRefused) await writeOut(results, out)
          return isRefused ? 1 : 0
        }
        if (!isRefused) output.answer(textOf(results), results)
        else if (output.json) output.answer('', results)
        return isRefused ? 1 : 0
      }),
    )
}

/** A file for what is to be applied, and one for each thing that is somebody else's to set. @throws OstiaryError for one that is there */
async function writeOut(results: readonly CompiledTarget[], out: string): Promise<void> {
  const { refuseExisting, write } = await import('../init/write.ts')
  const files = results.flatMap(({ name, documents, form, needs = [] }) => [
    { path: `${name}/documents.${form ?? 'yaml'}`, text: written(documents, form) },
    ...needs.map(({ text, document }, index) => ({
      path: `${name}/${typeof document['kind'] === 'string' ? document['kind'].toLowerCase() : `needs-${index + 1}`}.yaml`,
      text: `# ${text}\n${stringify(document, YAML)}`,
    })),
  ])
  refuseExisting(out, files)
  write(out, files)
  for (const { path } of files) process.stderr.write(`${out}/${path}\n`)
}

/** Places that are told the same have one text; of several texts, each begins with whose it is. */
function textOf(results: readonly CompiledTarget[]): string {
  const texts = alikeBy(results, ({ documents }) => documents)
  const headed = texts.length > 1
  return texts.map(([{ documents, form }, names]) => `${headed ? `# ${names}\n` : ''}${written(documents, form)}`).join('---\n')
}

function written(documents: CompiledTarget['documents'], form: CompiledTarget['form']): string {
  return form === 'json' ? `${JSON.stringify(documents, undefined, 2)}\n` : documents.map((one) => stringify(one, YAML)).join('---\n')
}
