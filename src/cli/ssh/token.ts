import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { systemEntropy } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { DEFAULT_AGE, messageOf, NAMESPACE, NONCE_LENGTH, tokenOf } from '../../identity/ssh/token.ts'
import { finish, type SignedIn } from '../login.ts'
import { findCertificate, type FoundCertificate } from './certificate.ts'

export interface SshToken {
  readonly token: string
  /** Milliseconds since the epoch. The gateway may believe it for a shorter or longer time. */
  readonly expires: number
}

/**
 * A bearer token that the certified key of this machine signs. Asks nobody but the agent and the holder of the key.
 * @throws OstiaryError `cli/usage`, `cli/ssh-certificate`, `cli/ssh-expired`, `cli/ssh-tool`, `cli/ssh-sign`
 */
export async function sshToken(command: Command, now = Date.now()): Promise<SshToken> {
  const { audience, identity } = command.opts<{ audience?: string; identity?: string }>()
  if (audience === undefined || !/^[!-~]{1,256}$/.test(audience))
    throw new OstiaryError('cli/usage', {
      problem: '`--ssh` needs the audience that the gateway’s issuer has: `--audience VALUE`',
      command: command.name(),
    })
  const found = findCertificate(identity, now)
  const nonce = Buffer.from(systemEntropy.bytes(NONCE_LENGTH)).toString('base64url')
  const message = messageOf({ audience, issuedAt: now, nonce })
  const signature = await sign(found, message)
  const token = tokenOf({ certificate: found.blob, message: Buffer.from(message), signature })
  return { token, expires: Math.min(Math.floor(now / 1000) * 1000 + DEFAULT_AGE, found.validBefore) }
}

/** Makes such a token, asks the gateway whom it takes it for, and keeps it for the commands that ask this gateway. */
export async function sshLogin(admin: string, command: Command): Promise<SignedIn> {
  return finish(admin, await sshToken(command))
}

/** Has `ssh-keygen` sign: it knows agents, passphrases, PINs and FIDO keys, and asks whoever has to be asked at the terminal. */
async function sign({ keyFile, line }: FoundCertificate, message: string): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-ssh-'))
  try {
    // Not by standard input: a passphrase is asked for there.
    const file = join(folder, 'message')
    writeFileSync(file, message, { mode: 0o600 })
    const ofAgent = join(folder, 'agent-cert.pub')
    if (keyFile === undefined) writeFileSync(ofAgent, line, { mode: 0o600 })
    const place = keyFile ?? 'the agent'
    const code = await run('ssh-keygen', ['-q', '-Y', 'sign', '-n', NAMESPACE, '-f', keyFile ?? ofAgent, file])
    if (code !== 0) throw new OstiaryError('cli/ssh-sign', { place })
    return unarmoured(readFileSync(`${file}.sig`, 'latin1')) ?? fail(place)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run(file: string, args: readonly string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['inherit', 'ignore', 'inherit'] })
    child.once('error', (cause) => reject(new OstiaryError('cli/ssh-tool', { tool: file }, { cause })))
    child.once('close', resolve)
  })
}

function fail(place: string): never {
  throw new OstiaryError('cli/ssh-sign', { place })
}

/** The bytes of a signature of `ssh-keygen` (PROTOCOL.sshsig, "Armored format"). */
function unarmoured(text: string): Buffer | undefined {
  const encoded = /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)-----END SSH SIGNATURE-----\n?$/.exec(text)?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64')
}
