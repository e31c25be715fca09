import type { Command } from 'commander'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { EnvoyDoor } from '../../doors/envoy/schema.ts'
import type { NodeStatus } from '../../envoy/xds/status.ts'
import { adminClient, adminOptions } from '../admin.ts'
import type { BootstrapTls } from '../../targets/envoy/bootstrap.ts'
import type { Register } from './index.ts'
import { counted, paint, renderDiagnostic } from '../output.ts'

/** `ostiary compile envoy`: what Envoys would enforce, or why they can't. */
export const compile: Register = (root, action) => {
  const group = root.command('compile').description('the policy in the language of another enforcement point')
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
          import('../../targets/envoy/bootstrap.ts'),
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
        if (chosen.length === 0) throw noNode(options.node ?? '', Object.keys(nodes))
        const issuers = nativeIssuers(wiring)
        const plans = chosen.map(([name, node]) => ({ name, node, plan: planNode(name, node, wiring, policy, issuers) }))
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

/** `ostiary envoy bootstrap`. */
export const envoy: Register = (root, action) => {
  const group = root.command('envoy').description('Envoys that enforce the policy by themselves')
  status(group, action)
  group
    .command('bootstrap')
    .description('what an Envoy is started with, as JSON: `envoy -c <(ostiary envoy bootstrap edge)`')
    .argument('<node>', 'its name in `doors.envoy.nodes`')
    .option('--config <dir>', 'folder with ostiary.yaml', '.')
    .option('--env <name>', 'environment to lay over it')
    .option('--server <host:port>', 'where the Envoy reaches the gateway; default: `doors.envoy.listen`')
    .option('--checks <host:port>', 'where it asks about requests; default: the host of `--server` and the port of `doors.envoy.checks`')
    .option('--cert <file>', 'certificate by which the Envoy proves itself, on its machine', '/etc/envoy/ostiary/tls.crt')
    .option('--key <file>', 'its key', '/etc/envoy/ostiary/tls.key')
    .option('--ca <file>', 'authorities that vouch for the gateway', '/etc/envoy/ostiary/ca.crt')
    .option('--server-name <name>', 'DNS name in the gateway’s certificate; default: the host of `--server`')
    .option('--admin <host:port>', 'where Envoy’s own administration listens; default: nowhere')
    .action(
      action(async ({ output }, [node], command) => {
        const [{ loadConfiguration }, { bootstrapOf }] = await Promise.all([
          import('../../server/configuration.ts'),
          import('../../targets/envoy/bootstrap.ts'),
        ])
        const options = command.opts<{
          config: string
          env?: string
          server?: string
          checks?: string
          cert: string
          key: string
          ca: string
          serverName?: string
          admin?: string
        }>()
        const { wiring, diagnostics } = loadConfiguration(options.config, options.env)
        if (wiring === undefined) throw new DiagnosticsError(diagnostics.filter(({ severity }) => severity === 'error'))
        const door = wiring.doors['envoy'] as EnvoyDoor | undefined
        const name = String(node)
        if (door === undefined || !Object.hasOwn(door.nodes, name)) throw noNode(name, Object.keys(door?.nodes ?? {}))
        const server = options.server === undefined ? door.listen : addressOf(options.server, '--server')
        const { cert, key, ca } = options
        const tlsOf = (host: string): BootstrapTls => ({ cert, key, ca, serverName: options.serverName ?? host })
        const checks =
          options.checks === undefined
            ? door.checks && { host: options.server === undefined ? door.checks.listen.host : server.host, port: door.checks.listen.port }
            : addressOf(options.checks, '--checks')
        const made = bootstrapOf({
          node: name,
          server,
          tls: door.tls === undefined ? undefined : tlsOf(server.host),
          checks: checks && { ...checks, tls: door.checks?.tls === undefined ? undefined : tlsOf(checks.host) },
          admin: options.admin === undefined ? undefined : addressOf(options.admin, '--admin'),
        })
        output.answer(JSON.stringify(made, undefined, 2), made)
      }),
    )
}

/** `ostiary envoy status`. */
function status(group: Command, action: Parameters<Register>[1]): void {
  adminOptions(group.command('status'))
    .description('which version each Envoy should have, which it has accepted, and what it rejects in its own words')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const { envoys = [] } = (await client.request('GET', '/api/status')) as { readonly envoys?: readonly NodeStatus[] }
        const lines = envoys.flatMap(({ node, desired, acknowledged, connectedSince, kinds }) => [
          `${node}: ${stateOf(desired, acknowledged, connectedSince)}`,
          ...Object.entries(kinds).flatMap(([kind, { rejection }]) =>
            rejection === undefined ? [] : [`  ${paint('red', `rejects its ${kind} configuration`)}: ${clean(rejection.message)}`],
          ),
        ])
        output.answer(lines.length === 0 ? 'no Envoy is fed: write `doors.envoy` first' : lines.join('\n'), envoys)
        return envoys.every(({ desired, acknowledged }) => desired !== undefined && desired === acknowledged) ? 0 : 1
      }),
    )
}

function stateOf(desired: string | undefined, acknowledged: string | undefined, connectedSince: number | undefined): string {
  const has = acknowledged === undefined ? 'has accepted nothing yet' : `enforces ${acknowledged.slice(0, 12)}`
  const state =
    desired === undefined
      ? 'there is nothing for it (see `ostiary compile envoy`)'
      : desired === acknowledged
        ? paint('green', has)
        : `${has}, and should enforce ${desired.slice(0, 12)}`
  return connectedSince === undefined ? `${paint('red', 'not connected')}, ${state}` : state
}

/** What an Envoy says goes to a terminal: nothing in it may steer that. */
function clean(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?')
}

function addressOf(text: string, option: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535)
    throw new OstiaryError('cli/usage', { problem: `\`${option} ${text}\` is no host and port`, command: 'envoy bootstrap' })
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function noNode(name: string, known: readonly string[]): OstiaryError {
  return new OstiaryError('target/no-node', {
    name,
    known: known.length === 0 ? 'none: write `doors.envoy` first' : known.map((one) => `\`${one}\``).join(', '),
  })
}
