import type { CatalogueEntry } from '../errors.ts'

export const kubernetes = {
  'kubernetes/no-cluster': {
    message: 'there is no such cluster here',
    help: 'write `https://<gateway>/clusters/<name>`, or run `ostiary kubeconfig` for the names',
    status: 404,
  },
  'kubernetes/request': {
    message: 'the request has no single meaning for an API server: {problem}',
    help: 'send the request as `kubectl` does',
    status: 400,
  },
  'kubernetes/method': {
    message: 'the API server has no such request: {problem}',
    help: 'send GET, POST, PUT, PATCH or DELETE, with a name where it is about one object',
    status: 405,
  },
  'kubernetes/impersonation': {
    message: 'the request asks to act as somebody in a way that can not be decided: {problem}',
    help: 'send `Impersonate-User` once, with `Impersonate-Group`, `Impersonate-Uid` and `Impersonate-Extra-` beside it',
    status: 400,
  },
  'kubernetes/identity': {
    message: 'the caller’s name can not be told to the cluster',
    help: 'it is empty, begins or ends with a blank, or holds control characters; choose another subject claim',
    status: 403,
  },
  'kubernetes/audience': {
    message: 'the token is for `{audience}`, and cluster `{cluster}` takes tokens for `{wanted}`',
    help: 'sign in for that audience: with `ostiary kubeconfig`, or `--server-id` of kubelogin',
    status: 401,
  },
  'kubernetes/not-a-token': {
    message: 'cluster `{cluster}` wants the caller’s own token, and this credential is none that could be passed on',
    help: 'send the provider’s access token as `Authorization: Bearer`',
    status: 401,
  },
  'kubernetes/not-exchanged': {
    message: 'the token could not be exchanged for one for cluster `{cluster}`: {cause}',
    help: 'only people’s tokens can be exchanged; sign in as a person, and see that the gateway may act for people there',
    status: 403,
  },
  'kubernetes/refused-gateway': {
    message: 'the cluster does not accept the gateway’s own credential',
    help: 'see `credential` of the resource: the token or certificate has ended, or is of another cluster',
    status: 502,
  },
  'kubernetes/media-type': {
    message: 'questions about access are read as JSON and protobuf only',
    help: 'send `application/json` or `application/vnd.kubernetes.protobuf`; the answer is JSON',
    status: 415,
  },
  'kubernetes/review': {
    message: 'the question about access can not be read',
    help: 'send one as `kubectl auth can-i` does',
    status: 400,
  },
  'kubernetes/review-version': {
    message: 'questions about access are answered in `authorization.k8s.io/v1`',
    help: 'write `subjectAccessReviewVersion: v1` in the API server’s `AuthorizationConfiguration`',
    status: 400,
  },
  'kubernetes/reviewed-user': {
    message: 'the user or group has a name as the gateway gives it, and is nobody whom it could decide about',
    help: 'nobody else may give such names in a cluster; see `system:masters` and who may impersonate there',
    status: 403,
  },
  'kubernetes/reviewed-chain': {
    message: 'somebody acts for the user, who can not be decided about by what an API server tells of them',
    help: 'go through the gateway, or use a token of the user alone',
    status: 403,
  },
  'kubernetes/reviewed-request': {
    message: 'no single request is asked about, or one that has no single meaning',
    help: 'name verb and resource, or a path without empty segments and dots',
    status: 403,
  },
  'kubernetes/unanswered': {
    message: 'the gateway can not decide at the moment',
    help: 'see what it logs; until then the API server does what its `failurePolicy` says',
    status: 500,
  },
  'kubernetes/audit-events': {
    message: 'what is told of requests is no list of events',
    help: 'have the API server send `audit.k8s.io/v1`, as `--audit-webhook-config-file` does',
    status: 400,
  },
  'kubernetes/audit-busy': {
    message: 'more is told of requests than is noted at the moment',
    help: 'the API server sends it again',
    status: 429,
  },
  'kubernetes/unfilterable': {
    message: 'the cluster’s answer can not be filtered, and is kept back',
    help: 'ask for what the policy allows whole, such as one namespace; `lists: filter` takes JSON and tables only',
    status: 502,
  },
  'kubernetes/no-discovery': {
    message: 'no rule lets clients ask what there is in cluster `{cluster}`: {paths}',
    help: 'kubectl asks this first; grant `get /api`, `get /api/**`, `get /apis`, `get /apis/**`, `get /openapi/**` and `get /version` to `authenticated`',
  },
  'kubernetes/recording': {
    message: 'the session can not be recorded, and is not let through',
    help: 'use `kubectl` of version 1.24 or newer; see what the gateway logs of its data directory',
    status: 503,
  },
} as const satisfies Record<string, CatalogueEntry>
