/** Claims of the tokens that platforms give to what runs on them, as their documentation prints them. */
import { times, type JsonObject } from './tokens.ts'

/** A bound service-account token (Kubernetes, “Managing Service Accounts”, schema for service account private claims). */
export function serviceAccountClaims(issuer: string, audience: string, now: number, more: JsonObject = {}): JsonObject {
  return {
    aud: [audience],
    ...times(now, 3_607),
    iss: issuer,
    jti: 'aed34954-b33a-4142-b1ec-389d6bbb4936',
    'kubernetes.io': {
      namespace: 'my-namespace',
      node: { name: 'my-node', uid: '646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1' },
      pod: { name: 'my-pod', uid: '5e0bd49b-f040-43b0-99b7-22765a53f7f3' },
      serviceaccount: { name: 'my-serviceaccount', uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' },
    },
    sub: 'system:serviceaccount:my-namespace:my-serviceaccount',
    ...more,
  }
}

/** What clusters kept in secrets before there were bound tokens: for everybody and without an end. */
export const legacyServiceAccountClaims: JsonObject = {
  iss: 'kubernetes/serviceaccount',
  'kubernetes.io/serviceaccount/namespace': 'my-namespace',
  'kubernetes.io/serviceaccount/secret.name': 'my-serviceaccount-token-x7k2p',
  'kubernetes.io/serviceaccount/service-account.name': 'my-serviceaccount',
  'kubernetes.io/serviceaccount/service-account.uid': '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798',
  sub: 'system:serviceaccount:my-namespace:my-serviceaccount',
}

/** A job of GitHub Actions (“OpenID Connect reference”, example). Its `nbf` lies before its `iat`. */
export function githubClaims(issuer: string, audience: string, now: number, more: JsonObject = {}): JsonObject {
  const { iat, exp } = times(now, 300)
  return {
    jti: 'example-id',
    sub: 'repo:octo-org/octo-repo:environment:prod',
    environment: 'prod',
    aud: audience,
    ref: 'refs/heads/main',
    sha: 'example-sha',
    repository: 'octo-org/octo-repo',
    repository_owner: 'octo-org',
    actor_id: '12',
    repository_visibility: 'private',
    repository_id: '74',
    repository_owner_id: '65',
    run_id: 'example-run-id',
    run_number: '10',
    run_attempt: '2',
    runner_environment: 'github-hosted',
    actor: 'octocat',
    workflow: 'example-workflow',
    head_ref: '',
    base_ref: '',
    event_name: 'workflow_dispatch',
    enterprise: 'avocado-corp',
    enterprise_id: '2',
    ref_type: 'branch',
    ref_protected: 'true',
    job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
    iss: issuer,
    nbf: iat - 600,
    exp,
    iat,
    ...more,
  }
}

/** A job of GitLab CI (“OpenID Connect (OIDC) authentication using ID tokens”, token payload). */
export function gitlabClaims(issuer: string, audience: string, now: number, more: JsonObject = {}): JsonObject {
  const { iat, exp } = times(now, 3_600)
  return {
    namespace_id: '72',
    namespace_path: 'my-group',
    project_id: '20',
    project_path: 'my-group/my-project',
    user_id: '1',
    user_login: 'sample-user',
    user_email: 'sample-user@example.com',
    user_identities: [{ provider: 'github', extern_uid: '2435223452345' }],
    pipeline_id: '574',
    pipeline_source: 'push',
    job_id: '302',
    ref: 'feature-branch-1',
    ref_type: 'branch',
    ref_path: 'refs/heads/feature-branch-1',
    ref_protected: 'false',
    groups_direct: ['mygroup/mysubgroup', 'myothergroup/myothersubgroup'],
    environment: 'test-environment2',
    environment_protected: 'false',
    deployment_tier: 'testing',
    environment_action: 'start',
    runner_id: 1,
    runner_environment: 'self-hosted',
    sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    project_visibility: 'public',
    ci_config_ref_uri: 'gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
    ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
    jti: '235b3a54-b797-45c7-ae9a-f72d7bc6ef5b',
    iat,
    nbf: iat - 5,
    exp,
    iss: issuer,
    sub: 'project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1',
    aud: audience,
    ...more,
  }
}
