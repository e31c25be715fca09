import type { CatalogueEntry } from '../errors.ts'

export const http = {
  // What is refused before anything is decided: the message is ambiguous, malformed or larger than a limit.
  'http/malformed': {
    message: 'the message is not well-formed HTTP',
    help: 'send a request that RFC 9112 or RFC 9113 allows',
    status: 400,
  },
  'http/version': { message: 'this version of HTTP is not spoken here', help: 'speak HTTP/1.1, or HTTP/2 over TLS', status: 505 },
  'http/method': {
    message: 'the method is not supported here',
    help: 'CONNECT and TRACE are never forwarded; send another method',
    status: 501,
  },
  'http/target-form': {
    message: 'the request target has a form that is not accepted',
    help: 'send a path that starts with `/`, an absolute http or https URL of this connection, or `*` with OPTIONS',
    status: 400,
  },
  'http/fragment': { message: 'the request target holds a `#`', help: 'leave the fragment out, or encode it as `%23`', status: 400 },
  'http/path-empty-segment': { message: 'the path holds an empty segment', help: 'write one `/` instead of several', status: 400 },
  'http/path-dots': { message: 'the path holds a dot segment', help: 'send the path without `.` and `..` segments', status: 400 },
  'http/path-separator': {
    message: 'the path holds an encoded separator',
    help: 'send the path without `%2F`, `%5C` and `%3B`',
    status: 400,
  },
  'http/path-unreserved': {
    message: 'the path encodes a character that needs no encoding',
    help: 'write letters, digits, `-`, `.`, `_` and `~` as they are',
    status: 400,
  },
  'http/path-encoding': {
    message: 'the path is not well-formed percent-encoded UTF-8',
    help: 'encode each byte once as `%` and two hexadecimal digits; control characters are not accepted',
    status: 400,
  },
  'http/path-character': {
    message: 'the path holds a character that is not accepted',
    help: 'encode it; path parameters (`;`) and backslashes are not accepted',
    status: 400,
  },
  'http/query': {
    message: 'the query holds a character that is not accepted',
    help: 'encode it as `%` and two hexadecimal digits',
    status: 400,
  },
  'http/host-missing': { message: 'the request names no host', help: 'send one `Host` field', status: 400 },
  'http/host-duplicate': { message: 'the request names its host more than once', help: 'send one `Host` field', status: 400 },
  'http/host-invalid': {
    message: 'the host is not well-formed',
    help: 'send a host name in ASCII (punycode) with an optional port',
    status: 400,
  },
  'http/host-mismatch': {
    message: 'the request names two different hosts',
    help: 'let request target, `:authority` and `Host` name the same host',
    status: 400,
  },
  'http/field-name': { message: 'a field name is not well-formed', help: 'use the characters of RFC 9110 §5.6.2', status: 400 },
  'http/field-underscore': {
    message: 'a field name holds an underscore',
    help: 'use `-`: servers behind the gateway take `_` and `-` for the same',
    status: 400,
  },
  'http/field-value': {
    message: 'a field value is not well-formed',
    help: 'send visible ASCII or UTF-8 without control characters',
    status: 400,
  },
  'http/field-duplicate': { message: 'a field that may occur once occurs twice', help: 'send it once', status: 400 },
  'http/framing': {
    message: 'the length of the body is ambiguous',
    help: 'send either one `Content-Length` of digits, or `Transfer-Encoding: chunked` with HTTP/1.1',
    status: 400,
  },
  'http/expectation': { message: 'the expectation is not supported', help: 'only `100-continue` is', status: 417 },
  'http/upgrade': {
    message: 'the connection can not be upgraded as asked',
    help: 'send a WebSocket handshake of RFC 6455 or RFC 8441 to a resource that has `websocket:`',
    status: 400,
  },
  'http/url-too-long': { message: 'the request target is too long', help: 'shorten it, or raise `doors.http.limits.url`', status: 414 },
  'http/fields-too-large': {
    message: 'the request has too many or too large fields',
    help: 'send fewer, or raise `doors.http.limits.fields` or `fieldCount`',
    status: 431,
  },
  'http/body-too-large': { message: 'the body is too large', help: 'send less, or raise `doors.http.limits.body`', status: 413 },
  'http/request-timeout': { message: 'the request took too long to arrive', help: 'send it faster', status: 408 },
  'http/unknown-host': {
    message: 'nothing is served under this host',
    help: 'name it in `hosts:` of a resource',
    status: 421,
  },
  'http/server-name': {
    message: 'the host differs from the name of the TLS connection',
    help: 'open a connection for this host',
    status: 421,
  },
  // How a decision is told.
  'http/no-credential': { message: 'sign in to do this', help: 'send a bearer token of an accepted issuer', status: 401 },
  'http/rejected': { message: 'the credential was not accepted', help: 'get a new one and try again', status: 401 },
  'http/ambiguous-credential': {
    message: 'the request carries more than one credential',
    help: 'send one bearer token, or the session cookie, but not both',
    status: 400,
  },
  'http/denied': { message: 'you may not do this', help: 'ask the owner of the resource, with the decision id', status: 403 },
  'http/step-up': {
    message: 'this needs a stronger sign-in',
    help: 'sign in again with what the challenge in `WWW-Authenticate` asks for',
    status: 401,
  },
  'http/challenge': {
    message: 'this needs a stronger sign-in, which can not be asked for here',
    help: 'declare `cp1` if your client can follow a claims challenge, or use a credential that proves it; `explain` says what is missing',
    status: 403,
  },
  'http/needs-approval': {
    message: 'this needs an approval',
    help: 'this version has no approvals; ask the owner of the resource, with the decision id',
    status: 403,
  },
  'http/justification': {
    message: 'this needs a justification',
    help: 'send `Ostiary-Justification: <what it is for>`; other characters than visible ASCII are percent-encoded UTF-8',
    status: 403,
  },
  'http/limited': { message: 'this was done too often', help: 'try again after the seconds of `Retry-After`', status: 429 },
  'http/unmaskable': {
    message: 'the answer holds something to be masked, and could not be',
    help: 'only JSON in UTF-8 can be masked, whole and up to `limits.maskedBody`; ask the owner of the resource, with the decision id',
    status: 502,
  },
  'http/masked-elsewhere': {
    message: 'the answer has to be masked, which is not done here',
    help: 'the Envoy in front of this asks the gateway, and answers by itself; go by way of the gateway’s own door, which masks',
    status: 403,
  },
  'http/unavailable': { message: 'this can not be decided now', help: 'try again in a moment', status: 503 },
  'http/cross-site': {
    message: 'the request comes from another site',
    help: 'send it from a page of this origin, with a bearer token, or name the origin in `cors:` or `websocket:`',
    status: 403,
  },
  'http/access-ended': { message: 'access ended while the request was under way', help: 'sign in again', status: 403 },
  'http/not-found': { message: 'there is nothing here', help: 'paths under `/.ostiary/` belong to the gateway', status: 404 },
  'http/method-not-allowed': { message: 'the method is not allowed here', help: 'see the `Allow` field', status: 405 },
  'http/callback': {
    message: 'no sign-in comes back to this address',
    help: 'each issuer has its own, `/.ostiary/callback/<name of the issuer>`: register that; `ostiary doctor issuer` prints it in full',
    status: 404,
  },
  'http/sign-in-failed': { message: 'the sign-in did not succeed', help: 'start it again', status: 403 },
  // What happens behind the gateway.
  'http/upstream-failed': { message: 'the server behind the gateway did not answer', help: 'try again later', status: 502 },
  'http/upstream-timeout': { message: 'the server behind the gateway took too long', help: 'try again later', status: 504 },
  'http/upstream-busy': { message: 'too many requests wait for the server behind the gateway', help: 'try again in a moment', status: 503 },
  // Configuration.
  'http/host-taken': {
    message: 'the host `{host}` belongs to the resources `{first}` and `{second}`',
    help: 'name a host in one resource only',
    exit: 65,
  },
  'http/certificate': {
    message: '`{file}` can not be used for TLS ({cause})',
    help: 'name a PEM file with a certificate chain or a key that this user may read',
    exit: 66,
  },
  'http/listen': {
    message: 'can not listen on {address} ({cause})',
    help: 'stop what is using it, or choose another address in `doors.http.listen`',
    exit: 69,
  },
} as const satisfies Record<string, CatalogueEntry>
