import { withMembers } from '../claims.ts'
import type { ClaimInfo } from '../issuer.ts'
import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { isListed, withBooleans, type Listed } from '../owners.ts'
import { readText } from '../signed.ts'
import type { Workload } from '../workload.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }
const truth: ClaimInfo = { type: 'boolean', mayBeUnknown: false }

/** Claims of GitLab's CI tokens that policy may speak of. Ids are text there, and so they are here. */
export const gitlabClaims = {
  sub: text,
  namespace_id: text,
  namespace_path: text,
  project_id: text,
  project_path: text,
  project_visibility: text,
  job_namespace_id: text,
  job_namespace_path: text,
  job_project_id: text,
  job_project_path: text,
  user_id: text,
  user_login: text,
  user_email: text,
  user_access_level: text,
  /** Left out by GitLab where there are more than 200. */
  groups_direct: { type: 'list', mayBeUnknown: true },
  pipeline_id: text,
  pipeline_source: text,
  job_id: text,
  job_source: text,
  ref: text,
  ref_type: text,
  ref_path: text,
  ref_protected: truth,
  environment: text,
  environment_protected: truth,
  deployment_tier: text,
  ci_config_ref_uri: text,
  ci_config_sha: text,
  runner_environment: text,
  sha: text,
} as const satisfies Readonly<Record<string, ClaimInfo>>

/**
 * Reads the token of a CI job. @param namespaces Undefined where every project of the instance is accepted.
 * @throws Refusal `claim`, `tenant`
 */
export function readJob(payload: JsonObject, namespaces: Listed | undefined): Workload {
  // The same keys sign ID tokens of people who sign in with GitLab: those have none of these.
  const subject = readText(payload, 'sub', 1024)
  const project = readText(payload, 'project_path', 1024)
  const id = readText(payload, 'project_id')
  const namespace = readText(payload, 'namespace_path', 1024)
  const namespaceId = readText(payload, 'namespace_id')
  readText(payload, 'job_id')
  if (!project.startsWith(`${namespace}/`)) throw new Refusal('claim', 'project_path')
  // Left out is not empty: then nobody can tell.
  const { groups_direct: groups = null } = payload
  const derived = withMembers(withBooleans(payload, 'ref_protected', 'environment_protected'), { groups_direct: groups })
  if (namespaces !== undefined && !isListed(namespaces, namespaceId, withAncestors(namespace))) throw new Refusal('tenant')
  return { subject, client: id, display: project, payload: derived }
}

/** A namespace and the groups around it: whoever owns the outermost owns them all. */
function withAncestors(path: string): readonly string[] {
  const parts = path.split('/')
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}
