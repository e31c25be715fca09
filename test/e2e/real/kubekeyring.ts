/** What `kubectlclient.real.ts` runs within a desktop session: keeps a sign-in in its keyring, and asks for it as kubectl does. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configFolder, keep, keepToken } from '../../../src/cli/credentials.ts'

const url = 'http://127.0.0.1:8081'
const scope = 'other/.default'
const expires = Date.now() + 3_600_000
const where = await keep(url, { token: 'kept-secret', expires, refresh: { token: 'refresh-secret', issuer: 'entra' } })
await keepToken(url, scope, { token: 'scoped-secret', expires })

const times: number[] = []
function ask(...args: readonly string[]): string {
  const from = performance.now()
  const bin = join(import.meta.dirname, '../../../bin/ostiary.js')
  const { stdout } = spawnSync(process.execPath, [bin, 'kube-token', ...args], { encoding: 'utf8' })
  times.push(performance.now() - from)
  return (JSON.parse(stdout) as { readonly status: { readonly token: string } }).status.token
}
const token = ask()
const scoped = ask('--scope', scope)
for (let i = 2; i < Number(process.argv[2] ?? 2); i++) ask()
const file = readFileSync(join(configFolder(), 'credentials.json'), 'utf8')
process.stdout.write(JSON.stringify({ where, token, scoped, file, median: times.sort((a, b) => a - b)[times.length >> 1] }))
