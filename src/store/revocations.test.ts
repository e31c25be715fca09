import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { OstiaryError, type Code } from '../core/errors.ts'
import { memoryRevocations } from './memory-revocations.ts'
import type { RevocationStore, RevocationTarget, StoredRevocation } from './revocations.ts'
import { openSqliteRevocations } from './sqlite-revocations.ts'

const folder = mkdtempSync(join(tmpdir(), 'ostiary-revocations-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => join(folder, `${files++}`, 'revocations.db')
const code = (wanted: Code) => (error: unknown) => error instanceof OstiaryError && error.code === wanted

const T = Date.UTC(2026, 0, 1)
const TARGETS: readonly RevocationTarget[] = [
  { kind: 'session', session: 's' },
  { kind: 'subject', issuer: 'entra', subject: 't/o' },
  { kind: 'token', issuer: 'entra', token: 'uti' },
  { kind: 'client', issuer: 'entra', client: 'app' },
  { kind: 'issued-before', issuer: 'entra', before: T },
  { kind: 'issued-before', issuer: 'entra', subject: "' OR 1=1 --", before: T + 0.5 },
]
let made = 0
function revocation(more: Partial<StoredRevocation> = {}): StoredRevocation {
  made++
  const target = TARGETS[made % TARGETS.length]!
  return { id: `r-${made}`, target, reason: 'stolen laptop', by: 'entra/t/admin', createdAt: T + made, until: T + 1000, ...more }
}

/** What every store of revocations must do. @param open Opens an empty store twice, as two processes would. */
function conformance(name: string, open: () => readonly [RevocationStore, RevocationStore]): void {
  const using = (title: string, work: (store: RevocationStore, other: RevocationStore) => Promise<void>): void => {
    void test(title, async () => {
      const [store, other] = open()
      try {
        await work(store, other)
      } finally {
        await store.close()
        await other.close()
      }
    })
  }

  void describe(`revocation store: ${name}`, () => {
    using('lists what was added, whole, the oldest first', async (store) => {
      const all = TARGETS.map((target, at) => revocation({ target, createdAt: T - at, until: at === 0 ? undefined : T + at }))
      for (const one of all) assert.equal(await store.add(one, 10, T), 'added')
      assert.deepEqual(await store.list(), all.toReversed())
    })

    using('never adds over one', async (store) => {
      const one = revocation()
      await store.add(one, 10, T)
      await assert.rejects(store.add({ ...one, reason: 'another' }, 10, T))
      assert.deepEqual(await store.list(), [one])
    })

    using('keeps no more than the maximum; what is over does not count', async (store) => {
      await store.add(revocation({ until: T + 10 }), 2, T)
      await store.add(revocation({ until: undefined }), 2, T)
      const third = revocation()
      assert.equal(await store.add(third, 2, T + 9), 'full')
      assert.equal((await store.list()).length, 2)
      assert.equal(await store.add(third, 2, T + 10), 'added')
    })

    using('lifts one, once, and no other', async (store) => {
      const [one, other] = [revocation(), revocation()]
      await store.add(one, 10, T)
      await store.add(other, 10, T)
      assert.equal(await store.lift(one.id), true)
      assert.equal(await store.lift(one.id), false)
      assert.deepEqual(await store.list(), [other])
    })

    using('sweeps out what is over, never what holds until it is lifted', async (store) => {
      const [over, open, endless] = [revocation({ until: T + 10 }), revocation({ until: T + 11 }), revocation({ until: undefined })]
      for (const one of [over, open, endless]) await store.add(one, 10, T)
      assert.equal(await store.sweep(T + 10), 1)
      assert.deepEqual(await store.list(), [open, endless])
      assert.equal(await store.sweep(T + 10), 0)
    })

    using('shows each change of somebody else in its version, and none where there was none', async (store, other) => {
      let version = await store.version()
      const changed = async (): Promise<boolean> => {
        const before = version
        version = await store.version()
        return version !== before
      }
      const one = revocation({ until: T + 10 })
      await other.add(one, 10, T)
      assert.equal(await changed(), true)
      assert.equal(await changed(), false)
      assert.deepEqual(await store.list(), [one])
      await other.sweep(T)
      assert.equal(await changed(), false)
      await other.sweep(T + 10)
      assert.equal(await changed(), true)
      await other.add(revocation({ id: one.id }), 10, T)
      await other.lift(one.id)
      assert.equal(await changed(), true)
      assert.deepEqual(await store.list(), [])
    })

    using('can be closed twice', (store) => store.close())
  })
}

conformance('memory', () => {
  const store = memoryRevocations()
  return [store, store]
})
conformance('SQLite', () => {
  const file = newFile()
  return [openSqliteRevocations(file), openSqliteRevocations(file)]
})

test('revocations outlast the process, readable by nobody else', async () => {
  const file = newFile()
  const first = openSqliteRevocations(file)
  const one = revocation()
  await first.add(one, 10, T)
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(`${file}${suffix}`).mode & 0o077, 0, suffix)
  await first.close()
  const second = openSqliteRevocations(file)
  assert.deepEqual(await second.list(), [one])
  await second.close()
})

test('a file that is no store, of a later version, or with a target that does not read is an error, never an empty list', async () => {
  const letter = join(folder, 'letter.db')
  writeFileSync(letter, 'Dear reader, '.repeat(1000))
  assert.throws(() => openSqliteRevocations(letter), code('store/revocations'))
  const file = newFile()
  const store = openSqliteRevocations(file)
  await store.add(revocation(), 10, T)
  const database = new DatabaseSync(file)
  database.exec(`UPDATE revocations SET target = '{"kind":"planet"}'`)
  await assert.rejects(store.list())
  database.exec('PRAGMA user_version = 99')
  database.close()
  await store.close()
  assert.throws(() => openSqliteRevocations(file), code('store/revocations-version'))
})

test('a store that another process holds on to refuses, and has changed nothing', async () => {
  const file = newFile()
  const store = openSqliteRevocations(file)
  const one = revocation()
  await store.add(one, 10, T)
  const holder = new DatabaseSync(file)
  holder.exec('BEGIN IMMEDIATE')
  await assert.rejects(store.lift(one.id))
  await assert.rejects(store.add(revocation(), 10, T))
  assert.deepEqual(await store.list(), [one], 'reading goes on')
  holder.exec('ROLLBACK')
  holder.close()
  assert.equal(await store.lift(one.id), true)
  await store.close()
})
