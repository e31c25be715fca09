/** A home with certified keys and stand-ins for the programs of OpenSSH, for tests that run on machines without it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { standinCertificate, standinKey, type StandinCertificate, type StandinKey } from '../../testing/standin-ssh.ts'
import { main } from '../main.ts'

const KEYGEN = join(import.meta.dirname, 'testdata/standin-ssh-keygen.ts')

export interface SshHome {
  readonly folder: string
  readonly authority: StandinKey
  /** Writes a key into `.ssh`, and its certificate beside it. @returns The certificate. */
  key(name: string, certificate?: Partial<StandinCertificate>): Buffer
  /** Gives the agent a key that is in no file. @returns The certificate. */
  agent(certificate?: Partial<StandinCertificate>): Buffer
  /** Runs a command of `ostiary` here. @returns Its exit code and all that it printed. */
  ostiary(...args: string[]): Promise<string>
  remove(): void
}

export function openSshHome(env: Readonly<Record<string, string>> = {}): SshHome {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-ssh-home-'))
  for (const name of ['.ssh', 'bin', 'tmp']) mkdirSync(join(folder, name))
  const authority = standinKey('ed25519')
  const programs = { 'ssh-keygen': `exec '${process.execPath}' '${KEYGEN}' "$@"`, 'ssh-add': `/bin/cat '${join(folder, 'agent-lines')}'` }
  for (const [name, command] of Object.entries(programs))
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${command}\n`, { mode: 0o755 })
  const own: Record<string, string> = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    PATH: join(folder, 'bin'),
    TMPDIR: join(folder, 'tmp'),
    ...env,
  }
  const pem = ({ privateKey }: StandinKey): string => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const certify = (key: StandinKey, more: Partial<StandinCertificate>): { readonly blob: Buffer; readonly line: string } => {
    const blob = standinCertificate({ by: authority, key, ...more })
    return { blob, line: `${key.certificateType} ${blob.toString('base64')} a key\n` }
  }
  return {
    folder,
    authority,
    key(name, more = {}) {
      const key = standinKey('ed25519')
      const { blob, line } = certify(key, more)
      const file = join(folder, '.ssh', name)
      writeFileSync(file, pem(key))
      writeFileSync(`${file}.pub`, key.line)
      writeFileSync(`${file}-cert.pub`, line)
      return blob
    },
    agent(more = {}) {
      const key = standinKey('ed25519')
      const { blob, line } = certify(key, more)
      writeFileSync(join(folder, 'agent-lines'), `${key.line}${line}`)
      writeFileSync(join(folder, 'agent-key'), pem(key))
      Object.assign(own, { SSH_AUTH_SOCK: join(folder, 'agent'), STANDIN_AGENT: join(folder, 'agent-key') })
      return blob
    },
    async ostiary(...args) {
      const { write } = process.stdout
      const { write: error } = process.stderr
      const before = { ...process.env }
      let out = ''
      for (const name of ['SSH_AUTH_SOCK', 'OSTIARY_AUDIENCE', 'STANDIN_AGENT']) delete process.env[name]
      Object.assign(process.env, own)
      process.stdout.write = process.stderr.write = (text: string | Uint8Array) => ((out += String(text)), true)
      try {
        return `${await main(args)} ${out}`
      } finally {
        process.stdout.write = write
        process.stderr.write = error
        for (const name of Object.keys(own)) delete process.env[name]
        Object.assign(process.env, before)
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
