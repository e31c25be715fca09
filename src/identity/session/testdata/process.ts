/**
 * Another gateway on the same store: `process.ts FILE ISSUER`. A line `move MS` sets its clock ahead; `ask HANDLE N` presents the session N
 * times at once, and says `asked` and then how often it was answered with what.
 */
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock, systemEntropy } from '../../../core/clock.ts'
import { noMeter } from '../../../core/meter.ts'
import { Secret } from '../../../core/secret.ts'
import { openSqliteStore } from '../../../store/sqlite.ts'
import { createIdentity } from '../../index.ts'
import { issuerConfig, tell } from '../../testing.ts'
import { MINUTE } from '../testing.ts'

const [file = '', issuer = ''] = process.argv.slice(2)
/** Beside the store, so that it goes with it. */
const folder = join(dirname(file), String(process.pid))
let ahead = 0
const signIn = { clientId: 'orders-web', scopes: ['openid', 'offline_access'] }
const { authenticator } = createIdentity({
  wiring: {
    issuers: { idp: issuerConfig({ kind: 'oidc', issuer, audiences: ['orders'], signIn }) },
    outbound: {},
    sessions: { idle: 60 * MINUTE, absolute: 720 * MINUTE, maximum: 100 },
  },
  deps: {
    clock: { ...systemClock, now: () => Date.now() + ahead },
    entropy: systemEntropy,
    meter: noMeter,
    dataDir: folder,
    folder,
    log: () => undefined,
    fetch: (input, init) => fetch(input, init),
    store: openSqliteStore(file),
    sealing: () => [{ key: new Secret(new Uint8Array(32).fill(1)) }],
  },
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)

createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, text = '', times = '1'] = line.split(' ')
  if (what === 'move') {
    ahead += Number(text)
    return say('moved')
  }
  const presentation = { source: '192.0.2.1', time: 0, resource: 'orders' }
  const credential = { kind: 'session', handle: new Secret(text) } as const
  const answers = Array.from({ length: Number(times) }, async () => authenticator.authenticate(credential, presentation))
  say('asked')
  void Promise.all(answers).then((results) => {
    const told = Map.groupBy(results, tell)
    say([...told].map(([answer, all]) => `${answer} ${all.length}`).join(', '))
  })
})
say('ready')
