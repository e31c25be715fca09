import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { OstiaryError } from '../core/errors.ts'

/** Larger files are no key files, in bytes. */
const MAX_FILE = 4 * 1024 * 1024

const publicJwk = z.strictObject({
  kty: z.enum(['EC', 'OKP']),
  crv: z.enum(['P-256', 'Ed25519']),
  x: z.string(),
  y: z.string().optional(),
})

const storedKey = z.strictObject({
  kid: z.string().min(1).max(128),
  alg: z.enum(['ES256', 'EdDSA', 'A256GCM']),
  /** Milliseconds since the epoch. */
  createdAt: z.number(),
  /** Where it comes from. */
  origin: z.literal('generated'),
  why: z.string().max(256),
  /** When another took its place. Its private part is removed then, unless it is needed to open what it sealed. */
  retiredAt: z.number().optional(),
  public: publicJwk.optional(),
  /** The `d` of a private JWK, or the octets of a symmetric key; base64url. */
  secret: z.string().optional(),
  /** Signature of the key before it over `endorsementMessage`, base64url. */
  endorsement: z.strictObject({ by: z.string(), signature: z.string() }).optional(),
})

const keyFile = z.strictObject({ version: z.literal(1), purpose: z.string(), keys: z.array(storedKey).min(1).max(10_000) })

export type StoredKey = z.output<typeof storedKey>
export type PublicMembers = z.output<typeof publicJwk>

/** Makes the folder of the keys, or takes one that only this user may enter. @throws OstiaryError `secrets/key-folder-open`, `secrets/key-folder` */
export function keyFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const info = statSync(dir)
    if (!info.isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' })
    if ((info.mode & 0o077) !== 0) throw new OstiaryError('secrets/key-folder-open', { dir, mode: modeOf(info.mode) })
  } catch (error) {
    throw error instanceof OstiaryError ? error : new OstiaryError('secrets/key-folder', { dir, cause: causeOf(error) })
  }
}

/**
 * The keys of a file, oldest first; undefined where there is no file.
 * @throws OstiaryError `secrets/key-file-open`, `secrets/key-file`
 */
export function readKeyFile(dir: string, purpose: string): readonly StoredKey[] | undefined {
  const file = pathOf(dir, purpose)
  let text: string
  try {
    const open = openSync(file, 'r')
    try {
      // Asked of what was opened: the name could lead elsewhere a moment later.
      const info = fstatSync(open)
      if ((info.mode & 0o077) !== 0) throw new OstiaryError('secrets/key-file-open', { file, mode: modeOf(info.mode) })
      if (!info.isFile() || info.size > MAX_FILE) throw new OstiaryError('secrets/key-file', { file, cause: 'not a key file' })
      text = readFileSync(open, 'utf8')
    } finally {
      closeSync(open)
    }
  } catch (error) {
    if (error instanceof OstiaryError) throw error
    if (causeOf(error) === 'ENOENT') return undefined
    throw new OstiaryError('secrets/key-file', { file, cause: causeOf(error) })
  }
  const parsed = keyFile.safeParse(parse(text))
  if (!parsed.success || parsed.data.purpose !== purpose)
    throw new OstiaryError('secrets/key-file', { file, cause: 'not what was written there' })
  return parsed.data.keys
}

/**
 * Writes a key file whole or not at all. With `first`, another process that was faster wins: false then.
 * @throws OstiaryError `secrets/key-folder`
 */
export function writeKeyFile(dir: string, purpose: string, keys: readonly StoredKey[], first = false): boolean {
  const file = pathOf(dir, purpose)
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    writeFileSync(temporary, `${JSON.stringify({ version: 1, purpose, keys }, undefined, 1)}\n`, { mode: 0o600, flag: 'wx', flush: true })
    if (first) linkSync(temporary, file)
    else renameSync(temporary, file)
    syncFolder(dir)
    return true
  } catch (error) {
    if (first && causeOf(error) === 'EEXIST') return false
    throw new OstiaryError('secrets/key-folder', { dir, cause: causeOf(error) })
  } finally {
    rmSync(temporary, { force: true })
  }
}

function pathOf(dir: string, purpose: string): string {
  return join(dir, `${purpose}.json`)
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // never the parser's message: it quotes what stands in the file
  }
}

function modeOf(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0')
}

function causeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'unknown'
}
