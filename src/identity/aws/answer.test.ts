/** What STS answers: the XML, and whom it says the caller to be. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { callerXml, errorXml } from '../../testing/standin-sts.ts'
import { readCaller, subjectOf, type Caller } from './caller.ts'
import { readXml, textAt } from './xml.ts'
import { ACCOUNT, roleKey, userKey } from './testing.ts'

const xml = (text: string): ReturnType<typeof readXml> => readXml(Buffer.from(text))

describe('XML of STS', () => {
  test('its own answers are read', () => {
    assert.equal(textAt(xml(callerXml(userKey))!, 'GetCallerIdentityResult', 'Arn'), userKey.arn)
    assert.equal(
      textAt(xml(`<?xml version="1.0" encoding="UTF-8"?>\n${callerXml(userKey)}`)!, 'GetCallerIdentityResult', 'Account'),
      ACCOUNT,
    )
    assert.equal(textAt(xml(errorXml('A', 'it&apos;s &lt;&amp;&gt;&quot;'))!, 'Error', 'Message'), `it's <&>"`)
    assert.equal(textAt(xml('<a><b/></a>')!, 'b'), '')
  })

  const refused: Readonly<Record<string, string>> = {
    nothing: '',
    text: 'x',
    'a document type': `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`,
    'an external entity': `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`,
    'an entity of its own': '<a>&x;</a>',
    'a numeric entity': '<a>&#65;</a>',
    'an ampersand': '<a>&</a>',
    'a comment': '<a><!-- x --></a>',
    'a comment in text': '<a>x<!-- y -->z</a>',
    CDATA: '<a><![CDATA[x]]></a>',
    'the end of CDATA': '<a>]]></a>',
    'a processing instruction': '<a><?x y?></a>',
    'two declarations': '<?xml version="1.0"?><?xml version="1.0"?><a/>',
    'version 1.1': '<?xml version="1.1"?><a/>',
    'another encoding': '<?xml version="1.0" encoding="UTF-16"?><a/>',
    'two roots': '<a/><a/>',
    'text after the root': '<a/>x',
    'text before the root': 'x<a/>',
    'no end': '<a>',
    'the wrong end': '<a></b>',
    'crossed ends': '<a><b></a></b>',
    'an end too many': '<a></a></a>',
    'half a name': '<a',
    attributes: '<a b="c"/>',
    'a name twice in a tag': '<a xmlns="x" xmlns="y"/>',
    'a prefix': '<x:a xmlns:x="y"/>',
    'text among elements': '<a>x<b/></a>',
    'text after elements': '<a><b/>x</a>',
    'a space before the name': '< a/>',
    'a control character': '<a>\u0001</a>',
    'nine levels': '<a>'.repeat(9) + '</a>'.repeat(9),
    'too many elements': `<a>${'<b/>'.repeat(64)}</a>`,
  }
  for (const [what, text] of Object.entries(refused)) test(`${what} is refused`, () => assert.equal(xml(text), undefined))

  test('bytes that are no UTF-8 are refused', () =>
    assert.equal(readXml(Uint8Array.of(0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e)), undefined))

  test('an element that is there twice is not there', () => {
    assert.equal(textAt(xml('<a><b>1</b><b>2</b></a>')!, 'b'), undefined)
    assert.equal(textAt(xml('<a><b>1</b></a>')!, 'c'), undefined)
    assert.equal(textAt(xml('<a><b><c/></b></a>')!, 'b'), undefined)
  })

  test('any bytes are answered', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readXml(bytes)),
      { numRuns: 300 },
    )
    const piece = fc.constantFrom('<a>', '</a>', '<b/>', ' ', 'x', '&amp;', '<', '>', '&', '/', '<a xmlns="y">')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (all) => {
        const read = xml(all.join(''))
        if (read !== undefined) assert.match(read.name, /^(?:a|b|x+)$/)
      }),
      { numRuns: 300 },
    )
  })

  test('a long row of anything is read in linear time', () => {
    for (const piece of ['<a>', '</a>', '<', '&', '&amp;', ' ', '<a xmlns="', 'x']) assert.equal(xml(piece.repeat(5000)), undefined, piece)
  })
})

describe('callers', () => {
  const read = (arn: string, userId: string, account = ACCOUNT): Caller | undefined => readCaller(arn, userId, account)

  test('every known form', () => {
    const types = [
      read(userKey.arn, userKey.userId),
      read(`arn:aws:iam::${ACCOUNT}:user/reader`, userKey.userId),
      read(roleKey.arn, roleKey.userId),
      read(`arn:aws:sts::${ACCOUNT}:federated-user/reader`, `${ACCOUNT}:reader`),
      read(`arn:aws:iam::${ACCOUNT}:root`, ACCOUNT),
    ].map((caller) => [caller?.principalType, caller && subjectOf(caller)])
    assert.deepEqual(types, [
      ['user', `${ACCOUNT}/AIDACKCEVSQ6C2EXAMPLE`],
      ['user', `${ACCOUNT}/AIDACKCEVSQ6C2EXAMPLE`],
      ['assumed-role', `${ACCOUNT}/AROADBQP57FF2AEXAMPLE`],
      ['federated-user', `${ACCOUNT}/federated-user/reader`],
      ['root', `${ACCOUNT}/root`],
    ])
  })

  const role = 'AROADBQP57FF2AEXAMPLE'
  const refused: Readonly<Record<string, readonly [arn: string, userId: string, account?: string]>> = {
    'an account that differs': [`arn:aws:iam::${ACCOUNT}:user/a`, userKey.userId, '000000000000'],
    'an account that is no number': [`arn:aws:iam::12345678901x:user/a`, userKey.userId, '12345678901x'],
    'another service': [`arn:aws:s3::${ACCOUNT}:user/a`, userKey.userId],
    'a region': [`arn:aws:iam:eu-central-1:${ACCOUNT}:user/a`, userKey.userId],
    'a user of STS': [`arn:aws:sts::${ACCOUNT}:user/a`, userKey.userId],
    'a role itself': [`arn:aws:iam::${ACCOUNT}:role/deployer`, role],
    'an assumed role of IAM': [`arn:aws:iam::${ACCOUNT}:assumed-role/deployer/s1`, `${role}:s1`],
    'a user with the id of a role': [`arn:aws:iam::${ACCOUNT}:user/a`, role],
    'a user without name': [`arn:aws:iam::${ACCOUNT}:user/`, userKey.userId],
    'a role with the id of a user': [`arn:aws:sts::${ACCOUNT}:assumed-role/deployer/s1`, `${userKey.userId}:s1`],
    'a role without session': [`arn:aws:sts::${ACCOUNT}:assumed-role/deployer`, role],
    'a role with a path': [`arn:aws:sts::${ACCOUNT}:assumed-role/path/deployer/s1`, `${role}:s1`],
    'a session that differs': [`arn:aws:sts::${ACCOUNT}:assumed-role/deployer/s1`, `${role}:s2`],
    'a session with a colon': [`arn:aws:sts::${ACCOUNT}:assumed-role/deployer/s:1`, `${role}:s:1`],
    'an id without session': [`arn:aws:sts::${ACCOUNT}:assumed-role/deployer/s1`, role],
    'a federated user that differs': [`arn:aws:sts::${ACCOUNT}:federated-user/reader`, `${ACCOUNT}:admin`],
    'root with the id of a user': [`arn:aws:iam::${ACCOUNT}:root`, userKey.userId],
    'white space': [`arn:aws:iam::${ACCOUNT}:user/a `, userKey.userId],
    'a line break': [`arn:aws:iam::${ACCOUNT}:user/a\n`, userKey.userId],
  }
  for (const [what, [arn, userId, account]] of Object.entries(refused))
    test(`${what} is not understood`, () => assert.equal(read(arn, userId, account), undefined))

  test('a name that its holder chose never makes the subject of somebody else', () => {
    const federated = read(`arn:aws:sts::${ACCOUNT}:federated-user/${userKey.userId}`, `${ACCOUNT}:${userKey.userId}`)!
    assert.notEqual(subjectOf(federated), subjectOf(read(userKey.arn, userKey.userId)!))
    assert.equal(federated.user, undefined)
  })
})
