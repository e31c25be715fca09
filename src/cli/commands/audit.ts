import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { z } from 'zod'
import { OstiaryError } from '../../core/errors.ts'
import { verdictKinds } from '../../core/record.ts'
import type { Register } from './index.ts'
import { adminClient, adminOptions } from '../admin.ts'
import { joins } from './auditjoin.ts'

interface Line {
  readonly text: string
}

/** Filters that `tail` and `search` share, as the admin API names them. */
function filters(command: Command): Command {
  return adminOptions(command)
    .option('--principal <text>', 'subject or display name')
    .option('--role <role>', 'role that the principal held')
    .option('--resource <name>', 'resource')
    .option('--action <prefix>', 'action, such as `GET /orders`')
    .option('--verdict <verdict>', `one of ${verdictKinds.join(', ')}`)
    .option('--rule <id>', 'rule or guardrail that decided')
    .option('--ip <address>', 'caller’s address')
}

const NAMES = ['principal', 'role', 'resource', 'action', 'verdict', 'rule', 'ip', 'since', 'until', 'limit'] as const

function query(options: Readonly<Record<string, unknown>>, more: Readonly<Record<string, string>> = {}): string {
  const parameters = new URLSearchParams(more)
  for (const name of NAMES) if (typeof options[name] === 'string') parameters.set(name, options[name])
  return parameters.size === 0 ? '' : `?${parameters.toString()}`
}

const jwksSchema = z.object({
  keys: z.array(z.object({ kid: z.string(), kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string() })).min(1),
})

/** @throws OstiaryError `cli/keys-file` */
function checkpointKeys(file: string): readonly { readonly kid: string; readonly x: string }[] {
  try {
    return jwksSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).keys
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? 'not a JWKS of Ed25519 keys'
    throw new OstiaryError('cli/keys-file', { file, cause }, { cause: error })
  }
}

export const audit: Register = (root, action) => {
  const group = root.command('audit').description('the record: read it, search it, prove it whole')

  filters(group.command('tail'))
    .description('the newest records, and those to come with --follow')
    .option('-f, --follow', 'go on until interrupted')
    .option('-n, --limit <count>', 'how many to begin with', '20')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        const stop = new AbortController()
        process.once('SIGINT', () => stop.abort())
        const options = command.opts<Record<string, unknown>>()
        for await (const record of client.lines(
          `/api/audit/tail${query(options, { follow: options['follow'] === true ? 'true' : 'false' })}`,
          stop.signal,
        ))
          output.line((record as Line).text, record)
      }),
    )

  filters(group.command('search'))
    .description('records that match, newest first')
    .option('--since <time>', 'from this time on: RFC 3339, or an age such as `15m`, `24h`, `30d`')
    .option('--until <time>', 'up to this time')
    .option('-n, --limit <count>', 'how many at most', '100')
    .action(
      action(async ({ output }, _, command) => {
        const client = await adminClient(command)
        let found = 0
        for await (const record of client.lines(
          `/api/audit/search${query(command.opts<Record<string, unknown>>())}`,
          new AbortController().signal,
        )) {
          found++
          output.line((record as Line).text, record)
        }
        if (found === 0 && !output.json) process.stderr.write('no record matches\n')
        return found === 0 ? 1 : 0
      }),
    )

  group
    .command('verify')
    .description('prove the record whole, from its files alone; names the first record that was altered, removed, added or reordered')
    .argument('[dir]', 'data directory of the gateway', '.ostiary/demo')
    .option('--anchor <file...>', 'checkpoints kept outside the data directory; default: those that the gateway’s configuration names')
    .option('--no-anchor', 'without any')
    .option(
      '--keys <file>',
      'public checkpoint keys that were kept elsewhere (`ostiary keys public`), instead of those in the data directory',
    )
    .action(
      action(async ({ output }, [dir], command) => {
        const { verifyDataDirectory } = await import('../../audit/index.ts')
        const { anchor, keys } = command.opts<{ anchor?: readonly string[] | boolean; keys?: string }>()
        const result = await verifyDataDirectory(String(dir), {
          anchors: anchor === false ? [] : Array.isArray(anchor) ? anchor : undefined,
          keys: keys === undefined ? undefined : checkpointKeys(keys),
        })
        output.answer(result.text, result)
        return result.ok ? 0 : 1
      }),
    )

  joins(group, action)
}
