// Plain JavaScript that any Node from 18 on can read: the start-up path of `ostiary kube-token`, which kubectl runs before every command.
// It answers where a token is kept that is still good, and knows nothing else: whatever is unusual, it leaves to the command line itself.
import { fstatSync, closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A token is got anew this long before its end, in milliseconds. */
export const AHEAD = 60_000
const MAX_INFO = 1024 * 1024
const MAX_FILE = 8 * 1024 * 1024
/** A keyring that is locked asks its owner: that takes longer than this path may. In milliseconds. */
const PATIENCE = 5_000
const VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']
/** The last second that RFC 3339 can say. */
const LAST = 253_402_300_799_000
const TOKEN = /^[\x21-\x7e]{1,16384}$/

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What kubectl says in `KUBERNETES_EXEC_INFO`, or what is wrong with it. Nothing said is a person at a prompt. */
export function readExecInfo(text) {
  if (text === undefined || text === '') return { version: VERSIONS[0], interactive: undefined }
  if (text.length > MAX_INFO) return { problem: `is longer than ${MAX_INFO} characters` }
  let info
  try {
    info = JSON.parse(text)
  } catch {
    return { problem: 'is not JSON' }
  }
  if (!isObject(info) || info.kind !== 'ExecCredential') return { problem: 'is not an ExecCredential' }
  if (!VERSIONS.includes(info.apiVersion)) return { problem: `has another version than ${VERSIONS.join(' and ')}` }
  const { spec = {} } = info
  if (!isObject(spec)) return { problem: 'has a `spec` that is no object' }
  const { interactive = false, cluster = {} } = spec
  if (typeof interactive !== 'boolean') return { problem: 'has a `spec.interactive` that is neither true nor false' }
  if (!isObject(cluster)) return { problem: 'has a `spec.cluster` that is no object' }
  if (cluster.server !== undefined && !isHttps(cluster.server)) return { problem: 'names a server that is not reached by https' }
  return { version: info.apiVersion, interactive }
}

function isHttps(server) {
  return typeof server === 'string' && server.length <= 4096 && /^https:\/\/[^/]/i.test(server)
}

/** The answer to kubectl. It asks again at the end that is told to it, which is before the token's own. */
export function execCredential(version, token, expires, now) {
  const end = Math.min(expires - AHEAD > now ? expires - AHEAD : expires, LAST)
  const expirationTimestamp = `${new Date(end).toISOString().slice(0, 19)}Z`
  return `${JSON.stringify({ apiVersion: version, kind: 'ExecCredential', status: { expirationTimestamp, token } })}\n`
}

/** Where the token of a gateway is kept, or that for another audience. */
export function tokenKey(url, scope) {
  return scope === undefined ? url : `${url} ${scope}`
}

/** The answer, where a token is kept that is good for a while; undefined for all else. Never fails. */
export async function cachedCredential(args, env, now) {
  try {
    const asked = readArgs(args, env)
    const info = readExecInfo(env.KUBERNETES_EXEC_INFO)
    if (asked === undefined || 'problem' in info || env.OSTIARY_TOKEN !== undefined) return undefined
    const entries = readEntries(env)
    // Whoever has signed out has no token for anything.
    if (entries === undefined || !Object.hasOwn(entries, asked.url)) return undefined
    const key = tokenKey(asked.url, asked.scope)
    const entry = Object.hasOwn(entries, key) ? entries[key] : undefined
    const kept = isObject(entry) && entry.keyring === true ? await fromKeyring(key, env) : entry
    if (!isObject(kept) || typeof kept.token !== 'string' || !TOKEN.test(kept.token)) return undefined
    if (!Number.isSafeInteger(kept.expires) || kept.expires <= now + AHEAD) return undefined
    return execCredential(info.version, kept.token, kept.expires, now)
  } catch {
    return undefined
  }
}

function readArgs(args, env) {
  let admin = env.OSTIARY_ADMIN ?? 'http://127.0.0.1:8081'
  let scope
  for (let i = 0; i < args.length; i += 2) {
    const value = args[i + 1]
    if (value === undefined || value === '' || value.startsWith('-')) return undefined
    if (args[i] === '--admin') admin = value
    else if (args[i] === '--scope') scope = value
    else return undefined
  }
  return { url: admin.replace(/\/+$/, ''), scope }
}

/** The file of `ostiary login`, where it is this user's and nobody else can read it. */
function readEntries(env) {
  const home = process.platform === 'win32' ? env.USERPROFILE : env.HOME
  const folder = env.XDG_CONFIG_HOME ?? (home === undefined || home === '' ? undefined : join(home, '.config'))
  if (folder === undefined) return undefined
  const file = openSync(join(folder, 'ostiary', 'credentials.json'), 'r')
  try {
    const { uid, mode, size } = fstatSync(file)
    if (size > MAX_FILE || (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o077) !== 0))) return undefined
    const entries = JSON.parse(readFileSync(file, 'utf8'))
    return isObject(entries) ? entries : undefined
  } finally {
    closeSync(file)
  }
}

/** As `src/cli/keyring.ts` asks it, which also keeps it there. */
async function fromKeyring(account, env) {
  const command =
    env.OSTIARY_KEYRING === 'none'
      ? undefined
      : process.platform === 'darwin'
        ? ['/usr/bin/security', 'find-generic-password', '-s', 'ostiary', '-a', account, '-w']
        : process.platform === 'linux' && env.DBUS_SESSION_BUS_ADDRESS !== undefined
          ? ['secret-tool', 'lookup', 'service', 'ostiary', 'account', account]
          : undefined
  if (command === undefined) return undefined
  const { spawnSync } = await import('node:child_process')
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: PATIENCE, maxBuffer: 256 * 1024, env }
  const { status, stdout } = spawnSync(command[0], command.slice(1), options)
  return status === 0 ? JSON.parse(stdout) : undefined
}
