/** What every store of sessions must do. Run by the tests of each implementation. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SessionStore, StoredSession } from './sessions.ts'

const T = Date.UTC(2026, 0, 1)

/** @param open Opens an empty store. */
export function sessionStoreConformance(name: string, open: () => SessionStore): void {
  let made = 0
  const session = (more: Partial<StoredSession> = {}): StoredSession => {
    made++
    const sealed = new Uint8Array([made, 0, 255])
    const name = { key: `key-${made}`, id: `id-${made}`, issuer: 'entra', providerSession: undefined }
    return { ...name, sealed, tokens: undefined, version: 0, createdAt: T, seenAt: T, endsAt: T + 1000, ...more }
  }
  const using = (title: string, work: (store: SessionStore) => Promise<void>): void => {
    void test(title, async () => {
      const store = open()
      try {
        await work(store)
      } finally {
        await store.close()
      }
    })
  }

  void describe(`session store: ${name}`, () => {
    using('finds what was added, to the byte, and nothing else', async (store) => {
      const one = session()
      assert.equal(await store.add(one, 10, T), 'added')
      const found = await store.find(one.key)
      assert.deepEqual({ ...found, sealed: [...found!.sealed] }, { ...one, sealed: [...one.sealed] })
      for (const key of ['', one.id, `${one.key} `, one.key.toUpperCase(), '%', "' OR 1=1 --", '\0', '__proto__'])
        assert.equal(await store.find(key), undefined)
    })

    using('never adds over a session', async (store) => {
      const one = session()
      await store.add(one, 10, T)
      await assert.rejects(store.add({ ...one, id: 'another' }, 10, T))
      await assert.rejects(store.add({ ...one, key: 'another' }, 10, T))
      assert.equal((await store.find(one.key))?.id, one.id)
      assert.equal(await store.find('another'), undefined)
    })

    using('finds a session by its public id, and by nothing else', async (store) => {
      const one = session()
      await store.add(one, 10, T)
      assert.equal((await store.named(one.id))?.key, one.key)
      for (const id of ['', one.key, `${one.id} `, '%', "' OR 1=1 --"]) assert.equal(await store.named(id), undefined)
    })

    using('lists every session once, the newest first, page by page', async (store) => {
      const all = [3, 1, 2, 2, 2].map((at) => session({ createdAt: T + at }))
      for (const one of all) await store.add(one, 10, T)
      const order = all.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)).map(({ id }) => id)
      assert.deepEqual(
        (await store.list(10)).map(({ id }) => id),
        order,
      )
      const paged: string[] = []
      for (let page = await store.list(2); page.length > 0; page = await store.list(2, page.at(-1))) paged.push(...page.map(({ id }) => id))
      assert.deepEqual(paged, order)
    })

    using('knows when the last session ends', async (store) => {
      assert.equal(await store.lastEnd(), undefined)
      for (const endsAt of [T + 5, T + 9, T + 7]) await store.add(session({ endsAt }), 10, T)
      assert.equal(await store.lastEnd(), T + 9)
    })

    using('keeps no more than the maximum; what is over does not count', async (store) => {
      assert.equal(await store.add(session({ endsAt: T + 10 }), 2, T), 'added')
      assert.equal(await store.add(session(), 2, T), 'added')
      const third = session()
      assert.equal(await store.add(third, 2, T + 9), 'full')
      assert.equal(await store.find(third.key), undefined)
      assert.equal(await store.add(third, 2, T + 10), 'added')
    })

    using('ends a session once, and no other', async (store) => {
      const [one, other] = [session(), session()]
      await store.add(one, 10, T)
      await store.add(other, 10, T)
      assert.equal(await store.end(one.key), true)
      assert.equal(await store.find(one.key), undefined)
      assert.equal(await store.end(one.key), false)
      assert.notEqual(await store.find(other.key), undefined)
    })

    using('remembers the last use, never an earlier one, never of what has ended', async (store) => {
      const one = session()
      await store.add(one, 10, T)
      await store.seen(one.key, T + 50)
      await store.seen(one.key, T + 20)
      assert.equal((await store.find(one.key))?.seenAt, T + 50)
      await store.end(one.key)
      await store.seen(one.key, T + 60)
      assert.equal(await store.find(one.key), undefined)
    })

    using('sweeps out what is over or unused', async (store) => {
      const over = session({ endsAt: T + 10, seenAt: T + 9 })
      const unused = session({ seenAt: T - 100 })
      const used = session({ seenAt: T + 5 })
      for (const one of [over, unused, used]) await store.add(one, 10, T)
      assert.equal(await store.sweep(T + 10, T - 100), 2)
      assert.equal(await store.find(over.key), undefined)
      assert.equal(await store.find(unused.key), undefined)
      assert.notEqual(await store.find(used.key), undefined)
    })

    using('lets a mark be spent once until it lapses', async (store) => {
      assert.equal(await store.spend('a', T + 10, T), true)
      assert.equal(await store.spend('a', T + 20, T + 5), false)
      assert.deepEqual(
        [await store.isSpent('a', T + 9), await store.isSpent('a', T + 10), await store.isSpent('b', T)],
        [true, false, false],
      )
      assert.equal(await store.spend('b', T + 10, T + 5), true)
      assert.equal(await store.spend('a', T + 20, T + 10), true)
      assert.equal(await store.spend('a', T + 30, T + 15), false)
      await store.sweep(T + 30, T)
      assert.equal(await store.spend('a', T + 40, T + 30), true)
    })

    using('of many who spend one mark at a time, one succeeds', async (store) => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.spend('one', T + 10, T)))
      assert.equal(answers.filter(Boolean).length, 1)
    })

    using('keeps what the provider gave, to the byte, and finds sessions by their name there', async (store) => {
      const [one, same, other] = [
        session({ tokens: new Uint8Array([7, 0, 255]), providerSession: 'p' }),
        session({ providerSession: 'p' }),
        session(),
      ]
      for (const each of [one, same, other]) await store.add(each, 10, T)
      assert.deepEqual([...(await store.find(one.key))!.tokens!], [7, 0, 255])
      assert.equal((await store.find(other.key))?.tokens, undefined)
      const ids = async (name: string, limit = 10) => (await store.ofProvider(name, limit)).map(({ id }) => id).toSorted()
      assert.deepEqual(await ids('p'), [one.id, same.id].toSorted())
      assert.equal((await ids('p', 1)).length, 1)
      for (const name of ['', 'P', 'p ', '%', one.id]) assert.deepEqual(await ids(name), [])
      await store.end(one.key)
      assert.deepEqual(await ids('p'), [same.id])
    })

    using('gives a lease to one, until it is over', async (store) => {
      const { key } = session()
      await store.add(session({ key }), 10, T)
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => store.lease(key, 0, `holder-${i}`, T + 10, T)))
      assert.deepEqual(answers.toSorted(), ['given', ...Array.from({ length: 19 }, () => 'held')])
      assert.equal(await store.lease(key, 0, 'late', T + 20, T + 9), 'held')
      assert.equal(await store.lease(key, 0, 'late', T + 20, T + 10), 'given')
    })

    using('gives no lease for a version that is not kept, nor for a session that has ended', async (store) => {
      const { key } = session()
      await store.add(session({ key }), 10, T)
      for (const version of [1, -1]) assert.equal(await store.lease(key, version, 'a', T + 10, T), 'changed')
      assert.equal(await store.lease('another', 0, 'a', T + 10, T), 'changed')
      await store.end(key)
      assert.equal(await store.lease(key, 0, 'a', T + 10, T), 'changed')
    })

    using('rests after a failure; whoever does not hold the lease changes nothing', async (store) => {
      const { key } = session()
      await store.add(session({ key }), 10, T)
      await store.lease(key, 0, 'a', T + 100, T)
      await store.rest(key, 'b', T)
      assert.equal(await store.lease(key, 0, 'b', T + 100, T), 'held')
      await store.rest(key, 'a', T + 5)
      assert.equal(await store.lease(key, 0, 'a', T + 100, T + 4), 'resting')
      assert.equal(await store.lease(key, 0, 'b', T + 100, T + 5), 'given')
      await store.rest(key, 'a', T)
      assert.equal(await store.lease(key, 0, 'a', T + 100, T + 6), 'held')
    })

    using('keeps what was proven anew once per version, ends the lease, and never brings an ended session back', async (store) => {
      const one = session({ providerSession: 'p', tokens: new Uint8Array([1]) })
      await store.add(one, 10, T)
      await store.seen(one.key, T + 3)
      await store.lease(one.key, 0, 'a', T + 100, T)
      const [sealed, tokens] = [new Uint8Array([8]), new Uint8Array([9])]
      const answers = await Promise.all(Array.from({ length: 5 }, () => store.reprove(one.key, 0, { sealed, tokens })))
      assert.equal(answers.filter(Boolean).length, 1)
      const found = await store.find(one.key)
      assert.deepEqual(
        { ...found, sealed: [...found!.sealed], tokens: [...found!.tokens!] },
        {
          ...one,
          seenAt: T + 3,
          sealed: [8],
          tokens: [9],
          version: 1,
        },
      )
      assert.equal(await store.lease(one.key, 1, 'b', T + 100, T), 'given')
      assert.equal(await store.reprove(one.key, 1, { sealed, tokens: undefined }), true)
      assert.equal((await store.find(one.key))?.tokens, undefined)
      await store.end(one.key)
      assert.equal(await store.reprove(one.key, 2, { sealed, tokens }), false)
      assert.equal(await store.find(one.key), undefined)
    })

    using('can be closed twice', (store) => store.close())
  })
}
