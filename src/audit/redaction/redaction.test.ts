import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { runs } from '../../testing/runs.ts'
import { character } from '../../testing/text.ts'
import { DEFAULT_REDACTION, MARKER, redactionOf, Typed, type Form, type Redaction } from './index.ts'

const JWT = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ'
const BODY = `${'MIIEpAIBAAKCAQEA'.repeat(4)}\n`.repeat(5)
const PEM = `-----BEGIN RSA PRIVATE KEY-----\n${BODY}MIIEshort==\n-----END RSA PRIVATE KEY-----\n`
const R = MARKER

const TEXTS: Readonly<Record<string, readonly (readonly [text: string, kept: string])[]>> = {
  'tokens of known forms': [
    [`cat token\r\n${JWT}\r\n$ `, `cat token\r\n${R}\r\n$ `],
    [`\u001b[1m${JWT.slice(0, 9)}\u001b[0m${JWT.slice(9)},`, `${R}\u001b[1m\u001b[0m,`.replace(`${R}\u001b[1m`, `\u001b[1m${R}`)],
    [`$ x ${JWT.slice(0, 50)} \r${JWT.slice(50)}\r\n`, `$ x ${R}\r\n`],
    [`eyJ${'a'.repeat(9000)}.b c`, `${R} c`],
    [`${Buffer.from(JWT).toString('base64')} x`, `${R} x`],
    ['export K=AKIAIOSFODNN7EXAMPLE;', `export K=${R};`],
    [`ghp_${'a1'.repeat(18)} glpat-${'x'.repeat(20)} xoxb-${'1'.repeat(12)}-a`, `${R} ${R} ${R}`],
    ['kubeadm join --x abcdef.0123456789abcdef', `kubeadm join --x ${R}`],
    ['eyJust a word, sky_live, AKIA', 'eyJust a word, sky_live, AKIA'],
  ],
  'private keys, to the last line': [
    [`${PEM}after\n`, `-----BEGIN RSA PRIVATE KEY-----${R}-----END RSA PRIVATE KEY-----\nafter\n`],
    [PEM.replaceAll('\n', '\r\n'), `-----BEGIN RSA PRIVATE KEY-----${R}-----END RSA PRIVATE KEY-----\r\n`],
    [JSON.stringify({ a: PEM }), String.raw`{"a":"-----BEGIN RSA PRIVATE KEY-----${R}-----END RSA PRIVATE KEY-----\n"}`],
    [`key: |\n${PEM.replaceAll(/^/gm, '  ')}`, `key: |\n  -----BEGIN RSA PRIVATE KEY-----${R}-----END RSA PRIVATE KEY-----\n  `],
    [
      `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n${BODY}-----END RSA PRIVATE KEY-----`,
      `-----BEGIN RSA PRIVATE KEY-----${R}-----END RSA PRIVATE KEY-----`,
    ],
    [`-----BEGIN PRIVATE KEY-----\n${BODY}/ # ls -l\n`, `-----BEGIN PRIVATE KEY-----${R}/ # ls -l\n`],
    // Who prints the first line hides nothing with it.
    ['-----BEGIN PRIVATE KEY-----\nls\npasswd\nshadow x\n', '-----BEGIN PRIVATE KEY-----\nls\npasswd\nshadow x\n'],
    [`-----BEGIN CERTIFICATE-----\n${BODY}-----END`, `-----BEGIN CERTIFICATE-----\n${BODY}-----END`],
    [`x ${Buffer.from(PEM).toString('base64')}\n`, `x ${R}==\n`.replace('==', '')],
  ],
  'data of Secrets': [
    [
      'apiVersion: v1\ndata:\n  password: aHVudGVyMg==\n  u: YWRtaW4=\nkind: Secret\nfoo: YWRtaW4=\n',
      `apiVersion: v1\ndata:\n  password: ${R}\n  u: ${R}\nkind: Secret\nfoo: YWRtaW4=\n`,
    ],
    [
      'items:\r\n- data:\r\n    a.b: YWRtaW4x\r\n  kind: Secret\r\n  x: YWRtaW4x\r\n',
      `items:\r\n- data:\r\n    a.b: ${R}\r\n  kind: Secret\r\n  x: YWRtaW4x\r\n`,
    ],
    ['{"data":{"u":"YWRtaW4=","v":"a b"},"x":"YWRtaW4="}', `{"data":{"u":"${R}","v":"a b"},"x":"YWRtaW4="}`],
    ['    "data": {\n        "u": "YWRtaW4="\n    },\n "x": "YWRtaW4="', `    "data": {\n        "u": "${R}"\n    },\n "x": "YWRtaW4="`],
    [JSON.stringify('{"data":{"u":"YWRtaW4="}}'), JSON.stringify(`{"data":{"u":"${R}"}}`)],
    ['stringData:\n  conn: host=a pass b\n  y: "c d"\nkind: Secret\n', `stringData:\n  conn: ${R}\n  y: "${R}"\nkind: Secret\n`],
    [String.raw`{"stringData":{"u":"a \"b\" }","v":"c"}}`, `{"stringData":{"u":"${R}","v":"${R}"}}`],
    ['data:\n  note: two words\n', 'data:\n  note: two words\n'],
  ],
  'values of names': [
    ['DB_PASSWORD=hun!ter2,x z\nPWD=/root\n', `DB_PASSWORD=${R} z\nPWD=/root\n`],
    ['aws_secret_access_key = wJal/K7\n', `aws_secret_access_key = ${R}\n`],
    ['Server=db;Password=hunter2;Database=x', `Server=db;Password=${R};Database=x`],
    [String.raw`{"password": "a\"b", "ok": 1}`, `{"password": "${R}", "ok": 1}`],
    ['\u001b[34m"password"\u001b[0m: \u001b[32m"hunter2"\u001b[0m,', `\u001b[34m"password"\u001b[0m: \u001b[32m"${R}"\u001b[0m,`],
    ['automountServiceAccountToken: true\ntoken: abc\n', `automountServiceAccountToken: true\ntoken: ${R}\n`],
    ['GET /x?a=1&access_token=abc&b=2 HTTP/1.1', `GET /x?a=1&access_token=${R}&b=2 HTTP/1.1`],
    ['/y?a=1&sig=abc%2B\n', `/y?a=1&sig=${R}\n`],
    ['Password: \r\nWelcome\r\n', 'Password: \r\nWelcome\r\n'],
    ['error: invalid token: unexpected EOF\n', 'error: invalid token: unexpected EOF\n'],
    ['TOKEN= ls\n', 'TOKEN= ls\n'],
    [`token="never ends\nls ${'x '.repeat(20)}\n`, `token="${R}\nls ${'x '.repeat(20)}\n`],
  ],
  authorization: [
    [`> Authorization: Basic dXNlcjpwYXNz\r\n`, `> Authorization: Basic ${R}\r\n`],
    [`curl -H "Authorization: Bearer a b" https://x/y`, `curl -H "Authorization: Bearer ${R}" https://x/y`],
    ['authorization=abc def', `authorization=${R}`],
    ['Bearer 0123456789abcdef0 x', `Bearer ${R} x`],
    ['a bearer token', 'a bearer token'],
  ],
  'secrets in URLs': [
    ['postgres://app:p@ss/w@db:5432/x?a=b y', `postgres://app:${R}@db:5432/x?a=b y`],
    ['jdbc:mysql://u:pw@h/db', `jdbc:mysql://u:${R}@h/db`],
    [`postgres://app:pw@db/xDB_PASSWORD=hunter2\u001b[31m red`, `postgres://app:${R}@db/xDB_PASSWORD=${R}\u001b[31m red`],
    ['http://h:8080/a@b https://user@host/ c://d', 'http://h:8080/a@b https://user@host/ c://d'],
  ],
  arguments: [
    ['/ # mysql -uroot -psecret db\r\n', `/ # mysql -uroot -p${R} db\r\n`],
    ['curl -u bob:hunter2 https://x', `curl -u bob:${R} https://x`],
    ['x --token abc --password=def --flag', `x --token ${R} --password=${R} --flag`],
    ["x --password 'a b' c", `x --password '${R}' c`],
  ],
}

const whole = (text: string, redaction: Redaction = DEFAULT_REDACTION): string => redaction.text(text)

/** Reads a text in the pieces that are said, each a millisecond after the other. */
function cut(text: string, at: readonly number[], redaction: Redaction = DEFAULT_REDACTION): string {
  const redactor = redaction.redactor()
  const places = [...new Set([0, ...at.map((place) => place % (text.length + 1)), text.length])].toSorted((a, b) => a - b)
  const pieces = places.flatMap((from, index) => redactor.pass({ at: index, text: text.slice(from, places[index + 1] ?? from) }))
  const all = [...pieces, ...redactor.end()]
  for (const [index, piece] of all.entries())
    assert.ok(index === 0 || piece.at >= all[index - 1]!.at, 'what came later is not told to have come earlier')
  return all.map((piece) => piece.text).join('')
}

for (const [name, cases] of Object.entries(TEXTS))
  describe(name, () => {
    for (const [text, kept] of cases)
      test(JSON.stringify(text).slice(0, 60), () => {
        assert.equal(whole(text), kept)
        const each = Array.from({ length: text.length }, (_, index) => index)
        assert.equal(cut(text, each), kept)
      })
  })

test('words of commands stay as many, and hide nothing but secrets', () => {
  const cases: readonly (readonly [words: readonly string[], kept: readonly string[]])[] = [
    [
      ['mysql', '-uroot', '-psecret', 'db'],
      ['mysql', '-uroot', `-p${R}`, 'db'],
    ],
    [
      ['sh', '-c', 'mysql -psecret -e "select 1"; rm -rf /'],
      ['sh', '-c', `mysql -p${R} -e "select 1"; rm -rf /`],
    ],
    [
      ['kubectl', '--token', 'abc', 'get', 'pods'],
      ['kubectl', '--token', R, 'get', 'pods'],
    ],
    [
      ['curl', '-H', 'Authorization: Bearer abc.def', 'https://u:p@h/'],
      ['curl', '-H', `Authorization: Bearer ${R}`, `https://u:${R}@h/`],
    ],
    [
      ['x', '--password=two words', 'y'],
      ['x', `--password=${R}`, 'y'],
    ],
    [
      ['x', '--password', 'two words', '-v'],
      ['x', '--password', R, '-v'],
    ],
    [
      ['x', '--token', '-bar', '--token', '--bar'],
      ['x', '--token', R, '--token', '--bar'],
    ],
    [
      ['mkdir', '-pv', 'a'],
      ['mkdir', '-pv', 'a'],
    ],
    [
      ['backup', '-pS3cret!x', '-p', '8080'],
      ['backup', `-p${R}`, '-p', '8080'],
    ],
    [
      ['env', 'DB_PASSWORD=x', 'cmd'],
      ['env', `DB_PASSWORD=${R}`, 'cmd'],
    ],
    [
      ['sh', '-c', 'TOKEN=1 rm -rf /'],
      ['sh', '-c', `TOKEN=${R} rm -rf /`],
    ],
    [
      ['sshpass', '-p', 's e', 'ssh', '-p', '22', 'h'],
      ['sshpass', '-p', R, 'ssh', '-p', '22', 'h'],
    ],
    [
      ['docker', 'run', '-p', '80:80', 'img'],
      ['docker', 'run', '-p', '80:80', 'img'],
    ],
    [
      ['curl', '-u', 'bob:hunter 2', 'h'],
      ['curl', '-u', `bob:${R}`, 'h'],
    ],
    [
      ['redis-cli', '-a', 'x', 'ping'],
      ['redis-cli', '-a', R, 'ping'],
    ],
    [
      ['psql', 'postgres://u:p@h/db', '-p5432'],
      ['psql', `postgres://u:${R}@h/db`, '-p5432'],
    ],
    [
      ['tee', PEM, JWT],
      ['tee', `-----BEGIN RSA PRIVATE KEY-----${R}-----END RSA PRIVATE KEY-----\n`, R],
    ],
    [
      ['a\0b', '', ''],
      ['a b', '', ''],
    ],
    [[], []],
  ]
  for (const [words, kept] of cases) assert.deepEqual(DEFAULT_REDACTION.command(words), kept)
})

test('each form can be kept, and then nothing else is', () => {
  const examples: Readonly<Record<Exclude<Form, 'typed'>, string>> = {
    arguments: 'x --password=abc',
    'named-values': 'PASSWORD=abc',
    authorization: 'Authorization: Basic abc',
    urls: 'x://u:abc@h',
    tokens: 'AKIAIOSFODNN7EXAMPLE',
    'private-keys': PEM,
    'secret-data': 'data:\n  a: YWRtaW4=\n',
  }
  const all = Object.entries(examples)
  for (const [form, text] of all) {
    assert.ok(whole(text).includes(R), form)
    const keeping = redactionOf({ patterns: [], keep: [form as Form] })
    for (const [other, one] of all) assert.equal(whole(one, keeping).includes(R), other !== form, `${other} where ${form} is kept`)
  }
})

describe('patterns of the configuration', () => {
  const own = redactionOf({ patterns: ['CORP-[0-9]{4}', 'CORP-[0-9]+x', 'b*'], keep: [] })

  test('the first match, of several the longest, beside the known forms', () => {
    assert.equal(whole('a CORP-12345 CORP-12345x TOKEN=y\nCORP-\n1234', own), `a ${R}5 ${R} TOKEN=${R}\nCORP-\n1234`)
  })

  test('long lines in stretches, wherever a match lies', () => {
    const lines = fc.nat({ max: 5000 }).map((before) => `${'-'.repeat(before)}CORP-1234${'-'.repeat(3000)}`)
    fc.assert(
      fc.property(lines, fc.array(fc.nat(), { maxLength: 5 }), (line, places) => {
        assert.equal(cut(line, places, own), line.replace('CORP-1234', R))
      }),
      { numRuns: 100 },
    )
  })
})

test('runs that are longer than is held: a token in one is found wherever it lies', () => {
  for (let before = 3400; before < 4200; before += 7) {
    const text = `${'Q'.repeat(before)}.${JWT} x`
    assert.equal(whole(text), `${'Q'.repeat(before)}.${R} x`)
    assert.equal(cut(text, [before, before + 20]), whole(text))
  }
})

/** Each secret with what would have to be found of it. */
const SECRETS: readonly (readonly [text: string, secret: string])[] = [
  [JWT, 'c2lnbmF0dXJl'],
  [JWT, 'Jpc3MiOiJrdW'],
  [PEM, 'MIIEpAIBAAKCAQEA'],
  [PEM.replaceAll('\n', '\r\n'), 'MIIEshort'],
  [JSON.stringify(PEM), 'MIIEshort'],
  ['Authorization: Bearer s3cr3t-value', 's3cr3t'],
  ['postgres://app:s3cr3t-value@db/x', 's3cr3t'],
  ['--password=s3cr3t-value', 's3cr3t'],
  ['--token s3cr3t-value', 's3cr3t'],
  ['DB_PASSWORD=s3cr3t-value', 's3cr3t'],
  ['"client_secret": "s3cr3t value"', 's3cr3t'],
  ['AKIAIOSFODNN7EXAMPLE', 'IOSFODNN7'],
  ['\ndata:\n  u: czNjcjN0LXZhbHVl\n  v: czNjcjN0LXZhbHVlIQ==\n', 'czNjcjN0'],
  ['{"data":{"u":"czNjcjN0LXZhbHVl"}}', 'czNjcjN0'],
]

const filler = fc.oneof(
  fc.constantFrom(
    'ls -la',
    '\r\n',
    '\n',
    ' \r',
    ' ',
    '\t',
    '"',
    "'",
    '=',
    ':',
    '://',
    'x://u:',
    '{',
    '}',
    '\\',
    ';',
    '\u001b[31m',
    '\u001b[K',
    '\u001b[2J',
    '\u001b]0;t\u0007',
    '\u001b',
    'data:',
    'data',
    '"data":{"a":',
    'token',
    '--token ',
    'password: ',
    'Authorization: ',
    'Bearer ',
    'mysql ',
    '-p',
    'curl -u ',
    '-----BEGIN PRIVATE KEY-----',
    '-----END PRIVATE KEY-----',
    'eyJ',
    'true',
    'é‹',
  ),
  fc.constantFrom('a', 'A9/', '.-_').chain((unit) => fc.nat({ max: 30 }).map((count) => unit.repeat(count))),
  fc.nat({ max: 5000 }).map((count) => 'Q'.repeat(count)),
  fc.string({ unit: character, maxLength: 6 }),
)

test('however a text is cut, the same is kept', () => {
  const text = fc.array(fc.oneof(filler, fc.constantFrom(...SECRETS.map(([one]) => one))), { maxLength: 14 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 12 }), (one, places) => {
      const kept = whole(one)
      assert.equal(cut(one, places), kept)
      if (one.length < 500)
        assert.equal(
          cut(
            one,
            Array.from({ length: one.length }, (_, index) => index),
          ),
          kept,
        )
    }),
    { numRuns: runs(700) },
  )
})

test('whatever stands around it on other lines, no secret of a known form survives', () => {
  // Half a key, a quotation that never ends and the like last to the end of their line, or until what can be no part of them.
  const around = fc.array(filler, { maxLength: 8 }).map((parts) => parts.join(''))
  const places = fc.array(fc.nat(), { maxLength: 8 })
  fc.assert(
    fc.property(around, fc.constantFrom(...SECRETS), around, places, (before, [text, secret], behind, at) => {
      const kept = cut(`${before}\n\u0007\n${text}\n${behind}`, at)
      assert.ok(!kept.includes(secret), kept)
    }),
    { numRuns: runs(700) },
  )
})

test('what is held is bounded', () => {
  const cases: readonly (readonly [first: string, unit: string])[] = [
    ['', 'a'],
    ['', '-'],
    ['', 'x://u:'],
    ['', 'a \r'],
    ['', '\u001b[1'],
    ['', '"data":{"a":"'],
    ['a', '\u001b[m'],
    ['token="a', '\u001b[m'],
    ['x://u:', '\u001b[m'],
    ['-----BEGIN PRIVATE KEY-----\na', '\u001b[m'],
    ['-----BEGIN PRIVATE KEY-----', `\n${'a'.repeat(60)}\u001b[m`],
    ['-----BEGIN PRIVATE KEY-----', '\r\n '],
  ]
  for (const [first, unit] of cases) {
    const redactor = redactionOf({ patterns: ['zzz'], keep: [] }).redactor()
    let [read, kept] = [0, 0]
    for (let i = 0; i < 600; i++) {
      const text = i === 0 ? first : unit.repeat(97)
      const hidden = redactor.markers
      read += text.length
      kept += redactor.pass({ at: i, text }).reduce((sum, piece) => sum + piece.text.length, 0)
      // What was left out isn't held.
      if (redactor.markers !== hidden) kept = read
      if (redactor.markers === 0) assert.ok(read - kept <= 40_000, `${first}${unit}`)
    }
  }
})

describe('input that is typed and not shown', () => {
  type Step = readonly ['in' | 'out', string]
  function kept(steps: readonly Step[]): string {
    const typed = new Typed()
    const pieces = steps.flatMap(([kind, text]) => (kind === 'in' ? typed.typed({ at: 0, text }) : typed.shown(text)))
    return [...pieces, ...typed.end()].map(({ text }) => text).join('')
  }
  const keys = (text: string, echo = true): readonly Step[] =>
    Array.from(text).flatMap((key): readonly Step[] => [['in', key], ...(echo ? ([['out', key === '\r' ? '\r\n' : key]] as const) : [])])

  const cases: readonly (readonly [name: string, steps: readonly Step[], kept: string])[] = [
    ['a line that is shown key by key', [['out', '$ '], ...keys('ls -l\r')], 'ls -l\r'],
    ['a password', [['out', 'Password: '], ...keys('hunter2', false), ['in', '\r'], ['out', '\r\n$ ']], `${R}\r`],
    [
      'one that is shown as stars',
      [
        ['out', 'Password: '],
        ...Array.from('hunter2').flatMap((key): Step[] => [
          ['in', key],
          ['out', '*'],
        ]),
        ['in', '\r'],
        ['out', '\r\n'],
      ],
      `${R}\r`,
    ],
    ['one whose letters come later', [...keys('hunter', false), ['in', '\r'], ['out', '\r\nhunter\r\n']], `${R}\r`],
    ['lines around it', [...keys('su\r'), ...keys('pw', false), ['in', '\r'], ['out', '\r\n# '], ...keys('id\r')], `su\r${R}\rid\r`],
    [
      'what is pasted and shown behind it',
      [
        ['in', 'echo a\recho b\r'],
        ['out', 'echo a\r\necho b\r\n'],
      ],
      'echo a\recho b\r',
    ],
    [
      'keys that show nothing',
      [
        ['in', '\u001b[A'],
        ['out', 'ls'],
        ['in', '\r'],
        ['out', '\r\n'],
      ],
      '\u001b[A\r',
    ],
    [
      'a line that is painted',
      [
        ['in', 'ls\r'],
        ['out', '\u001b[32ml\u001b[0m\u001b[1ms\u001b[0m\r\n'],
      ],
      'ls\r',
    ],
    [
      'sequences show no letters',
      [
        ['in', 'mKH'],
        ['out', '\u001b[1m\u001b[K\u001b[H'],
        ['in', '\r'],
        ['out', '\r\n'],
      ],
      `${R}\r`,
    ],
    ['one that never ended', keys('hunter2', false), R],
    ['one that was interrupted', [...keys('hunt', false), ['in', '\u0003'], ['out', '^C\r\n']], `${R}\u0003`],
    ['one that is corrected', [...keys('lx'), ['in', '\u007f'], ['out', '\b \b'], ...keys('s\r')], 'lx\u007fs\r'],
  ]
  for (const [name, steps, expected] of cases) test(name, () => assert.equal(kept(steps), expected))

  test('however it is cut between what is shown', () => {
    const step = fc.tuple(
      fc.constantFrom('in' as const, 'out' as const),
      fc.array(fc.constantFrom('a', 'b', ' ', '\r', '\n', '\u0003', '\u001b[A', '\u001b'), { maxLength: 6 }).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const each = steps.flatMap(([kind, text]) => Array.from(text, (one): Step => [kind, one]))
        assert.equal(kept(each), kept(steps))
      }),
      { numRuns: runs(500) },
    )
  })

  test('what waits to be shown is bounded, and left out when it is too much', () => {
    const typed = new Typed()
    let length = 0
    for (let i = 0; i < 200; i++)
      length += typed.typed({ at: i, text: `${'x'.repeat(999)}\n` }).reduce((sum, { text }) => sum + text.length, 0)
    assert.equal(typed.markers, 135)
    assert.equal(length, 135 * (R.length + 1))
  })
})
