import type { Command } from 'commander'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { EnvoyDoor } from '../../doors/envoy/schema.ts'
import type { Counterexample } from '../../policy/compare/enforced.ts'
import type { ResourceProof } from '../../targets/target.ts'
import { counted, paint, renderDiagnostic } from '../output.ts'
import { targetKinds } from '../../targets/index.ts'
import { isRefusedWhole, openTargets, type CompileOptions } from '../targets.ts'
import { noNode } from './envoy.ts'
import type { Register } from './index.ts'

/** `ostiary prove`. */
export const prove: Register = (root, action) => {
  const group = root
    .command('prove')
    .description('that what another enforcement point is told is what the policy says; ends with 1 where it is not, or not proven')
  proveEnvoy(group, action)
  for (const [kind, { prove: proving }] of Object.entries(targetKinds)) if (proving !== undefined) proveTarget(kind, group, action)
}

/** `ostiary prove envoy`. */
function proveEnvoy(group: Command, action: Parameters<Register>[1]): void {
  group
    .command('envoy')
    .description('reads back what the Envoys of `doors.envoy.nodes` are sent, and compares it with the policy, formula by formula')
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--node <name>', 'one of them; default: all')
    .action(
      action(async ({ output }, [dir], command) => {
        const [
          { loadConfiguration },
          { nativeIssuers },
          { planNode },
          { emitEnvoy },
          { Pieces },
          { proveEnvoy: proofsOf },
          { CHECKS_CLUSTER },
        ] = await Promise.all([
          import('../../server/configuration.ts'),
          import('../../server/families.ts'),
          import('../../targets/envoy/nodes.ts'),
          import('../../targets/envoy/emit.ts'),
          import('../../targets/envoy/pieces.ts'),
          import('../../targets/envoy/prove.ts'),
          import('../../envoy/gateway.ts'),
        ])
        const folder = String(dir)
        const options = command.opts<{ env?: string; node?: string }>()
        const { wiring, policy, diagnostics } = loadConfiguration(folder, options.env)
        if (wiring === undefined || policy === undefined)
          throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
        const door = wiring.doors['envoy'] as EnvoyDoor | undefined
        const nodes = Object.entries(door?.nodes ?? {})
        if (nodes.length === 0) throw new OstiaryError('target/none', { where: '`doors.envoy.nodes`', document: 'mesh.md' })
        const chosen = nodes.filter(([name]) => options.node === undefined || name === options.node)
        if (chosen.length === 0)
          throw noNode(
            options.node ?? '',
            nodes.map(([name]) => name),
          )
        const issuers = nativeIssuers(wiring)
        const checks = door?.checks === undefined ? undefined : CHECKS_CLUSTER
        const now = Date.now()
        const results = chosen.map(([name, node]) => {
          const { resources, diagnostics: refused } = planNode({ name, node, wiring, policy, issuers, folder })
          for (const one of refused) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
          if (refused.length > 0) return { node: name, proven: false, refused, proofs: [], narrower: [] }
          const { maxDuration, listen: address } = node
          const input = { name, address, resources, keys: new Map(), tls: undefined, maxDuration, logs: checks, checks }
          const snapshot = new Pieces().snapshot(emitEnvoy(input))
          const proofs = proofsOf({ snapshot, resources, policy, now })
          const narrower = [...new Set(resources.flatMap(({ native }) => native.issuers.flatMap((issuer) => issuer.narrower)))].toSorted()
          return { node: name, proven: proofs.every(isProven), refused, proofs, narrower }
        })
        const lines = results.flatMap(({ node, proven, refused, proofs }) => [
          `${node}: ${proven ? paint('green', 'proven') : paint('red', refused.length > 0 ? 'not compiled' : 'not proven')}`,
          ...proofs.flatMap(linesOf),
        ])
        const narrower = [...new Set(results.flatMap((one) => one.narrower))].toSorted()
        const residues =
          narrower.length === 0 ? [] : ['', 'refused there, though Ostiary may accept them:', ...narrower.map((one) => `  ${one}`)]
        output.answer([...lines, ...residues].join('\n'), results)
        return results.every(({ proven }) => proven) ? 0 : 1
      }),
    )
}

/** `ostiary prove <kind>`. */
function proveTarget(kind: string, group: Command, action: Parameters<Register>[1]): void {
  group
    .command(kind)
    .description(`reads back what the targets of kind \`${kind}\` are compiled to, and compares it with the policy, formula by formula`)
    .argument('[dir]', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--target <name>', 'one of them; default: all')
    .option('--keys', 'ask the issuers for their keys, and look at those as well')
    .action(
      action(async ({ output }, [dir], command) => {
        const folder = String(dir)
        const { results } = await openTargets(kind, folder, command.opts<CompileOptions>())
        const now = Date.now()
        const proofs = results.map(({ name, input, documents, residues, diagnostics }) => {
          for (const one of diagnostics) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
          const isRefused = isRefusedWhole({ diagnostics })
          const found = isRefused ? [] : targetKinds[kind]!.prove!(input, documents, now)
          return { target: name, proven: !isRefused && found.every(isProven), refused: diagnostics, proofs: found, residues }
        })
        const lines = proofs.flatMap(({ target, proven, refused, proofs: found, residues }) => [
          `${target}: ${proven ? paint('green', 'proven') : paint('red', refused.length > 0 ? 'not compiled' : 'not proven')}`,
          ...found.flatMap(linesOf),
          ...residues.map(({ effect, text }) => `  ${effect}: ${text}`),
        ])
        output.answer(lines.join('\n'), proofs)
        return proofs.every(({ proven }) => proven) ? 0 : 1
      }),
    )
}

/** Nothing is let through that the policy denies. What is denied though the policy allows it is told, and opens nothing. */
export function isProven({ counterexamples, problems, notProven }: ResourceProof): boolean {
  return counterexamples.every(({ direction }) => direction === 'narrower') && problems.length === 0 && notProven.length === 0
}

/** Requests that are denied though the policy allows them are told for each resource, at most. */
const MAX_NARROWER = 3

function linesOf(proof: ResourceProof): readonly string[] {
  const { resource, delegated, cells, classes, counterexamples, problems, notProven } = proof
  const narrower = counterexamples.filter(({ direction }) => direction === 'narrower')
  const wider = counterexamples.filter(({ direction }) => direction === 'wider')
  const also = [
    ...narrower.slice(0, MAX_NARROWER).map((one) => `  ${resource}: ${counterexampleText(one)}`),
    ...(narrower.length > MAX_NARROWER ? [`  ${resource}: and so are ${narrower.length - MAX_NARROWER} more`] : []),
  ]
  if (!isProven(proof))
    return [
      ...problems.map((one) => `  ${resource}: ${one}`),
      ...wider.map((one) => `  ${resource}: ${counterexampleText(one)}`),
      ...notProven.map((why) => `  ${resource}: not proven: ${why}`),
      ...also,
    ]
  if (delegated) return [`  ${resource}: the gateway is asked about each request`]
  const found = narrower.length === 0 ? 'no difference' : 'nothing is let through that the policy denies'
  return [`  ${resource}: ${counted(cells, 'cell')} for ${classes} ${classes === 1 ? 'class' : 'classes'} of callers, ${found}`, ...also]
}

function counterexampleText({ direction, actions, issuer, who }: Counterexample): string {
  const said = direction === 'wider' ? 'is let through, and the policy denies it' : 'is denied, and the policy allows it'
  return `${actions} of ${issuer === undefined ? 'a caller without a credential' : `\`${issuer}\``}${who.length === 0 ? '' : ` (${who.join(', ')})`} ${said}`
}
