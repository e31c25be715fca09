/** What to do with a request: from its raw head to a plan, by way of the canonical request and the pipeline. No bytes are moved here. */
import type { Clock, Entropy } from '../../core/clock.ts'
import type { Code } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { Admitted, Pipeline } from '../../core/pipeline.ts'
import { actionOf } from './actions.ts'
import type { AssertionSigner } from './assertion.ts'
import { canonical, harmless, type CanonicalRequest, type Refusal } from '../../http/canonical.ts'
import { splitCookies } from '../../http/cookies.ts'
import { corsFields, isPreflight, preflight } from './cors.ts'
import { presented } from '../../http/credential.ts'
import { deny, isNavigation } from './deny.ts'
import { problem } from '../../http/problem.ts'
import type { Answer, Fields, Failure, Forward, Gate, OwnRequest, Plan, RawRequest, UpgradeProtocol } from '../../http/engine.ts'
import { callerOf, type Caller, type TrustedProxies } from '../../http/forwarded.ts'
import { identityFields, responseFields, upstreamFields } from './headers.ts'
import type { SecurityEvents } from './events.ts'
import type { ProviderLogout } from './logout.ts'
import { isCrossSite } from './origin.ts'
import { justificationOf } from '../../http/justification.ts'
import { askedWhole, maskerOf } from '../../http/mask.ts'
import { provable } from './stepup.ts'
import { settingsFor, type Directory, type ServedResource, type Settings } from './resources.ts'
import type { HttpLimits } from '../../http/schema.ts'
import { originOf, OWN_PATH, ownPath, signInAnswer, type BrowserSignIn, type SignInContext } from './signin.ts'
import { answerToken, TOKEN_PATH, TOKEN_REQUEST_BYTES, tokenMetadata } from './tokenendpoint.ts'
import { tracer, type Trace } from '../../http/trace.ts'

export interface GateParts {
  readonly pipeline: Pipeline
  readonly signIn: BrowserSignIn | undefined
  readonly logout: ProviderLogout | undefined
  readonly events: SecurityEvents | undefined
  /** Whether a client certificate by itself can prove who somebody is. */
  readonly certificates: boolean
  readonly assertions: AssertionSigner
  /** Key of hashes in masked fields. */
  readonly maskKey: Uint8Array
  readonly clock: Clock
  readonly entropy: Entropy
  readonly newId: () => string
  readonly meter: Meter
  readonly trusted: TrustedProxies
  readonly limits: HttpLimits
  /** The resources in force now. */
  readonly directory: () => Directory
  /** Name of the door in records. */
  readonly name: string
  /** Paths that the door's owner answers itself, whatever the host, before any resource is looked for: health, mostly. */
  readonly local?: ((path: string, query: string, secure: boolean) => Answer | Promise<Answer> | undefined) | undefined
}

/** Everything about one request that the later steps want. */
interface Arrival {
  readonly request: CanonicalRequest
  readonly resource: ServedResource
  readonly caller: Caller
  readonly context: SignInContext | undefined
  readonly cookie: string | undefined
  readonly settings: Settings
  readonly trace: Trace
  readonly session: boolean
  /** Fields that whatever answer carries: a cookie to forget. */
  readonly fields: Fields
}

const UPGRADES: ReadonlySet<UpgradeProtocol> = new Set(['websocket'])
const NEVER_OURS = (): boolean => false

export function createGate(parts: GateParts): Gate {
  const { pipeline, signIn, assertions, clock, entropy, newId, meter, trusted, limits } = parts
  const ownsCookie = signIn === undefined ? NEVER_OURS : (name: string) => signIn.ownsCookie(name)
  const traceOf = tracer(entropy)
  const assertionParts = { signer: assertions, clock, newId }

  function admit(raw: RawRequest): Plan | Promise<Plan> {
    const read = canonical(raw, limits)
    if (!read.ok) return refuse(raw, read)
    const { request } = read
    if (parts.local !== undefined && (request.method === 'GET' || request.method === 'HEAD')) {
      const answer = parts.local(request.path, request.query.slice(1), raw.secure)
      if (answer !== undefined) return answer
    }
    const resource = parts.directory().find(request.authority, raw)
    if (resource === undefined) return turnedAway('http/unknown-host')
    if (raw.serverName !== undefined && raw.serverName.toLowerCase() !== request.authority.host) return turnedAway('http/server-name')

    const caller = callerOf(raw.peer, raw.secure, request, trusted)
    const { rest, own } = splitCookies(request.cookie, ownsCookie)
    const issuer = resource.config.signIn
    const context: SignInContext | undefined =
      issuer === undefined
        ? undefined
        : {
            issuer,
            resource: resource.name,
            origin: originOf(resource, request, caller),
            secure: caller.secure,
            cookies: own,
            ip: caller.ip,
          }
    const { assertion } = resource.config
    if (request.path === TOKEN_PATH && assertion !== false && assertion.issue && request.method === 'POST' && request.upgrade === undefined)
      return tokens(raw, request, resource, caller)
    if (request.path === OWN_PATH || request.path.startsWith(`${OWN_PATH}/`))
      return ownPath(request, resource, context, {
        signIn,
        logout: parts.logout,
        events: parts.events,
        ip: caller.ip,
        jwks: () => assertions.jwks(),
        metadata: () => tokenMetadata(originOf(resource, request, caller), assertions.issuer),
      })
    if (resource.config.cors !== undefined && isPreflight(request)) return preflight(resource.config.cors, request.read.origin)

    const sessionCookie = issuer === undefined && parts.local === undefined ? undefined : signIn?.sessionCookie(caller.secure)
    const { credential, clearSession } = presented(request, () => originOf(resource, request, caller) + request.path, own, sessionCookie)
    const certificate = raw.certificate?.()
    // A certificate is a credential where it comes alone and somebody can tell whose it is; beside another it is what that may be bound to.
    const byItself =
      credential === undefined && certificate !== undefined && parts.certificates
        ? { kind: 'certificate' as const, certificate }
        : credential
    const settings = settingsFor(resource, request.method, request.path)
    const trace = traceOf(request.traceparent, request.tracestate)
    const arrival: Arrival = {
      request,
      resource,
      caller,
      context,
      cookie: rest,
      settings,
      trace,
      session: credential?.kind === 'session',
      fields: clearSession ? forget(caller) : [],
    }
    const passage = pipeline.admit({
      door: parts.name,
      resource: resource.name,
      action: actionOf(request),
      credential: byItself,
      certificate,
      // Beside another credential, a certificate says by way of whom it came.
      peer: credential === undefined || certificate === undefined || !parts.certificates ? undefined : { kind: 'certificate', certificate },
      justification: justificationOf(request.read['ostiary-justification']),
      maxTokenLifetime: resource.config.maxTokenLifetime,
      ip: caller.ip,
      trace: trace.id,
      recordMode: settings.record,
    })
    return passage instanceof Promise ? passage.then((admitted) => safely(admitted, arrival)) : safely(passage, arrival)
  }

  /** Nothing of a cookie counts here: a page of another site could send it. */
  function tokens(raw: RawRequest, request: CanonicalRequest, resource: ServedResource, caller: Caller): OwnRequest {
    const origin = originOf(resource, request, caller)
    const { credential } = presented(request, () => origin + request.path, [], undefined)
    const asked = {
      request,
      resource,
      presented: credential,
      certificate: raw.certificate?.(),
      origin,
      ip: caller.ip,
      trace: traceOf(request.traceparent, request.tracestate).id,
    }
    return {
      kind: 'own',
      limit: TOKEN_REQUEST_BYTES,
      expectsContinue: request.expectsContinue,
      answer: (body) => answerToken(body, asked, { ...assertionParts, pipeline, name: parts.name }),
    }
  }

  /** A fault after the decision ends the exchange that it may have opened. */
  function safely(passage: Admitted, arrival: Arrival): Plan | Promise<Plan> {
    try {
      return decided(passage, arrival)
    } catch {
      return withdrawn(passage, arrival, 'http/unavailable')
    }
  }

  function forget(caller: Caller): Fields {
    return signIn === undefined ? [] : ['Set-Cookie', signIn.forget(caller.secure)]
  }

  function decided(passage: Admitted, arrival: Arrival): Plan | Promise<Plan> {
    const { verdict } = passage
    meter.count('http_requests', { verdict: verdict.kind })
    if (verdict.kind === 'allowed') return allowed(passage, arrival)
    const { request, resource, context, caller } = arrival
    const navigation = isNavigation(request)
    const mayRetry =
      verdict.kind === 'unauthenticated' || (verdict.kind === 'rejected' && arrival.session && verdict.reason !== 'ambiguous')
    const fields = verdict.kind === 'rejected' && arrival.session ? forget(caller) : arrival.fields
    // Whoever came by this sign-in can be asked for more in the same way.
    const prove =
      verdict.kind === 'denied' &&
      verdict.decision.effect === 'challenge' &&
      arrival.session &&
      passage.principal.issuer === context?.issuer
        ? provable(verdict.decision.requirements, passage.principal)
        : undefined
    if (navigation && request.method === 'GET' && (mayRetry || prove !== undefined) && signIn !== undefined && context !== undefined) {
      const id = ['Ostiary-Decision', passage.id]
      const withFields = (answer: Answer): Answer => ({ ...answer, fields: [...answer.fields, ...fields, ...id] })
      return signIn.begin({ ...context, returnTo: request.path + request.query, prove }).then(
        (answer) => withFields(signInAnswer(answer)),
        () => withFields(signInAnswer({ kind: 'unavailable' })),
      )
    }
    return deny(verdict, {
      decision: passage.id,
      realm: resource.name,
      authorizationUri: resource.config.authorizationUri,
      html: navigation,
      principal: passage.principal,
      fields: [...fields, ...(resource.config.cors === undefined ? [] : corsFields(resource.config.cors, request.read.origin))],
    })
  }

  function allowed(passage: Admitted, arrival: Arrival): Plan | Promise<Plan> {
    const { request, resource, settings, caller } = arrival
    const obligations = passage.decision?.obligations ?? []
    // What comes over a WebSocket is nothing that could be masked.
    if (request.upgrade !== undefined && obligations.some(({ kind }) => kind === 'mask'))
      return withdrawn(passage, arrival, 'http/unmaskable')
    if (request.upgrade !== undefined && resource.websocketOrigins === undefined) return withdrawn(passage, arrival, 'http/upgrade')
    if (isCrossSite(request, resource, originOf(resource, request, caller), arrival.session))
      return withdrawn(passage, arrival, 'http/cross-site')
    if (typeof request.body === 'number' && settings.bodyLimit > 0 && request.body > settings.bodyLimit)
      return withdrawn(passage, arrival, 'http/body-too-large')
    try {
      const identity = identityFields(passage, request, resource, settings, caller, assertionParts)
      if (!(identity instanceof Promise)) return forward(passage, arrival, identity)
      return identity.then(
        (fields) => forward(passage, arrival, fields),
        () => withdrawn(passage, arrival, 'http/unavailable'),
      )
    } catch {
      return withdrawn(passage, arrival, 'http/unavailable')
    }
  }

  /** The policy allows it and the door still doesn't carry it out: the record says both. */
  function withdrawn(passage: Admitted, arrival: Arrival, code: Code): Answer {
    meter.count('http_refused', { code })
    const answer = instead(passage, arrival, code)
    passage.completed({ result: 'refused', status: answer.status, bytesIn: 0, bytesOut: 0, duration: clock.now() - passage.time })
    return answer
  }

  function instead(passage: Admitted, { request, resource, fields }: Arrival, code: Code): Answer {
    const { cors } = resource.config
    const more = [...fields, ...(cors === undefined ? [] : corsFields(cors, request.read.origin))]
    if (new Set<Code>(['http/unavailable', 'http/upstream-busy']).has(code)) more.push('Retry-After', '2')
    return problem(code, { decision: passage.id, html: isNavigation(request), fields: more })
  }

  function forward(passage: Admitted, arrival: Arrival, identity: Fields): Forward {
    const { request, resource, settings, caller, trace } = arrival
    const masked = passage.decision?.obligations.find((one) => one.kind === 'mask')
    const mask = masked === undefined ? undefined : { masker: maskerOf(masked.fields, parts.maskKey), limit: limits.maskedBody }
    const fields = upstreamFields(request, arrival.cookie, settings, identity, passage.id, caller, trace)
    return {
      kind: 'forward',
      passage,
      target: resource.target,
      upgrade: request.upgrade,
      bodyLimit: settings.bodyLimit,
      maxDuration: limits.maxDuration,
      mask,
      request: {
        method: request.method,
        target: request.path + request.query,
        host: resource.upstreamHost ?? request.host,
        fields: mask === undefined ? fields : askedWhole(fields),
        body: request.body,
        expectsContinue: request.expectsContinue,
        announcesTrailers: request.announcesTrailers,
        acceptsTrailers: request.acceptsTrailers,
      },
      respond: (_status, fields) => responseFields(fields, resource, request, passage.id, ownsCookie, arrival.fields),
      failure: (failure: Failure) => {
        meter.count('http_failures', { failure })
        return instead(passage, arrival, failure === 'upstream-refused' ? 'http/upstream-failed' : `http/${failure}`)
      },
    }
  }

  function turnedAway(code: Code): Answer {
    meter.count('http_refused', { code })
    return problem(code, {})
  }

  /** A request without canonical form. Where it names a resource, its refusal is recorded. */
  function refuse(raw: RawRequest, { code, authority }: Refusal): Answer | Promise<Answer> {
    meter.count('http_refused', { code })
    const resource = authority === undefined ? undefined : parts.directory().find(authority, raw)
    // Where a message ends may be what is wrong with it: nothing after it on the connection is read.
    const close = (answer: Answer): Answer => ({ ...answer, close: true })
    if (resource === undefined) return close(problem(code, {}))
    const passage = pipeline.admit({
      door: parts.name,
      resource: resource.name,
      action: { protocol: 'http', ...harmless(raw) },
      credential: undefined,
      malformed: code,
      ip: callerOf(raw.peer, raw.secure, undefined, trusted).ip,
      trace: undefined,
      recordMode: resource.settings.record,
    })
    const answer = ({ id }: Admitted): Answer => close(problem(code, { decision: id }))
    return passage instanceof Promise ? passage.then(answer) : answer(passage)
  }

  return {
    upgrades: UPGRADES,
    admit(raw) {
      try {
        const plan = admit(raw)
        return plan instanceof Promise ? plan.catch(() => turnedAway('http/unavailable')) : plan
      } catch {
        return turnedAway('http/unavailable')
      }
    },
    unreadable: turnedAway,
  }
}
