/** Sessions through the door: what is kept of them, and what is not. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { temporary } from '../../audit/testdata/record.ts'
import { Recordings } from '../../audit/recordings/index.ts'
import { systemClock } from '../../core/clock.ts'
import { askCluster, clusterDoor } from '../../testing/kubernetesdoor.ts'
import { standInApiServer } from '../../testing/standin-apiserver.ts'

async function setUp(t: TestContext, { sessions = {} }: { readonly sessions?: object } = {}) {
  const folder = temporary()
  const dir = join(folder.path, 'recordings')
  const recordings = new Recordings({ dir, clock: systemClock, keepFor: 1e12, keepAtMost: 1e12, announce: () => Promise.resolve() })
  const api = await standInApiServer()
  const door = await clusterDoor(api, { recordings, clusters: { bed: { sessions: { record: 'all', ...sessions } } } })
  t.after(async () => {
    await door.close()
    await api.close()
    await recordings.close()
    folder[Symbol.dispose]()
  })
  return { api, door, dir }
}

test('a session that can not be recorded is refused, and nothing says that it began', async (t) => {
  const { api, door, dir } = await setUp(t)
  writeFileSync(dir, '')
  api.upgrade = (_request, socket) =>
    socket.end(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
    )
  const answer = await askCluster(door, 'POST /api/v1/namespaces/shop/pods/a/exec?command=true', [
    'Connection: Upgrade',
    'Upgrade: SPDY/3.1',
    'X-Stream-Protocol-Version: v4.channel.k8s.io',
  ])
  assert.equal(answer.status, 503)
  assert.deepEqual(door.notes, [])
})
