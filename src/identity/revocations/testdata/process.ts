/** Another process on the same store. `revoke FILE` revokes the subject `reader` and ends; `watch FILE` says `ended` once it is revoked. */
import { systemClock } from '../../../core/clock.ts'
import { noMeter } from '../../../core/meter.ts'
import { openSqliteRevocations } from '../../../store/sqlite-revocations.ts'
import { openRevocations } from '../revocations.ts'

const [what, file = ''] = process.argv.slice(2)
const parts = { store: openSqliteRevocations(file), clock: systemClock, meter: noMeter, log: () => undefined }
const revocations = await openRevocations(parts, file)
if (what === 'revoke') {
  const target = { kind: 'subject', issuer: 'oidc', subject: 'reader' } as const
  await revocations.add({
    id: `by-${process.pid}`,
    target,
    reason: 'stolen laptop',
    by: 'oidc/admin',
    createdAt: Date.now(),
    until: undefined,
  })
  await revocations.close()
} else {
  const alive = setInterval(() => undefined, 1_000)
  revocations.onChange(() => {
    if (!revocations.list().some(({ id }) => id === 'from-the-test')) return
    process.stdout.write('ended\n')
    clearInterval(alive)
    void revocations.close()
  })
  process.stdout.write('watching\n')
}
