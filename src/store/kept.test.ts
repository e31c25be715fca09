import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { OstiaryError, type Code } from '../core/errors.ts'
import { memoryKept } from './memory-kept.ts'
import type { RevocationTarget, StoredRevocation } from './revocations.ts'
import type { StoredActivation } from './activations.ts'
import type { Kept, KeptStore } from './kept.ts'
import { openSqliteActivations } from './sqlite-activations.ts'
import { openSqliteRevocations } from './sqlite-revocations.ts'

const folder = mkdtempSync(join(tmpdir(), 'ostiary-kept-'))
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

function activation(more: Partial<StoredActivation> = {}): StoredActivation {
  made++
  const whose = { issuer: 'entra', subject: "t/' OR 1=1 --", role: 'lead', display: made % 2 === 0 ? undefined : 'Ada' }
  return { id: `a-${made}`, ...whose, from: T, reason: 'incident 7', createdAt: T + made, until: T + 1000, ...more }
}

/** One of its kind, with what is said of it in place of what it has otherwise. */
type Make<T extends Kept> = (more?: Partial<Kept> & { readonly until?: number; readonly reason?: string }) => T

/** What every store must do. @param open Opens an empty store twice, as two processes would. */
function conformance<T extends Kept>(name: string, make: Make<T>, open: () => readonly [KeptStore<T>, KeptStore<T>]): void {
  const using = (title: string, work: (store: KeptStore<T>, other: KeptStore<T>) => Promise<void>): void => {
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

  void describe(`store of ${name}`, () => {
    using('lists what was added, whole, the oldest first', async (store) => {
      const all = Array.from({ length: 7 }, (_, at) => make({ createdAt: T - at, until: T + at }))
      for (const one of all) assert.equal(await store.add(one, 10, T), 'added')
      assert.deepEqual(await store.list(), all.toReversed())
    })

    using('never adds over one', async (store) => {
      const one = make()
      await store.add(one, 10, T)
      await assert.rejects(store.add({ ...one, reason: 'another' }, 10, T))
      assert.deepEqual(await store.list(), [one])
    })

    using('keeps no more than the maximum; what is over does not count', async (store) => {
      await store.add(make({ until: T + 10 }), 2, T)
      await store.add(make(), 2, T)
      const third = make()
      assert.equal(await store.add(third, 2, T + 9), 'full')
      assert.equal((await store.list()).length, 2)
      assert.equal(await store.add(third, 2, T + 10), 'added')
    })

    using('lifts one, once, and no other', async (store) => {
      const [one, other] = [make(), make()]
      await store.add(one, 10, T)
      await store.add(other, 10, T)
      assert.equal(await store.remove(one.id), true)
      assert.equal(await store.remove(one.id), false)
      assert.deepEqual(await store.list(), [other])
    })

    using('sweeps out what is over, and nothing else', async (store) => {
      const [over, open] = [make({ until: T + 10 }), make({ until: T + 11 })]
      for (const one of [over, open]) await store.add(one, 10, T)
      assert.equal(await store.sweep(T + 10), 1)
      assert.deepEqual(await store.list(), [open])
      assert.equal(await store.sweep(T + 10), 0)
    })

    using('shows each change of somebody else in its version, and none where there was none', async (store, other) => {
      let version = await store.version()
      const changed = async (): Promise<boolean> => {
        const before = version
        version = await store.version()
        return version !== before
      }
      const one = make({ until: T + 10 })
      await other.add(one, 10, T)
      assert.equal(await changed(), true)
      assert.equal(await changed(), false)
      assert.deepEqual(await store.list(), [one])
      await other.sweep(T)
      assert.equal(await changed(), false)
      await other.sweep(T + 10)
      assert.equal(await changed(), true)
      await other.add(make({ id: one.id }), 10, T)
      await other.remove(one.id)
      assert.equal(await changed(), true)
      assert.deepEqual(await store.list(), [])
    })

    using('can be closed twice', (store) => store.close())
  })
}

const twice = <T extends Kept>(open: (file: string) => KeptStore<T>): readonly [KeptStore<T>, KeptStore<T>] => {
  const file = newFile()
  return [open(file), open(file)]
}

conformance<StoredRevocation>('revocations in memory', revocation, () => {
  const store = memoryKept<StoredRevocation>()
  return [store, store]
})
conformance<StoredRevocation>('revocations in SQLite', revocation, () => twice(openSqliteRevocations))
conformance<StoredActivation>('activations in SQLite', activation, () => twice(openSqliteActivations))

for (const [name, open] of [
  ['memory', () => memoryKept<StoredRevocation>()],
  ['SQLite', () => openSqliteRevocations(newFile())],
] as const) {
  test(`a revocation of each kind comes back whole, and one without an end is never swept out (${name})`, async () => {
    const store = open()
    const all = TARGETS.map((target, at) => revocation({ target, createdAt: T - at, until: undefined }))
    for (const one of all) assert.equal(await store.add(one, all.length, T), 'added')
    assert.equal(await store.add(revocation(), all.length, T), 'full')
    assert.equal(await store.sweep(T + 1e15), 0)
    assert.deepEqual(await store.list(), all.toReversed())
    await store.close()
  })
}

test('what is active goes with what was said of it', async () => {
  const store = openSqliteActivations(newFile())
  const all = [activation({ display: undefined }), activation({ display: 'Ada \u{1f9ed}', from: T + 0, until: T + 1 })]
  for (const one of all) await store.add(one, 10, T)
  assert.deepEqual(await store.list(), all)
  await store.close()
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
  assert.throws(() => openSqliteActivations(letter), code('store/activations'))
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
  await assert.rejects(store.remove(one.id))
  await assert.rejects(store.add(revocation(), 10, T))
  assert.deepEqual(await store.list(), [one], 'reading goes on')
  holder.exec('ROLLBACK')
  holder.close()
  assert.equal(await store.remove(one.id), true)
  await store.close()
})
