import type { Command } from 'commander'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import type { EnvoyDoor } from '../../doors/envoy/schema.ts'
import type { FedEnvoy } from '../../server/envoy.ts'
import type { EnvoyRolloutStatus } from '../../server/envoyrollout.ts'
import { adminClient, adminOptions } from '../admin.ts'
import type { GatewayTls } from '../../envoy/gateway.ts'
import type { Register } from './index.ts'
import { clean, paint } from '../output.ts'

/** `ostiary envoy bootstrap`. */
export const envoy: Register = (root, action) => {
  const group = root.command('envoy').description('Envoys that enforce the policy by themselves')
  status(group, action)
  proceed(group, action)
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
        const tlsOf = (host: string): GatewayTls => ({ cert, key, ca, serverName: options.serverName ?? host })
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
        const { envoys = [], envoyRollout: going } = (await client.request('GET', '/api/status')) as Status
        const lines = envoys.flatMap(({ node, desired, acknowledged, connectedSince, kinds, policy, refused }) => [
          `${node}: ${stateOf(desired, acknowledged, connectedSince)}${going?.heldBack.includes(node) === true ? heldBack(policy) : ''}`,
          ...(refused === undefined ? [] : [`  ${paint('red', 'is not handed out what is in force')}: ${clean(refused)}`]),
          ...Object.entries(kinds).flatMap(([kind, { rejection }]) =>
            rejection === undefined ? [] : [`  ${paint('red', `rejects its ${kind} configuration`)}: ${clean(rejection.message)}`],
          ),
        ])
        const told = [...lines, ...(going === undefined || going.state === 'done' ? [] : rolloutLines(going))]
        output.answer(lines.length === 0 ? 'no Envoy is fed: write `doors.envoy` first' : told.join('\n'), { envoys, rollout: going })
        const isEverywhere = going === undefined || (going.state === 'done' && going.heldBack.length === 0)
        return isEverywhere && envoys.every(({ desired, acknowledged }) => desired !== undefined && desired === acknowledged) ? 0 : 1
      }),
    )
}

interface Status {
  readonly envoys?: readonly FedEnvoy[]
  readonly envoyRollout?: EnvoyRolloutStatus
}

/** `ostiary envoy rollout continue`. */
function proceed(group: Command, action: Parameters<Register>[1]): void {
  const rollout = group.command('rollout').description('a new policy on its way through the stages of `rollout`')
  adminOptions(rollout.command('continue'))
    .description('hand it to the next stage, whatever it waits or was stopped for; the record says who did that')
    .option('--now', 'to every stage at once')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const { now = false } = command.opts<{ now?: boolean }>()
        const going = (await client.request('POST', `/api/envoy/rollout/continue${now ? '?now=true' : ''}`)) as EnvoyRolloutStatus
        const done = `policy ${shortVersion(going.version)} goes to every Envoy`
        output.answer(going.state === 'done' ? done : rolloutLines(going).join('\n'), going)
      }),
    )
}

function rolloutLines({ version, state, stage, why, heldBack: nodes }: EnvoyRolloutStatus): readonly string[] {
  const where = stage === undefined ? 'has come to no stage' : `has come to stage ${stage}`
  const told = state === 'stopped' ? paint('red', 'and goes no further') : 'and goes on by itself'
  return [
    `policy ${shortVersion(version)} ${where} ${told}${why === undefined ? '' : `: ${clean(why)}`}`,
    ...(nodes.length === 0 ? [] : [`  not yet: ${nodes.join(', ')} (\`ostiary envoy rollout continue\` hands it on by hand)`]),
  ]
}

function heldBack(policy: string | undefined): string {
  return policy === undefined ? ', and waits for its stage' : `, of policy ${shortVersion(policy)}: waits for its stage`
}

function shortVersion(version: string): string {
  return version.replace(/^sha256:/, '').slice(0, 12)
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

function addressOf(text: string, option: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535)
    throw new OstiaryError('cli/usage', { problem: `\`${option} ${text}\` is no host and port`, command: 'envoy bootstrap' })
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

export function noNode(name: string, known: readonly string[]): OstiaryError {
  return new OstiaryError('target/no-node', {
    name,
    known: known.length === 0 ? 'none: write `doors.envoy` first' : known.map((one) => `\`${one}\``).join(', '),
  })
}
