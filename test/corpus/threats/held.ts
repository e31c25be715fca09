/** Which tests hold the attacks of the threat table on login, cookies and sessions (c.4), tokens (c.5) and Microsoft Entra ID (c.6). */

/** A test by its file and the beginning of its title, or all rows of a corpus that carry the attack's number. */
export type Holder = readonly [file: string, title: string] | 'tokens' | 'http'

export interface Threat {
  /** Section and row of the table. */
  readonly row: `c.${4 | 5 | 6}.${number}`
  readonly attack: string
  readonly heldBy: readonly Holder[]
}

const session = (file: string, title: string): Holder => [`src/identity/session/${file}.test.ts`, title]
const door = (file: string, title: string): Holder => [`src/doors/http/${file}.test.ts`, title]
const entra = (file: string, title: string): Holder => [`src/identity/entra/${file}.test.ts`, title]
const here = (file: string, row: string): Holder => [`test/corpus/threats/${file}.test.ts`, row]
const keys = (title: string): Holder => ['src/identity/keys/source.test.ts', title]
const logout = (title: string): Holder => ['src/identity/logout/logout.test.ts', title]
const known = (title: string): Holder => ['src/identity/tokens.test.ts', title]

const login: readonly Threat[] = [
  { row: 'c.4.53', attack: 'open redirect', heldBy: [session('returnto', 'is the front page in place of anything hostile')] },
  {
    row: 'c.4.54',
    attack: 'login CSRF and forced callback',
    heldBy: [session('callback', 'a callback is refused, and its code is not redeemed'), 'http'],
  },
  {
    row: 'c.4.55',
    attack: 'code injection and PKCE downgrade',
    heldBy: [here('login', 'c.4.55'), session('signin', 'asks for a code with PKCE, state and nonce')],
  },
  {
    row: 'c.4.56',
    attack: 'mix-up of providers',
    heldBy: [
      here('login', 'c.4.56 the answer of ${one} at the callback of ${other}'),
      here('login', 'c.4.56 a code of the honest provider'),
      ['test/e2e/mixup.test.ts', 'an answer at the callback of another issuer'],
      'http',
      session('lasting', 'where a provider names itself in its answers (RFC 9207)'),
    ],
  },
  { row: 'c.4.57', attack: 'nonce missing or replayed', heldBy: [here('login', 'c.4.57'), session('provider', 'gives no session if it')] },
  {
    row: 'c.4.58',
    attack: 'session fixation',
    heldBy: [
      session('signin', 'gives a new session, and ends the one that the browser came with'),
      session('signin', 'takes over no handle that somebody planted'),
      session('stepup', 'the sign-in counts if it is proven, and takes the place of the session before'),
    ],
  },
  {
    row: 'c.4.59',
    attack: 'cookies tossed from a neighbour, or twice',
    heldBy: [
      'http',
      door('signin', 'the cookie twice counts for nothing and is forgotten'),
      session('signin', 'sets no cookie that script, another site or another host could use'),
    ],
  },
  {
    row: 'c.4.60',
    attack: 'what is sealed, changed bit by bit',
    heldBy: [session('lasting', 'are refused when a single bit of what is sealed was changed')],
  },
  { row: 'c.4.61', attack: 'a token in place of a session', heldBy: [here('login', 'c.4.61')] },
  {
    row: 'c.4.62',
    attack: 'signing out leaves the session alive',
    heldBy: [
      session('signin', 'ends when it is signed out, at once and for whatever has it open'),
      session('interleaving', 'in whatever order the store answers, nothing outlives a sign-out'),
    ],
  },
  { row: 'c.4.63', attack: 'logout CSRF', heldBy: [door('signin', 'signing out needs a click on a page of this origin')] },
  {
    row: 'c.4.64',
    attack: 'forged back-channel logout',
    heldBy: [
      logout('with ${name} is refused, and ends nothing'),
      logout('is taken once'),
      logout('an ID token of a sign-in is none'),
      logout('of a session that nothing here began with ends all of its subject'),
      logout('that is bad costs its source what it may cost, and no key is fetched for it time and again'),
    ],
  },
  {
    row: 'c.4.65',
    attack: 'CSRF by the ambient cookie',
    heldBy: [door('signin', 'another site cannot use the session to change something')],
  },
  { row: 'c.4.66', attack: 'WebSocket of another site', heldBy: [door('upgrade', 'is not opened by a page of another site')] },
  { row: 'c.4.67', attack: 'a script is sent to sign in', heldBy: ['http', door('signin', 'a script, a POST and a HEAD get 401')] },
  {
    row: 'c.4.68',
    attack: 'addresses made to look like another',
    heldBy: [entra('entra', 'an address or a name never becomes the key of anybody')],
  },
  {
    row: 'c.4.69',
    attack: 'a flood of sign-ins',
    heldBy: [here('login', 'c.4.69'), session('lasting', 'a store that is full turns away new sessions')],
  },
]

const tokens: readonly Threat[] = [
  { row: 'c.5.71', attack: 'no algorithm', heldBy: ['tokens'] },
  { row: 'c.5.72', attack: 'a public key as a shared secret', heldBy: ['tokens'] },
  { row: 'c.5.73', attack: 'keys that the token brings', heldBy: ['tokens'] },
  { row: 'c.5.74', attack: 'key ids that are paths, or huge', heldBy: ['tokens'] },
  { row: 'c.5.75', attack: 'extensions that nobody understands', heldBy: ['tokens'] },
  {
    row: 'c.5.76',
    attack: 'signatures of zeros',
    heldBy: ['tokens', ['test/corpus/wycheproof/wycheproof.test.ts', '${file}: nothing invalid is accepted']],
  },
  { row: 'c.5.77', attack: 'encrypted and compressed bombs', heldBy: ['tokens'] },
  {
    row: 'c.5.78',
    attack: 'too large, too deep',
    heldBy: ['tokens', ['src/identity/jose/json.test.ts', 'JSON is read to a depth and no further']],
  },
  {
    row: 'c.5.79',
    attack: 'payloads that are no object, and names twice',
    heldBy: ['tokens', ['src/identity/jose/json.test.ts', 'a name that is there twice is found wherever it is']],
  },
  {
    row: 'c.5.80',
    attack: 'empty keys',
    heldBy: [['src/identity/jose/jwk.test.ts', 'a key set with ${name} is refused whole'], here('keys', 'c.5.80')],
  },
  {
    row: 'c.5.81',
    attack: "another token's claims from a cache, or past its end",
    heldBy: [
      ['src/identity/cache.test.ts', 'it answers as a plain map would, or not at all'],
      known('a token that differs from a known one only before its last characters is judged for itself'),
      known('a known token ends with its exp and the skew, not later'),
      known('what a key signed ends when the key leaves, known or only held on to'),
    ],
  },
  { row: 'c.5.82', attack: 'regular expressions that remember', heldBy: [here('keys', 'c.5.82')] },
  {
    row: 'c.5.83',
    attack: 'key sets with two of one id, or private keys',
    heldBy: [
      ['src/identity/jose/jwk.test.ts', 'a key set with ${name} is refused whole'],
      ['test/corpus/wycheproof/wycheproof.test.ts', '${file}: nothing invalid is accepted'],
    ],
  },
  { row: 'c.5.84', attack: 'other serialisations, padding', heldBy: ['tokens'] },
  {
    row: 'c.5.85',
    attack: 'a flood of unknown key ids',
    heldBy: [here('keys', 'c.5.85'), keys('ten thousand unknown key ids cause one request in thirty seconds')],
  },
  { row: 'c.5.86', attack: 'nonsense in place of good keys', heldBy: [keys('good keys stay when the provider serves ${name}')] },
  { row: 'c.5.87', attack: 'audiences', heldBy: ['tokens'] },
  { row: 'c.5.88', attack: 'issuers that differ by a character', heldBy: ['tokens'] },
  {
    row: 'c.5.89',
    attack: 'ID tokens as access tokens and the other way round',
    heldBy: ['tokens', logout('an ID token of a sign-in is none')],
  },
  { row: 'c.5.90', attack: 'times of every kind', heldBy: ['tokens'] },
  { row: 'c.5.91', attack: 'a token in the query', heldBy: ['http'] },
  { row: 'c.5.92', attack: 'several credentials', heldBy: ['http', door('door', 'two credentials: 400, invalid_request')] },
]

const microsoft: readonly Threat[] = [
  { row: 'c.6.93', attack: 'v1 and v2 mixed up', heldBy: ['tokens'] },
  { row: 'c.6.94', attack: "another tenant's tokens", heldBy: ['tokens'] },
  { row: 'c.6.95', attack: 'a tenant that is judged at sign-in only', heldBy: [here('login', 'c.6.95')] },
  { row: 'c.6.96', attack: 'addresses that an attacker chose', heldBy: ['tokens'] },
  {
    row: 'c.6.97',
    attack: 'an overage read as no groups',
    heldBy: [
      'tokens',
      entra('callers', 'groups after an overage are unknown, never none'),
      entra('graph/graph', 'when Graph does not say, groups are unknown, and the reason is told'),
    ],
  },
  {
    row: 'c.6.98',
    attack: 'an address in the token that is asked',
    heldBy: ['tokens', entra('callers', 'nobody asks the address that an overage names')],
  },
  { row: 'c.6.99', attack: 'an app taken for a person', heldBy: ['tokens'] },
  { row: 'c.6.100', attack: 'guests and consumers', heldBy: ['tokens', entra('callers', 'guests are told by acct')] },
  { row: 'c.6.101', attack: 'roles that hide an overage', heldBy: ['tokens'] },
  {
    row: 'c.6.102',
    attack: 'revocation while a token lasts a day',
    heldBy: [
      ['test/e2e/msal.test.ts', 'takes the claims of a step-up challenge to the provider'],
      door('stepup', 'a client of Entra ID that declares cp1 gets the claims that it has to ask for'),
    ],
  },
]

export const threats: readonly Threat[] = [...login, ...tokens, ...microsoft]

/** There is nothing here yet that they could attack: session ids of the Model Context Protocol. */
export const notYet: readonly number[] = [70]
