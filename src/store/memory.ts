import { MAX_MARKS, type SessionPage, type SessionStore, type StoredSession } from './sessions.ts'

/** The newest first; of one instant, by id. */
function order(a: SessionPage, b: SessionPage): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)
}

/** Sessions of one process, gone with it: for tests, and where nothing may be written. */
export function memoryStore(): SessionStore {
  const sessions = new Map<string, StoredSession>()
  const marks = new Map<string, number>()
  const leases = new Map<string, { readonly holder: string | undefined; readonly until: number }>()
  const live = (now: number): number => [...sessions.values()].filter(({ endsAt }) => endsAt > now).length
  return {
    async add(session, maximum, now) {
      if (sessions.size >= maximum && live(now) >= maximum) return 'full'
      if (sessions.has(session.key) || [...sessions.values()].some(({ id }) => id === session.id))
        throw new TypeError('a session of this name is there already')
      sessions.set(session.key, session)
      return 'added'
    },
    find: async (key) => sessions.get(key),
    named: async (id) => [...sessions.values()].find((session) => session.id === id),
    ofProvider: async (name, limit) => [...sessions.values()].filter(({ providerSession }) => providerSession === name).slice(0, limit),
    list: async (limit, after) =>
      [...sessions.values()]
        .filter((session) => after === undefined || order(after, session) < 0)
        .toSorted(order)
        .slice(0, limit),
    lastEnd: async () => (sessions.size === 0 ? undefined : Math.max(...[...sessions.values()].map(({ endsAt }) => endsAt))),
    async seen(key, seenAt) {
      const session = sessions.get(key)
      if (session !== undefined && session.seenAt < seenAt) sessions.set(key, { ...session, seenAt })
    },
    async lease(key, version, holder, until, now) {
      if (sessions.get(key)?.version !== version) return 'changed'
      const lease = leases.get(key)
      if (lease !== undefined && lease.until > now) return lease.holder === undefined ? 'resting' : 'held'
      leases.set(key, { holder, until })
      return 'given'
    },
    async rest(key, holder, until) {
      if (leases.get(key)?.holder === holder) leases.set(key, { holder: undefined, until })
    },
    async reprove(key, version, proven) {
      const session = sessions.get(key)
      if (session?.version !== version) return false
      sessions.set(key, { ...session, ...proven, version: version + 1 })
      leases.delete(key)
      return true
    },
    async end(key) {
      leases.delete(key)
      return sessions.delete(key)
    },
    async sweep(now, unusedSince) {
      for (const [mark, lapsesAt] of marks) if (lapsesAt <= now) marks.delete(mark)
      const over = [...sessions.values()].filter(({ endsAt, seenAt }) => endsAt <= now || seenAt <= unusedSince)
      for (const { key } of over) {
        sessions.delete(key)
        leases.delete(key)
      }
      return over.length
    },
    async spend(mark, until, now) {
      if ((marks.get(mark) ?? Number.NEGATIVE_INFINITY) > now) return false
      marks.set(mark, until)
      if (marks.size > MAX_MARKS) marks.delete([...marks].reduce((a, b) => (b[1] < a[1] ? b : a))[0])
      return true
    },
    isSpent: async (mark, now) => (marks.get(mark) ?? Number.NEGATIVE_INFINITY) > now,
    close: async () => undefined,
  }
}
