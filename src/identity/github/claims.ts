import type { ClaimInfo } from '../issuer.ts'
import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { isListed, type Listed } from '../owners.ts'
import { readText } from '../signed.ts'
import type { Workload } from '../workload.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }

/** Claims of GitHub Actions' tokens that policy may speak of. Ids are text there, and so they are here. */
export const githubClaims = {
  sub: text,
  repository: text,
  repository_id: text,
  repository_owner: text,
  repository_owner_id: text,
  repository_visibility: text,
  enterprise: text,
  enterprise_id: text,
  ref: text,
  ref_type: text,
  ref_protected: { type: 'boolean', mayBeUnknown: false },
  head_ref: text,
  base_ref: text,
  sha: text,
  environment: text,
  environment_node_id: text,
  event_name: text,
  workflow: text,
  workflow_ref: text,
  workflow_sha: text,
  job_workflow_ref: text,
  job_workflow_sha: text,
  runner_environment: text,
  run_id: text,
  run_number: text,
  run_attempt: text,
  actor: text,
  actor_id: text,
} as const satisfies Readonly<Record<string, ClaimInfo>>

/**
 * Reads the token of a workflow's job. Anybody's workflow gets tokens for any audience, so the owner decides.
 * @throws Refusal `claim`, `tenant`
 */
export function readJob(payload: JsonObject, owners: Listed): Workload {
  const subject = readText(payload, 'sub', 1024)
  const repository = readText(payload, 'repository')
  const id = readText(payload, 'repository_id')
  const owner = readText(payload, 'repository_owner')
  const ownerId = readText(payload, 'repository_owner_id')
  if (!repository.startsWith(`${owner}/`)) throw new Refusal('claim', 'repository')
  if (!isListed(owners, ownerId, [owner])) throw new Refusal('tenant')
  return { subject, client: id, display: repository, payload }
}
