/** Attacks on the form of a token: what is signed is good, what stands around it is not. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { entraClaims } from '../../../src/testing/tokens.ts'
import { base64url, hmacToken, parts, signToken, unsignedToken, type JsonObject, type Kit, type TokenRow } from './row.ts'

const claims = ({ origin, now }: Kit, more: JsonObject = {}): JsonObject => entraClaims.v2User(origin, now, more)
const good = (kit: Kit, header: JsonObject = {}): string => signToken(kit.keys.rsa, claims(kit), header)
const row = (attack: number, name: string, expect: TokenRow['expect'], token: TokenRow['token']): TokenRow => ({
  attack,
  name,
  to: 'entra',
  expect,
  token,
})

/** The good token with its header written by hand and signed anew. */
const withHeader = (kit: Kit, header: string): string => signToken(kit.keys.rsa, claims(kit), header)
const withPayload = (kit: Kit, payload: string): string => signToken(kit.keys.rsa, payload)
const payloadText = (kit: Kit): string => JSON.stringify(claims(kit))

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

/** Header signed by a key that it brings itself. */
function embedded(kit: Kit, header: (jwk: JsonObject) => JsonObject): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...(publicKey.export({ format: 'jwk' }) as JsonObject), kid: 'rsa-1' }
  return signToken({ kid: 'rsa-1', algorithm: 'RS256', privateKey, jwk }, claims(kit), header(jwk))
}

const plainWords: readonly TokenRow[] = [
  row(0, 'good token', 'verified', (kit) => good(kit)),
  ...['', '.', '..', '...', 'x', 'null', '{}', 'undefined', '[object Object]', '.'.repeat(1000)].map((text) =>
    row(84, `the text ${JSON.stringify(text.slice(0, 20))}`, ['malformed', 'encrypted'], () => text),
  ),
]

const unsigned: readonly TokenRow[] = [
  ...['none', 'None', 'NONE', 'nOnE', 'none '].flatMap((alg) => [
    row(71, `alg \`${alg}\` without signature`, ['unsigned', 'algorithm', 'signature'], (kit) => unsignedToken(claims(kit), alg)),
    row(71, `alg \`${alg}\` with the signature of the good token`, ['unsigned', 'algorithm'], (kit) => {
      const [, body, tail] = parts(good(kit))
      return `${base64url(JSON.stringify({ typ: 'JWT', alg, kid: 'rsa-1' }))}.${body}.${tail}`
    }),
  ]),
  row(71, 'signature cut off', ['signature'], (kit) => good(kit).replace(/[^.]+$/, '')),
  row(71, 'signature and dot cut off', ['malformed'], (kit) => good(kit).replace(/\.[^.]+$/, '')),
  ...['', 'rs256', 'RS256 ', 'RS256\0', 'RS1', 'PS256', 'ES256', 'HS256', 'EdDSA', 'RSA-OAEP', 'dir'].map((alg) =>
    row(71, `alg ${JSON.stringify(alg)}`, ['algorithm'], (kit) => good(kit, { alg })),
  ),
  ...[null, 256, true, ['RS256'], { alg: 'RS256' }].map((alg) =>
    row(71, `alg ${JSON.stringify(alg)}, not a string`, ['malformed', 'algorithm'], (kit) => good(kit, { alg })),
  ),
  row(71, 'no alg', ['malformed', 'algorithm'], (kit) => withHeader(kit, '{"typ":"JWT","kid":"rsa-1"}')),
]

const confusion: readonly TokenRow[] = [
  row(72, 'HS256 keyed with the public PEM', ['algorithm'], (kit) =>
    hmacToken(createPublicKey(kit.keys.rsa.privateKey).export({ format: 'pem', type: 'spki' }), claims(kit), { kid: 'rsa-1' }),
  ),
  row(72, 'HS256 keyed with the PKCS#1 PEM', ['algorithm'], (kit) =>
    hmacToken(createPublicKey(kit.keys.rsa.privateKey).export({ format: 'pem', type: 'pkcs1' }), claims(kit), { kid: 'rsa-1' }),
  ),
  row(72, 'HS256 keyed with the JWK', ['algorithm'], (kit) => hmacToken(JSON.stringify(kit.keys.rsa.jwk), claims(kit), { kid: 'rsa-1' })),
  row(72, 'HS256 keyed with the modulus', ['algorithm'], (kit) =>
    hmacToken(kit.keys.rsa.jwk['n'] as string, claims(kit), { kid: 'rsa-1' }),
  ),
  row(72, 'HS256 keyed with nothing', ['algorithm'], (kit) => hmacToken('', claims(kit), { kid: 'rsa-1' })),
  row(72, 'an HMAC under the name RS256', ['signature'], (kit) =>
    hmacToken(kit.keys.rsa.jwk['n'] as string, claims(kit), { alg: 'RS256', kid: 'rsa-1' }),
  ),
  row(72, 'PS256 signature under the name RS256', ['signature', 'algorithm'], (kit) =>
    signToken({ ...kit.keys.rsa, algorithm: 'PS256' }, claims(kit), { alg: 'RS256' }),
  ),
  row(72, 'RS256 with a key that names no algorithm', 'verified', (kit) => signToken(kit.keys.plain, claims(kit))),
  row(72, 'PS256 with a key that names no algorithm', ['algorithm'], (kit) =>
    signToken({ ...kit.keys.plain, algorithm: 'PS256' }, claims(kit)),
  ),
  row(72, 'RS256 with the key of another algorithm', ['algorithm', 'signature'], (kit) =>
    signToken({ ...kit.keys.pss, algorithm: 'RS256' }, claims(kit)),
  ),
]

const foreignKeys: readonly TokenRow[] = [
  row(73, 'embedded jwk', ['unknown-key', 'signature'], (kit) => embedded(kit, (jwk) => ({ jwk }))),
  row(73, 'embedded jwk and a kid of its own', ['unknown-key'], (kit) => embedded(kit, (jwk) => ({ jwk, kid: 'mine' }))),
  row(73, 'jku', ['unknown-key', 'signature'], (kit) => embedded(kit, () => ({ jku: `${kit.origin}/canary/keys` }))),
  row(73, 'x5u', ['unknown-key', 'signature'], (kit) => embedded(kit, () => ({ x5u: `${kit.origin}/canary/cert` }))),
  row(73, 'x5c', ['unknown-key', 'signature'], (kit) => embedded(kit, () => ({ x5c: ['MIIB'] }))),
  ...[{ jwk: {} }, { jku: 'https://elsewhere.example/keys' }, { x5u: 'https://elsewhere.example/c' }, { x5c: [] }, { jwk: null }].map(
    (more) =>
      row(73, `well signed, but with ${Object.keys(more)[0]!} ${JSON.stringify(Object.values(more)[0])}`, ['unknown-key'], (kit) =>
        good(kit, more),
      ),
  ),
  row(73, 'signed by nobody we know under a known kid', ['signature'], (kit) => embedded(kit, () => ({}))),
  row(73, 'signed by an unpublished key', ['unknown-key'], (kit) => signToken(kit.keys.unpublished, claims(kit))),
]

const keyIds: readonly TokenRow[] = [
  ...[
    '../../dev/null',
    '/dev/null',
    '__proto__',
    'constructor',
    'toString',
    "' OR 1=1 --",
    'rsa-1 ',
    ' rsa-1',
    'RSA-1',
    'rsa-1\0',
    '|id',
  ].map((kid) => row(74, `kid ${JSON.stringify(kid)}`, ['unknown-key'], (kit) => good(kit, { kid }))),
  row(74, 'kid of 257 bytes', ['unknown-key'], (kit) => good(kit, { kid: 'k'.repeat(257) })),
  row(74, 'kid of 200 characters and 400 bytes', ['unknown-key'], (kit) => good(kit, { kid: 'é'.repeat(200) })),
  row(74, 'kid of a mebibyte', ['too-large'], (kit) => good(kit, { kid: 'k'.repeat(1024 ** 2) })),
  ...['', null, 1, [], ['rsa-1'], {}, true].map((kid) =>
    row(74, `kid ${JSON.stringify(kid)}`, ['unknown-key', 'malformed'], (kit) => good(kit, { kid })),
  ),
  row(74, 'no kid', ['unknown-key'], (kit) => withHeader(kit, '{"typ":"JWT","alg":"RS256"}')),
]

const extensions: readonly TokenRow[] = [
  ...[['exp2'], ['b64'], ['alg'], [], 'exp', null].map((crit) =>
    row(75, `crit ${JSON.stringify(crit)}`, ['critical-header'], (kit) => good(kit, { crit, exp2: 1 })),
  ),
  row(75, 'b64 false', ['critical-header'], (kit) => good(kit, { b64: false })),
  row(75, 'b64 false, said to be critical', ['critical-header'], (kit) => good(kit, { b64: false, crit: ['b64'] })),
  row(77, 'zip', ['encrypted', 'critical-header'], (kit) => good(kit, { zip: 'DEF' })),
  row(77, 'enc in a signed token', ['encrypted'], (kit) => good(kit, { enc: 'A256GCM' })),
  row(77, 'JWE of five parts', ['encrypted'], () => `${base64url('{"alg":"dir","enc":"A256GCM"}')}..a.b.c`),
  row(77, 'PBES2 with two thousand million rounds', ['encrypted'], () => {
    const head = base64url(JSON.stringify({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31, p2s: 'AAAAAAAAAAA' }))
    return `${head}.a.b.c.d`
  }),
]

const sizes: readonly TokenRow[] = [
  row(78, 'a mebibyte', ['too-large'], (kit) => signToken(kit.keys.rsa, claims(kit, { filler: 'x'.repeat(1024 ** 2) }))),
  row(78, '16 KiB and a little', ['too-large'], (kit) => signToken(kit.keys.rsa, claims(kit, { filler: 'x'.repeat(13_000) }))),
  row(78, 'a little less than 16 KiB', 'verified', (kit) => signToken(kit.keys.rsa, claims(kit, { filler: 'x'.repeat(10_500) }))),
  row(78, 'payload nested 17 deep', ['malformed'], (kit) => withPayload(kit, payloadText(kit).replace('{', `{"deep":${nested(17)},`))),
  row(78, 'payload nested 2000 deep', ['malformed'], (kit) => withPayload(kit, payloadText(kit).replace('{', `{"deep":${nested(2000)},`))),
  row(78, 'header nested 2000 deep', ['malformed'], (kit) =>
    withHeader(kit, `{"typ":"JWT","alg":"RS256","kid":"rsa-1","deep":${nested(2000)}}`),
  ),
]

const payloads: readonly TokenRow[] = [
  ...['[]', '[{"iss":"x"}]', 'null', '1', '"a"', 'true', '', ' ', '{', '{}}', '{"a":1,}', "{'a':1}", '{a:1}', '// {}', 'NaN'].map((text) =>
    row(79, `payload ${JSON.stringify(text)}`, ['malformed'], (kit) => withPayload(kit, text)),
  ),
  ...(
    [
      ['a name twice', (text) => text.replace('{', '{"iss":"https://elsewhere.example",')],
      ['a name twice, once escaped', (text) => text.replace('{', '{"\\u0069ss":"https://elsewhere.example",')],
      ['a name twice with the same value', (text) => text.replace(/"ver":"2.0"/, '"ver":"2.0","ver":"2.0"')],
      ['a name twice, deep inside', (text) => text.replace('{', '{"a":[{"b":{"c":1,"c":1}}],')],
      ['__proto__ twice', (text) => text.replace('{', '{"__proto__":{},"__proto__":{},')],
      ['text after the object', (text) => `${text}{}`],
      ['a byte order mark', (text) => `\uFEFF${text}`],
      ['a NUL after it', (text) => `${text}\0`],
      ['a vertical tab before it', (text) => `\v${text}`],
      ['a lone surrogate, escaped', (text) => text.replace('{', '{"a":"\\ud800",')],
      ['a control character in a string', (text) => text.replace('{', '{"a":"\u0001",')],
      ['a number beyond a double', (text) => text.replace('{', '{"a":1e999,')],
      ['a number with a leading zero', (text) => text.replace('{', '{"a":01,')],
      ['a hexadecimal number', (text) => text.replace('{', '{"a":0x10,')],
    ] as const satisfies readonly (readonly [string, (text: string) => string])[]
  ).map(([name, change]) => row(79, name, ['malformed'], (kit) => withPayload(kit, change(payloadText(kit))))),
  row(79, 'header with a name twice', ['malformed'], (kit) => withHeader(kit, '{"alg":"none","typ":"JWT","alg":"RS256","kid":"rsa-1"}')),
  row(79, 'header that is a list', ['malformed'], (kit) => withHeader(kit, '["RS256"]')),
  row(79, 'members of the prototype', 'verified', (kit) =>
    withPayload(kit, payloadText(kit).replace('{', '{"__proto__":{"roles":["Admin"]},"constructor":{"name":"x"},"toString":1,')),
  ),
]

const serialisations: readonly TokenRow[] = [
  ...(
    [
      ['padding after the header', ([head, body, tail]) => `${head}=.${body}.${tail}`],
      ['padding after the payload', ([head, body, tail]) => `${head}.${body}==.${tail}`],
      ['padding after the signature', ([head, body, tail]) => `${head}.${body}.${tail}==`],
      ['a line break in the payload', ([head, body, tail]) => `${head}.${body.slice(0, 9)}\n${body.slice(9)}.${tail}`],
      ['a space before it', ([head, body, tail]) => ` ${head}.${body}.${tail}`],
      ['a space after it', ([head, body, tail]) => `${head}.${body}.${tail} `],
      ['a NUL after it', ([head, body, tail]) => `${head}.${body}.${tail}\0`],
      ['a character beyond base64url', ([head, body, tail]) => `${head}.${body}.${tail.slice(0, -1)}*`],
      ['a character beyond Latin-1', ([head, body, tail]) => `${head}.${body}.${tail}\u{1F511}`],
      ['a full-width letter', ([head, body, tail]) => `${head}.${body}.${tail.slice(0, -1)}\uFF21`],
      ['a fourth part', ([head, body, tail]) => `${head}.${body}.${tail}.x`],
      ['an empty fourth part', ([head, body, tail]) => `${head}.${body}.${tail}.`],
      ['an empty part before it', ([head, body, tail]) => `.${head}.${body}.${tail}`],
      ['no header', ([, body, tail]) => `.${body}.${tail}`],
      ['no payload', ([head, , tail]) => `${head}..${tail}`],
      ['JSON serialisation, flattened', ([head, body, tail]) => JSON.stringify({ protected: head, payload: body, signature: tail })],
      ['JSON serialisation', ([head, body, tail]) => JSON.stringify({ payload: body, signatures: [{ protected: head, signature: tail }] })],
      ['two tokens', ([head, body, tail]) => `${head}.${body}.${tail},${head}.${body}.${tail}`],
      ['the same token twice', ([head, body, tail]) => `${head}.${body}.${tail}.${head}.${body}.${tail}`],
    ] as const satisfies readonly (readonly [string, (token: readonly [string, string, string]) => string])[]
  ).map(([name, change]) => row(84, name, ['malformed', 'encrypted'], (kit) => change(parts(good(kit))))),
  row(84, 'another spelling of the same signature bytes', ['malformed'], (kit) => {
    // 256 bytes leave four bits of the last character that say nothing.
    const token = good(kit)
    const last = token.at(-1)!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return token.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1]!
  }),
  row(84, 'standard base64 alphabet', ['malformed'], (kit) => {
    for (let i = 0; ; i++) {
      const token = signToken(kit.keys.rsa, claims(kit, { filler: i }))
      const [head, body, tail] = parts(token)
      if (/[-_]/.test(tail)) return `${head}.${body}.${tail.replaceAll('-', '+').replaceAll('_', '/')}`
    }
  }),
  row(76, 'signature of zeros', ['signature'], (kit) => {
    const [head, body] = parts(good(kit))
    return `${head}.${body}.${base64url(new Uint8Array(256))}`
  }),
  row(76, 'signature one byte short', ['signature'], (kit) => {
    const [head, body, tail] = parts(good(kit))
    return `${head}.${body}.${base64url(Buffer.from(tail, 'base64url').subarray(1))}`
  }),
  row(76, 'signature with a byte before it', ['signature'], (kit) => {
    const [head, body, tail] = parts(good(kit))
    return `${head}.${body}.${base64url(Buffer.concat([new Uint8Array(1), Buffer.from(tail, 'base64url')]))}`
  }),
  row(76, 'payload of one token with the signature of another', ['signature'], (kit) => {
    const [head, , tail] = parts(good(kit))
    const [, body] = parts(signToken(kit.keys.rsa, claims(kit, { roles: ['Admin'] })))
    return `${head}.${body}.${tail}`
  }),
]

export const formRows: readonly TokenRow[] = [
  ...plainWords,
  ...unsigned,
  ...confusion,
  ...foreignKeys,
  ...keyIds,
  ...extensions,
  ...sizes,
  ...payloads,
  ...serialisations,
]
