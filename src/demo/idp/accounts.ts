/**
 * The accounts of the demo. Each is named by what it may do, and its ids never change, so that a policy, a test and a
 * document may cite them. The ids belong to nobody: they are not those of a real tenant.
 */

/** The tenant that the demo's gateway serves. */
export const HOME_TENANT = '0571a27e-0000-4000-8000-00000000000a'
/** Another tenant: a guest's home, and an outsider's. The gateway does not serve it. */
export const PARTNER_TENANT = '0571a27e-0000-4000-8000-00000000000b'

export const TENANTS: readonly string[] = [HOME_TENANT, PARTNER_TENANT]

/** The group that may export orders. Bound in the demo's policy by its id, as Entra's `groups` claim has it. */
export const EXPORTERS_GROUP = '0571a27e-0003-4000-8000-000000000001'

/** The agent's identity (`azp` of its tokens), and the blueprint that all agents of its kind share. */
export const AGENT_IDENTITY = '0571a27e-0002-4000-8000-0000000000a1'
export const AGENT_BLUEPRINT = '0571a27e-0002-4000-8000-0000000000b1'

/** Entra's documented kinds of caller, by the shape of the token that each gets. */
export type AccountKind = 'user' | 'guest' | 'app' | 'managed-identity' | 'agent' | 'agent-for-user' | 'agent-user'

export interface Account {
  readonly name: string
  /** One line for people: what it may do with the policy of the demo. */
  readonly may: string
  readonly kind: AccountKind
  /** Tenant that issues its tokens: for a guest, the one it is a guest of. */
  readonly tenant: string
  /** Tenant that it signs in at. Differs from `tenant` for guests only. */
  readonly home: string
  /** Object id in `tenant`: of the user, or of the service principal. */
  readonly oid: string
  /** App roles, as an administrator assigned them. */
  readonly roles: readonly string[]
  /** Groups by object id; `overage` stands for more than a token can hold (over 200). */
  readonly groups: readonly string[] | 'overage'
  /** Client id of its own, for kinds that have one. */
  readonly client?: string
}

const oid = (n: number): string => `0571a27e-0001-4000-8000-${n.toString(16).padStart(12, '0')}`

function account(name: string, number: number, may: string, more: Partial<Account> = {}): Account {
  return { name, may, kind: 'user', tenant: HOME_TENANT, home: HOME_TENANT, oid: oid(number), roles: [], groups: [], ...more }
}

export const READER: Account = account('reader', 1, 'reads orders', { roles: ['Orders.Read'] })

/** Client ids of the callers that have no person behind them. */
export const CI_CLIENT = '0571a27e-0002-4000-8000-0000000000c1'
export const MANAGED_IDENTITY_CLIENT = '0571a27e-0002-4000-8000-0000000000d1'

const list: readonly Account[] = [
  READER,
  account('publisher', 2, 'reads, creates and exports orders', { roles: ['Orders.Read', 'Orders.Write'], groups: [EXPORTERS_GROUP] }),
  account('admin', 3, 'does everything with orders, and administers the gateway', {
    roles: ['Orders.Read', 'Orders.Write', 'Gateway.Admin'],
  }),
  account('auditor', 4, 'reads the record of every decision, and no orders', { roles: ['Gateway.Audit'] }),
  account('guest', 5, 'reads orders as a guest from another tenant', { kind: 'guest', home: PARTNER_TENANT, roles: ['Orders.Read'] }),
  account('overage', 6, 'reads orders; is in more groups than a token can name', { roles: ['Orders.Read'], groups: 'overage' }),
  account('nobody', 7, 'is signed in, and has no role'),
  account('outsider', 8, 'belongs to another tenant, which the gateway does not serve', {
    tenant: PARTNER_TENANT,
    home: PARTNER_TENANT,
    roles: ['Orders.Read'],
  }),
  account('ci', 0x11, 'is a workload with a client secret: reads and creates orders', {
    kind: 'app',
    roles: ['Orders.Read.All', 'Orders.Write.All'],
    client: CI_CLIENT,
  }),
  account('managed-identity', 0x12, 'is a managed identity: reads orders', {
    kind: 'managed-identity',
    roles: ['Orders.Read.All'],
    client: MANAGED_IDENTITY_CLIENT,
  }),
  account('agent', 0, 'is an agent on its own: reads orders', {
    kind: 'agent',
    oid: AGENT_IDENTITY,
    roles: ['Orders.Read.All'],
    client: AGENT_IDENTITY,
  }),
  { ...READER, name: 'agent-for-reader', may: 'is the agent acting for the reader', kind: 'agent-for-user', client: AGENT_IDENTITY },
  account('agent-user', 0x13, 'is the agent’s own user account: reads orders', {
    kind: 'agent-user',
    roles: ['Orders.Read'],
    client: AGENT_IDENTITY,
  }),
]

export const ACCOUNTS: readonly Account[] = list

const byName = new Map(list.map((one) => [one.name, one]))

/** The account of that name, if there is one. */
export function findAccount(name: string): Account | undefined {
  return byName.get(name)
}

/** People who can sign in at a tenant's own page. */
export function peopleOf(tenant: string): readonly Account[] {
  return list.filter((one) => one.tenant === tenant && (one.kind === 'user' || one.kind === 'guest'))
}
