/**
 * A stand-in for `ssh-keygen -q -Y sign -n NAMESPACE -f KEY FILE`, for machines without OpenSSH. The private key is PEM in KEY, or where
 * STANDIN_AGENT says; the public one stands beside it.
 */
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { standinSshSig } from '../../../testing/standin-ssh.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    q: { type: 'boolean', short: 'q' },
    Y: { type: 'string', short: 'Y' },
    n: { type: 'string', short: 'n' },
    f: { type: 'string', short: 'f' },
  },
})
const { q, Y, n: namespace, f: key } = values
const [file] = positionals
if (q !== true || Y !== 'sign' || namespace === undefined || key === undefined || file === undefined) process.exit(1)
const agent = process.env['STANDIN_AGENT']
const isPublic = key.endsWith('.pub')
if (isPublic && agent === undefined) process.exit(255)
const secret = isPublic ? agent! : key
const line = readFileSync(isPublic ? key : `${key}.pub`, 'latin1')
const [type = '', encoded = ''] = line.split(' ')
const blob = Buffer.from(encoded, 'base64')
const privateKey = createPrivateKey(readFileSync(secret))
const standin = {
  type: 'ssh-ed25519',
  certificateType: type,
  fields: blob,
  blob,
  privateKey,
  line,
  fingerprint: '',
  application: undefined,
}
const lines = standinSshSig({ key: standin, message: readFileSync(file), namespace })
  .toString('base64')
  .replaceAll(/.{70}/g, '$&\n')
writeFileSync(`${file}.sig`, `-----BEGIN SSH SIGNATURE-----\n${lines.trimEnd()}\n-----END SSH SIGNATURE-----\n`)
