import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject, readJson, type JsonValue } from '../jose/json.ts'

/** What is kept of a provider, so that a gateway that starts while it is down knows its keys. */
export interface Kept {
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number
  readonly metadata: JsonValue
  readonly keys: JsonValue
}

const MAX_FILE = 4 * 1024 * 1024
const folderOf = (dataDir: string): string => join(dataDir, 'issuers')

/**
 * What was kept under `name` for `discoveryUrl`; undefined if there is nothing, or nothing that can be believed: a file
 * that others may write could hold anybody's keys.
 */
export function readKept(dataDir: string, name: string, discoveryUrl: string): Kept | undefined {
  let bytes: Uint8Array
  try {
    const file = openSync(join(folderOf(dataDir), `${name}.json`), 'r')
    try {
      const info = fstatSync(file)
      if (!info.isFile() || info.size > MAX_FILE || (info.mode & 0o022) !== 0) return undefined
      bytes = readFileSync(file)
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
  const kept = readJson(bytes)
  if (!isObject(kept) || kept['version'] !== 1 || kept['discoveryUrl'] !== discoveryUrl) return undefined
  const { fetchedAt, metadata, keys } = kept
  if (typeof fetchedAt !== 'number' || metadata === undefined || keys === undefined) return undefined
  return { fetchedAt, metadata, keys }
}

/** Keeps it, whole or not at all. @throws Error of node:fs */
export function writeKept(dataDir: string, name: string, discoveryUrl: string, kept: Kept): void {
  const folder = folderOf(dataDir)
  const file = join(folder, `${name}.json`)
  const temporary = `${file}.${process.pid}.new`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(temporary, JSON.stringify({ version: 1, discoveryUrl, ...kept }), { mode: 0o600 })
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
}
