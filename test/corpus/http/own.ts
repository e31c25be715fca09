/**
 * Rows made from what the gateway itself adds: the identity headers that an upstream receives are taken from a plain
 * request, and then every one of them is spoofed, in every spelling.
 */
import assert from 'node:assert/strict'
import { fold, type Seen } from './recorder.ts'
import { HOST, READER, request, type Row } from './row.ts'

const SPOOF = 'spoofed-by-the-caller'
/** Every character of a header name that is neither letter nor digit (RFC 9110 section 5.6.2). */
const MARKS = Array.from(`!#$%&'*+-.^_\`|~`)

/** Ways in which one name can be written so that some upstream takes it for the same. */
function spellings(name: string): readonly string[] {
  const other = MARKS.map((mark) => name.replaceAll('-', mark))
  return [
    ...new Set([name, name.toUpperCase(), name.toLowerCase(), name.replaceAll('-', ''), `${name}-`, ...other, name.replace('-', '_')]),
  ]
}

/** Nothing of the spoof arrived, and the name is there `count` times, however spelt. */
function clean(name: string, count: number): (seen: readonly Seen[]) => void {
  return (all) => {
    for (const seen of all) {
      assert.ok(!seen.raw.includes(SPOOF), `the spoof of ${name} arrived`)
      assert.equal(seen.headers.filter(([key]) => fold(key) === fold(name)).length, count, name)
    }
  }
}

/** @param names identity headers of a signed-in caller, as the upstream receives them */
export function identityRows(names: readonly string[], onPublicRoutes: readonly string[]): readonly Row[] {
  return names.flatMap((name) => [
    ...spellings(name).flatMap((spelling): readonly Row[] => [
      {
        id: 20,
        name: `${spelling} with a token`,
        send: request('GET /orders/1 HTTP/1.1', [HOST, READER, `${spelling}: ${SPOOF}`]),
        expect: { answers: [[200, 400]], upstream: clean(name, 1) },
        why: 'the gateway alone says who is there',
      },
      {
        id: 24,
        name: `${spelling} on a public route`,
        send: request('GET /public/1 HTTP/1.1', [HOST, `${spelling}: ${SPOOF}`]),
        expect: { answers: [[200, 400]], upstream: clean(name, onPublicRoutes.includes(name) ? 1 : 0) },
        why: 'an upstream trusts the name on every route',
      },
    ]),
    {
      id: 22,
      name: `Connection: close, ${name}`,
      send: request('GET /orders/1 HTTP/1.1', [HOST, READER, `Connection: close, ${name}`]),
      expect: { answers: [[200, 400]], upstream: clean(name, 1) },
      why: 'the caller can not have our header removed at the next hop',
    },
    {
      id: 33,
      name: `${name} as a trailer`,
      send: request(
        'POST /orders/1 HTTP/1.1',
        [HOST, READER, 'Transfer-Encoding: chunked', `Trailer: ${name}`],
        `5\r\nhello\r\n0\r\n${name}: ${SPOOF}\r\n\r\n`,
      ),
      expect: { answers: [[200, 400, 502]], upstream: clean(name, 1) },
      why: 'a trailer may be merged into the headers',
    },
  ])
}
