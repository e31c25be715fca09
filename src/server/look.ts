import { createHash, type Hash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isPolicyFile, MAX_BYTES } from '../config/load.ts'
import type { Sources } from '../config/wiring.ts'

/** What the policy of a configuration is made of, in one text: the same for the same files with the same content. */
export type Fingerprint = string

/** Octets that are taken in between two looks at what else there is to do. */
const AT_ONCE = 256 * 1024
const MAX_DEEP = 32

function begin(hash: Hash, path: string, octets: number): void {
  hash.update(`${path.length}:${path}${octets}:`)
}

/** Of what was read. */
export function fingerprintOf({ wiring, environment, policy, documents = [] }: Sources): Fingerprint {
  const hash = createHash('sha256')
  for (const { path, text } of [wiring, ...(environment === undefined ? [] : [environment]), ...policy, ...documents]) {
    const octets = Buffer.from(text)
    begin(hash, path, octets.length)
    hash.update(octets)
  }
  return hash.digest('hex')
}

/** Of what `read` reads now, all of it at once. Undefined for what can't be read. */
export async function lookBy(read: () => Sources): Promise<Fingerprint | undefined> {
  try {
    return fingerprintOf(read())
  } catch {
    return undefined
  }
}

/**
 * Of what there is now, read beside everything else. Undefined for what can't be read, which may be half-written.
 * @param documents OpenAPI documents that are named, whether or not they are there
 */
export async function lookAt(
  folder: string,
  environment: string | undefined,
  documents: readonly string[],
): Promise<Fingerprint | undefined> {
  const hash = createHash('sha256')
  try {
    await take(hash, folder, 'ostiary.yaml')
    if (environment !== undefined) await take(hash, folder, `environments/${environment}.yaml`)
    for (const path of await policyFiles(folder)) await take(hash, folder, path)
    for (const path of documents)
      await take(hash, folder, path).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error
      })
    return hash.digest('hex')
  } catch {
    return undefined
  }
}

async function take(hash: Hash, folder: string, path: string): Promise<void> {
  const file = join(folder, path)
  const stats = await stat(file)
  if (!stats.isFile() || stats.size > MAX_BYTES) throw new Error(`${path} can not be read`)
  const octets = await readFile(file)
  if (!isUtf8(octets)) throw new Error(`${path} is not UTF-8`)
  begin(hash, path, octets.length)
  for (let at = 0; at < octets.length; at += AT_ONCE) {
    hash.update(octets.subarray(at, at + AT_ONCE))
    if (at + AT_ONCE < octets.length) await new Promise((resolve) => setImmediate(resolve))
  }
}

async function policyFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  const visit = async (relative: string, deep: number): Promise<void> => {
    if (deep > MAX_DEEP) throw new Error(`${relative} is too deep`)
    for (const entry of await readdir(join(folder, relative))) {
      if (entry.startsWith('.')) continue
      const path = `${relative}/${entry}`
      if ((await stat(join(folder, path))).isDirectory()) await visit(path, deep + 1)
      else if (isPolicyFile(path)) found.push(path)
    }
  }
  await visit('policy', 1).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT' || found.length > 0) throw error
  })
  return found.toSorted()
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
