import type { Action } from '../core/action.ts'
import type { DecisionContext, Grant } from '../core/decision.ts'
import type { ClaimValue, Identity } from '../core/principal.ts'
import type { DecisionRecord, PrincipalRecord, WhoInFull } from './schema.ts'

/** What a decision was made on, as the record has it: enough to make it again. */
export interface DecisionInputs {
  /** Undefined for anonymous, and where the credential was refused. */
  readonly identity: Identity | undefined
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
  readonly policyVersion: string
  /** False if something was cut when it was recorded: what is computed from it may come out differently. */
  readonly exact: boolean
}

/** Rebuilds the inputs of a recorded decision. `principal` is the record that it refers to. */
export function decisionInputs(decision: DecisionRecord, principal: PrincipalRecord | undefined): DecisionInputs {
  const { action, resource, ip, policy } = decision
  return {
    identity: principal === undefined ? undefined : identityOf(principal.principal),
    action: canonical(action),
    resource,
    context: {
      time: Date.parse(decision.time),
      ip,
      ...(decision.justification === undefined ? {} : { justification: decision.justification }),
      grants: grantsOf(principal?.principal),
    },
    policyVersion: policy,
    exact:
      decision.truncated !== true &&
      // Of a peer, the record has not all that it was bound by.
      decision.peer === undefined &&
      principal?.truncated !== true &&
      (principal !== undefined || decision.principal.kind === 'anonymous'),
  }
}

/** The fields of an action, without what a later version wrote of it besides. */
function canonical(action: DecisionRecord['action']): Action {
  switch (action.protocol) {
    case 'http': {
      const { protocol, method, path } = action
      return { protocol, method, path }
    }
    case 'kubernetes': {
      const { protocol, verb, group, resource, subresource, namespace, name, path } = action
      return { protocol, verb, group, resource, subresource, namespace, name, path }
    }
    case 'sql': {
      const { protocol, class: statement, schema, object, column } = action
      return { protocol, class: statement, schema, object, column }
    }
    case 'ssh': {
      const { protocol, operation, login, access, command, target } = action
      return { protocol, operation, login, access, command, target }
    }
    case 'container': {
      const { protocol, operation, repository, version, name, options } = action
      return { protocol, operation, repository, version, name, options }
    }
    case 'mcp': {
      const { protocol, method, name, argumentsJson } = action
      return { protocol, method, name, ...(argumentsJson === undefined ? {} : { arguments: parsedObject(argumentsJson) }) }
    }
    case 'llm': {
      const { protocol, operation, model, tokens } = action
      return { protocol, operation, model, ...(tokens === undefined ? {} : { tokens }) }
    }
  }
}

/** The object that a text says in JSON; undefined for one that was cut. */
function parsedObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function identityOf(who: WhoInFull): Identity | undefined {
  const { evidence, kind } = who
  if (kind === 'anonymous' || evidence === undefined) return undefined
  const claims: Record<string, ClaimValue> = Object.create(null)
  for (const [name, value] of Object.entries(who.claims)) if (value !== null) claims[name] = value
  return {
    issuer: who.issuer,
    subject: who.subject,
    kind,
    claims,
    unknownClaims: new Set(who.unknownClaims),
    ...(who.unknownBecause === undefined ? {} : { unknownBecause: who.unknownBecause }),
    ...namesOf(who),
    scopes: who.scopes,
    appOnly: who.appOnly === true,
    listedClient: who.listedClient === true,
    actor: who.actor === undefined ? undefined : identityOf(who.actor),
    display: who.display,
    evidence: {
      credential: evidence.credential,
      issuerUrl: evidence.issuerUrl,
      audience: evidence.audience,
      client: evidence.client,
      tokenId: evidence.tokenId,
      keyId: evidence.keyId,
      algorithm: evidence.algorithm,
      issuedAt: evidence.issuedAt ?? undefined,
      expiresAt: evidence.expiresAt ?? 0,
      sessionId: evidence.sessionId,
      ...(evidence.confirmation === undefined ? {} : { confirmation: evidence.confirmation }),
    },
  }
}

/** What made eligible roles active, of all parties. Where the record names none, none was. */
function grantsOf(who: WhoInFull | undefined): readonly Grant[] {
  const grants: Grant[] = []
  for (let party = who; party !== undefined; party = party.actor)
    for (const { role, from, until } of party.activated ?? [])
      grants.push({ issuer: party.issuer, subject: party.subject, role, from, until })
  return grants
}

/** Names of the values that gave roles: those alone are recorded. */
function namesOf({ provenance }: WhoInFull): Pick<Identity, 'valueNames'> {
  const named = provenance.flatMap(({ value, name }) => (value === undefined || name === undefined ? [] : [[value, name] as const]))
  return named.length === 0 ? {} : { valueNames: new Map(named) }
}
