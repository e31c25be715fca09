import { spawn } from 'node:child_process'

/** Where a desktop keeps secrets. */
export interface Keyring {
  readonly name: string
  /** False if it can't be kept there: there is no keyring after all, or it stays locked. */
  set(account: string, secret: string): Promise<boolean>
  get(account: string): Promise<string | undefined>
  remove(account: string): Promise<void>
}

const SERVICE = 'ostiary'
/** A locked keyring asks its owner; somebody who isn't there mustn't be waited for. In milliseconds. */
const PATIENCE = 60_000
const MAX_OUTPUT = 256 * 1024

interface Ran {
  readonly code: number | undefined
  readonly stdout: string
}

/** Runs a program of the platform. What it is given goes by standard input: arguments can be read by everybody on the machine. */
function run(file: string, args: readonly string[], input: string): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'], timeout: PATIENCE })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      if (stdout.length < MAX_OUTPUT) stdout += chunk
    })
    child.once('error', () => resolve({ code: undefined, stdout: '' }))
    child.once('close', (code) => resolve({ code: code ?? undefined, stdout }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}

/** The Secret Service of Linux desktops (GNOME Keyring, KWallet, KeePassXC), by libsecret's own tool. */
const secretService: Keyring = {
  name: 'the keyring',
  async set(account, secret) {
    const { code } = await run('secret-tool', ['store', `--label=Ostiary: ${account}`, 'service', SERVICE, 'account', account], secret)
    return code === 0
  },
  async get(account) {
    const { code, stdout } = await run('secret-tool', ['lookup', 'service', SERVICE, 'account', account], '')
    return code === 0 && stdout !== '' ? stdout : undefined
  },
  async remove(account) {
    await run('secret-tool', ['clear', 'service', SERVICE, 'account', account], '')
  },
}

/** The keychain of macOS. Its tool reads commands from standard input; hex needs no quoting. */
const keychain: Keyring = {
  name: 'the keychain',
  async set(account, secret) {
    const hex = Buffer.from(secret).toString('hex')
    const { code } = await run('/usr/bin/security', ['-i'], `add-generic-password -U -s ${SERVICE} -a ${quoted(account)} -X ${hex}\n`)
    return code === 0 && (await keychain.get(account)) === secret
  },
  async get(account) {
    const { code, stdout } = await run('/usr/bin/security', ['find-generic-password', '-s', SERVICE, '-a', account, '-w'], '')
    return code === 0 ? stdout.replace(/\n$/, '') : undefined
  },
  async remove(account) {
    await run('/usr/bin/security', ['delete-generic-password', '-s', SERVICE, '-a', account], '')
  },
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}

/** The keyring of this platform, as far as can be told without asking it; undefined on a machine without a desktop session. */
export function platformKeyring(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): Keyring | undefined {
  if (env['OSTIARY_KEYRING'] === 'none') return undefined
  if (platform === 'darwin') return keychain
  return platform === 'linux' && env['DBUS_SESSION_BUS_ADDRESS'] !== undefined ? secretService : undefined
}
