import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import { readCertificate } from '../../identity/ssh/certificate.ts'

/** A certificate of this machine that is good now. */
export interface FoundCertificate {
  readonly blob: Buffer
  /** Milliseconds since the epoch; beyond any calendar where it has no end. */
  readonly validBefore: number
  /** The file of the key that `ssh-keygen` signs with, private or public; undefined where only the agent has it. */
  readonly keyFile: string | undefined
  /** Its line, as in a file. */
  readonly line: string
}

interface Candidate extends FoundCertificate {
  readonly validAfter: number
  /** Where it was found, for people. */
  readonly place: string
}

/** Names of keys in `~/.ssh`, in the order in which ssh tries them. */
const NAMES = ['id_rsa', 'id_ecdsa', 'id_ecdsa_sk', 'id_ed25519', 'id_ed25519_sk']
/** How long an agent may take, in milliseconds. */
const PATIENCE = 10_000

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The certificate to sign in with: that of `identity` (a key, with or without `.pub`, or the certificate itself), else the first good one
 * of `~/.ssh`, else of the agent. No private key is read.
 * @throws OstiaryError `cli/ssh-certificate`, `cli/ssh-expired`
 */
export function findCertificate(identity: string | undefined, now: number, env: Environment = process.env): FoundCertificate {
  if (identity !== undefined) {
    const found = besideKey(identity.replace(/(-cert)?\.pub$/, ''))
    if (found === undefined) throw new OstiaryError('cli/ssh-certificate', { where: `beside ${identity}` })
    return inTime([found], now)
  }
  const folder = join(env['HOME'] ?? homedir(), '.ssh')
  const files = NAMES.map((name) => besideKey(join(folder, name))).filter((one) => one !== undefined)
  const found = files.some((one) => isInTime(one, now)) ? files : [...files, ...ofAgent(env)]
  if (found.length === 0) throw new OstiaryError('cli/ssh-certificate', { where: `in ${folder} or in the agent` })
  return inTime(found, now)
}

function inTime(found: readonly Candidate[], now: number): FoundCertificate {
  const good = found.find((one) => isInTime(one, now))
  if (good !== undefined) return good
  const { place, validAfter, validBefore } = found[0]!
  const told = (time: number): string =>
    Number.isFinite(new Date(time).getTime()) ? new Date(time).toISOString() : 'later than any calendar'
  throw new OstiaryError('cli/ssh-expired', { place, from: told(validAfter), until: told(validBefore) })
}

function isInTime({ validAfter, validBefore }: Candidate, now: number): boolean {
  return validAfter <= now && now < validBefore
}

function besideKey(key: string): Candidate | undefined {
  const place = `${key}-cert.pub`
  let text: string
  try {
    text = readFileSync(place, 'latin1')
  } catch {
    return undefined
  }
  // The key itself, or what the agent knows it by.
  const keyFile = [key, `${key}.pub`].find((one) => existsSync(one)) ?? place
  return readLine(text.trim(), keyFile, place)
}

function ofAgent(env: Environment): readonly Candidate[] {
  if (env['SSH_AUTH_SOCK'] === undefined || env['SSH_AUTH_SOCK'] === '') return []
  const { stdout } = spawnSync('ssh-add', ['-L'], { env, encoding: 'latin1', timeout: PATIENCE, stdio: ['ignore', 'pipe', 'ignore'] })
  const lines = ((stdout as string | null) ?? '').split('\n')
  return lines.map((line) => readLine(line, undefined, 'the agent')).filter((one) => one !== undefined)
}

/** Undefined for what is no certificate of a user that a gateway could accept. */
function readLine(line: string, keyFile: string | undefined, place: string): Candidate | undefined {
  const [, encoded] = /^\S+-cert-v01@openssh\.com ([A-Za-z0-9+/=]+)(?: [^\n]*)?$/.exec(line) ?? []
  if (encoded === undefined) return undefined
  const blob = Buffer.from(encoded, 'base64')
  try {
    const { kind, validAfter, validBefore } = readCertificate(blob)
    return kind === 'user' ? { blob, validAfter, validBefore, keyFile, line: `${line}\n`, place } : undefined
  } catch {
    return undefined
  }
}
