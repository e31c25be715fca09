import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { OstiaryError, type Code } from '../core/errors.ts'
import { sessionStoreConformance } from './conformance.ts'
import { memoryStore } from './memory.ts'
import type { StoredSession } from './sessions.ts'
import { openSqliteStore } from './sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'ostiary-store-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => join(folder, `${files++}`, 'sessions.db')
const code = (wanted: Code) => (error: unknown) => error instanceof OstiaryError && error.code === wanted

sessionStoreConformance('SQLite', () => openSqliteStore(newFile()))
sessionStoreConformance('memory', memoryStore)

const T = Date.UTC(2026, 0, 1)
const session: StoredSession = {
  key: 'k',
  id: 'i',
  issuer: 'entra',
  sealed: new Uint8Array([1, 2]),
  tokens: undefined,
  providerSession: undefined,
  version: 0,
  createdAt: T,
  seenAt: T,
  endsAt: T + 1000,
}

test('sessions outlast the process, readable by nobody else', async () => {
  const file = newFile()
  const first = openSqliteStore(file)
  await first.add(session, 10, T)
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(`${file}${suffix}`).mode & 0o077, 0, suffix)
  await first.close()
  const second = openSqliteStore(file)
  assert.equal((await second.find('k'))?.id, 'i')
  await second.close()
})

test('two processes see the same sessions and spend a mark once', async () => {
  const file = newFile()
  const [one, other] = [openSqliteStore(file), openSqliteStore(file)]
  await one.add(session, 10, T)
  assert.equal((await other.find('k'))?.id, 'i')
  assert.equal(await other.end('k'), true)
  assert.equal(await one.find('k'), undefined)
  assert.equal(await one.spend('m', T + 10, T), true)
  assert.equal(await other.spend('m', T + 10, T), false)
  await one.close()
  await other.close()
})

test('sessions of the form before are kept on', async () => {
  const file = newFile()
  const first = openSqliteStore(file)
  await first.add(session, 10, T)
  await first.close()
  const database = new DatabaseSync(file)
  database.exec(`DROP INDEX sessions_by_provider; PRAGMA user_version = 2;
    ${['tokens', 'provider_session', 'version', 'lease_holder', 'lease_until'].map((one) => `ALTER TABLE sessions DROP COLUMN ${one};`).join('')}`)
  database.close()
  const second = openSqliteStore(file)
  const found = await second.find('k')
  assert.deepEqual({ ...found, sealed: [1, 2] }, { ...session, sealed: [1, 2] })
  await second.close()
})

test('a store that another process holds on to fails, and works again afterwards', async () => {
  const file = newFile()
  const store = openSqliteStore(file)
  await store.add(session, 10, T)
  const holder = new DatabaseSync(file)
  holder.exec('BEGIN IMMEDIATE')
  await assert.rejects(store.end('k'))
  await assert.rejects(store.spend('m', T + 10, T))
  assert.equal((await store.find('k'))?.id, 'i', 'reading goes on')
  holder.exec('ROLLBACK')
  holder.close()
  assert.equal(await store.end('k'), true)
  assert.equal(await store.spend('m', T + 10, T), true)
  await store.close()
})

test('a file that is no store is left as it is', () => {
  const file = join(folder, 'letter.db')
  writeFileSync(file, 'Dear reader, '.repeat(1000), { mode: 0o600 })
  const before = readFileSync(file)
  assert.throws(() => openSqliteStore(file), code('store/open'))
  assert.deepEqual(readFileSync(file), before)
})

test('a file of a later version is left alone', async () => {
  const file = newFile()
  await openSqliteStore(file).close()
  const database = new DatabaseSync(file)
  database.exec('PRAGMA user_version = 99')
  database.close()
  assert.throws(() => openSqliteStore(file), code('store/version'))
})

test('a folder that can not be made is an error of the catalogue', () => {
  writeFileSync(join(folder, 'plain'), '')
  assert.throws(() => openSqliteStore(join(folder, 'plain', 'sub', 'sessions.db')), code('store/open'))
})
