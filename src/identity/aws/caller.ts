/** Who a `GetCallerIdentity` says that the caller is. */

/** What kinds of principal there are. */
export type PrincipalType = 'user' | 'assumed-role' | 'federated-user' | 'root'

export interface Caller {
  readonly arn: string
  readonly account: string
  readonly partition: string
  /** As AWS tells it; of an assumed role it ends with the session name. */
  readonly userId: string
  readonly principalType: PrincipalType
  /** The part of the user id that AWS never gives again, for users and roles: `AIDA…`, `AROA…`. */
  readonly uniqueId: string | undefined
  readonly user: string | undefined
  readonly role: string | undefined
  /** Without the role's path, which AWS doesn't tell. */
  readonly roleArn: string | undefined
  /** Chosen by whoever assumed the role or got the federation token. */
  readonly sessionName: string | undefined
}

const ARN = /^arn:([a-z-]{1,32}):(iam|sts)::([0-9]{12}):([!-~]{1,1200})$/
/** Characters of the names of IAM. */
const NAME = String.raw`[\w+=,.@-]`
const USER = new RegExp(`^user(?:/|/[!-~]{1,510}/)(${NAME}{1,64})$`)
const ROLE = new RegExp(`^assumed-role/(${NAME}{1,64})/(${NAME}{2,64})$`)
const FEDERATED = new RegExp(`^federated-user/(${NAME}{2,32})$`)
const USER_ID = /^AIDA[A-Z0-9]{12,124}$/
const ROLE_ID = /^AROA[A-Z0-9]{12,124}$/

/** Takes STS at its word, where its three values agree. Undefined where they don't, or are of a form that isn't known. */
export function readCaller(arn: string, userId: string, account: string): Caller | undefined {
  const [, partition = '', service, owner, resource = ''] = ARN.exec(arn) ?? []
  if (service === undefined || owner !== account) return undefined
  const base = { arn, account, partition, userId, uniqueId: undefined, user: undefined, role: undefined, roleArn: undefined }
  if (service === 'iam') {
    if (resource === 'root') return userId === account ? { ...base, principalType: 'root', sessionName: undefined } : undefined
    const user = USER.exec(resource)?.[1]
    if (user === undefined || !USER_ID.test(userId)) return undefined
    return { ...base, principalType: 'user', uniqueId: userId, user, sessionName: undefined }
  }
  const federated = FEDERATED.exec(resource)?.[1]
  if (federated !== undefined) {
    return userId === `${account}:${federated}` ? { ...base, principalType: 'federated-user', sessionName: federated } : undefined
  }
  const [, role, sessionName] = ROLE.exec(resource) ?? []
  const uniqueId = userId.slice(0, userId.indexOf(':'))
  if (role === undefined || !ROLE_ID.test(uniqueId) || userId !== `${uniqueId}:${sessionName}`) return undefined
  return { ...base, principalType: 'assumed-role', uniqueId, role, roleArn: `arn:${partition}:iam::${account}:role/${role}`, sessionName }
}

/** The stable key of a caller within AWS. What its holder may choose has a form of its own, so that it never names somebody else. */
export function subjectOf({ account, principalType, uniqueId, sessionName }: Caller): string {
  switch (principalType) {
    case 'user':
    case 'assumed-role':
      return `${account}/${uniqueId}`
    case 'federated-user':
      return `${account}/federated-user/${sessionName}`
    case 'root':
      return `${account}/root`
  }
}
