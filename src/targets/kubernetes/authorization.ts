/** What an API server has to be told to ask the gateway about people of the issuers before its own roles are looked at (`--authorization-config`). */
import type { TargetDocument, TargetResult } from '../target.ts'
import { celText } from './cel.ts'
import type { KubernetesTarget } from './schema.ts'

type Need = NonNullable<TargetResult['needs']>[number]

/** The file, and the kubeconfig that it names: who asks, and where. */
export function authorizationOf({ version, authorization }: KubernetesTarget, prefix: string): readonly Need[] {
  const { url, certificateAuthority, credential, timeout, ttl, kubeconfig } = authorization!.webhook
  const ours = `startsWith(${celText(prefix)})`
  const webhook = {
    subjectAccessReviewVersion: 'v1',
    matchConditionSubjectAccessReviewVersion: 'v1',
    // Whoever the gateway doesn't answer about gets nothing, whatever roles there are.
    failurePolicy: 'Deny',
    timeout: seconds(timeout),
    authorizedTTL: seconds(ttl),
    unauthorizedTTL: seconds(ttl),
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: kubeconfig },
    matchConditions: [{ expression: `request.user.${ours} || (has(request.groups) && request.groups.exists(g, g.${ours}))` }],
  }
  const configuration: TargetDocument = {
    apiVersion: `apiserver.config.k8s.io/${Number(version.split('.')[1]) < 32 ? 'v1beta1' : 'v1'}`,
    kind: 'AuthorizationConfiguration',
    authorizers: [
      { type: 'Webhook', name: 'ostiary', webhook },
      { type: 'Node', name: 'node' },
      { type: 'RBAC', name: 'rbac' },
    ],
  }
  const user = 'tokenFile' in credential ? credential : { 'client-certificate': credential.certificate, 'client-key': credential.key }
  const kubeconfigDocument: TargetDocument = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'ostiary',
        cluster: {
          server: url,
          ...(certificateAuthority === undefined
            ? {}
            : { 'certificate-authority-data': Buffer.from(certificateAuthority).toString('base64') }),
        },
      },
    ],
    users: [{ name: 'api-server', user }],
    contexts: [{ name: 'ostiary', context: { cluster: 'ostiary', user: 'api-server' } }],
    'current-context': 'ostiary',
  }
  return [
    {
      text: 'the API server has to be started with this (`--authorization-config`), in place of `--authorization-mode`; until it is, nobody of the issuers may do anything',
      document: configuration,
    },
    { text: `the API server has to have this as \`${kubeconfig}\`, by which it asks the gateway`, document: kubeconfigDocument },
  ]
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000}s`
}
