import type { IssuerBase } from '../../config/schema.ts'
import { declaredClaims } from '../claims.ts'
import type { Issuer, IssuerDeps, IssuerKind, TokenResult } from '../issuer.ts'
import { refused } from '../jose/refusal.ts'
import { withoutSignIn } from '../nosignin.ts'
import type { Taken } from '../taken.ts'
import { Endpoint, type EndpointAnswer } from './endpoint.ts'
import { isOpaque } from './form.ts'
import { answersOf, introspectionClaims, judgeAnswer, type AnswerJudge } from './judge.ts'
import { introspectionSchema, type IntrospectionConfig } from './schema.ts'

/** Opaque tokens: their provider says what each of them is, when it is asked (RFC 7662). */
export const introspection: IssuerKind = {
  schema: introspectionSchema,
  claims: introspectionClaims,
  takes: (config) => takenBy(config as IssuerBase & IntrospectionConfig),
  create: (name, config, deps) => createIntrospection(name, config as IssuerBase & IntrospectionConfig, deps),
}

/** Every token begins with nothing: an issuer without prefixes is alone with what is opaque. */
const ANY = ['']

function takenBy({ issuer, jwts, tokenPrefixes: prefixes = ANY }: IntrospectionConfig): Taken {
  return jwts ? { iss: issuer, prefixes } : { prefixes }
}

function createIntrospection(name: string, config: IntrospectionConfig, { clock, fetch, folder, log }: IssuerDeps): Issuer {
  const { issuer, endpoint: url, auth, timeout, cacheFor, jwts, tokenPrefixes = ANY } = config
  const endpoint = new Endpoint({ url, auth, fetch, clock, folder, limits: { timeout } })
  const judge: AnswerJudge = {
    name,
    issuer,
    audiences: new Set(config.audiences),
    clients: new Set(config.clients),
    agents: new Set(config.agents),
    declared: declaredClaims(introspectionClaims, config.claims),
    profile: answersOf(config.provider),
    maxLifetime: config.maxLifetime,
  }
  let failure: string | undefined
  const note = (detail: string | undefined): void => {
    if (detail === failure) return
    // Once for each kind of trouble, not once for each request in it.
    log(`issuer ${name}: ${detail === undefined ? 'tokens can be asked about again' : `tokens can not be asked about: ${detail}`}`)
    failure = detail
  }
  const judged = (answer: EndpointAnswer): TokenResult => {
    note(answer.outcome === 'unavailable' ? answer.detail : undefined)
    switch (answer.outcome) {
      case 'active':
        return refused(() => {
          const now = clock.now()
          const { identity, endsAt } = judgeAnswer(judge, answer.claims, now)
          return { outcome: 'identity', identity, expiresAt: Math.min(endsAt, now + cacheFor), renewable: true }
        })
      case 'inactive':
        return { outcome: 'rejected', reason: 'inactive' }
      case 'unavailable':
        return { outcome: 'unavailable', cause: answer.cause }
    }
  }
  return {
    name,
    kind: 'oauth2-introspection',
    ...withoutSignIn(name, url),
    discoveryUrl: '',
    owns: (iss) => jwts && iss === issuer,
    resembles: () => false,
    claimsToken: (token) => isOpaque(token, tokenPrefixes),
    verifyAccessToken: (token) => endpoint.ask(token).then(judged),
    status: () => ({ ready: true, detail: failure === undefined ? 'asked about each new token' : `can not be asked: ${failure}` }),
    onKeysLeft: () => undefined,
    close: () => undefined,
  }
}
