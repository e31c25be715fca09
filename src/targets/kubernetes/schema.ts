import { z } from 'zod'
import { duration, name, secureUrl } from '../../config/fields.ts'
import { targetBase, type Wiring } from '../../config/schema.ts'
import { DEFAULT_PREFIX } from '../../kubernetes/users.ts'
import { ASSUMPTIONS, assumptionNames, type Assumption } from './assume.ts'

const namespace = z
  .string()
  .max(63)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'write the name of a namespace')

const absolute = z
  .string()
  .max(512)
  .regex(/^\/[^\0]*$/, 'write a path from the root')

/** `targets.<name>` of kind `kubernetes`. */
export const kubernetesSchema = targetBase
  .extend({
    kind: z.literal('kubernetes').describe('Kubernetes: role-based access control of a cluster'),
    resource: name().describe('The resource with `protocol: kubernetes` that the cluster is'),
    version: z
      .enum(['1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36'])
      .describe('Version of its API server: what is compiled is what that version reads'),
    context: z
      .string()
      .min(1)
      .optional()
      .describe('Context of kubectl that it is applied to; without one it is only written')
      .meta({ examples: ['prod-eu-1'] }),
    prefix: z
      .string()
      .max(64)
      .regex(/^(?!system)[a-z0-9][a-z0-9.:-]*[:/]$/, 'write a short name that ends with `:` or `/`, and does not begin with `system`')
      .optional()
      .describe('Before the names of users and groups; default: `prefix` of the resource'),
    subjects: z
      .enum(['roles', 'object-ids'])
      .default('roles')
      .describe('How the cluster names groups: roles, with the prefix; or `object-ids`, those of Entra groups, as AKS has them'),
    azure: z
      .strictObject({
        cluster: z
          .string()
          .max(400)
          .regex(
            /^\/subscriptions\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\/resource[Gg]roups\/[\w.()-]{0,89}[\w()-]\/providers\/Microsoft\.ContainerService\/managedClusters\/[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?$/,
            'write what `az aks show --query id` prints',
          )
          .describe('Resource id of the AKS cluster'),
      })
      .optional()
      .describe(
        'That Azure authorizes requests to an AKS cluster (`--enable-azure-rbac`): role definitions and assignments of Azure are written, and no roles',
      )
      .meta({
        examples: [
          {
            cluster:
              '/subscriptions/6f1c2a34-7b58-4c1d-9e0f-2a3b4c5d6e7f/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/staging',
          },
        ],
      }),
    namespaces: z
      .array(namespace)
      .max(10_000)
      .optional()
      .describe('Namespaces that there are, for patterns of names such as `team-*`. Others get nothing by a pattern')
      .meta({ examples: [['team-a', 'team-b']] }),
    apiResources: z
      .array(
        z
          .string()
          .max(400)
          .regex(
            /^[a-z][a-z0-9-]{0,62}(?:\.[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)?(?:\/[a-z][a-z0-9-]{0,62})?$/,
            'write it as in policy: `deployments.apps/scale`',
          ),
      )
      .max(10_000)
      .optional()
      .describe(
        'What the cluster serves, for `*` in rules, which leaves out ways into containers and credentials. Other resources get nothing by it',
      )
      .meta({ examples: [['pods', 'pods/log', 'deployments.apps', 'deployments.apps/scale']] }),
    authentication: z
      .strictObject({
        form: z
          .enum(['file', 'aks'])
          .default('file')
          .describe('What it is written as: the file of an API server, or one `jwtAuthenticators` of AKS for each issuer'),
        issuers: z
          .record(
            name(),
            z.strictObject({
              discoveryURL: secureUrl()
                .optional()
                .describe('Where the API server finds its discovery document; default: where the issuer itself says'),
              certificateAuthority: z
                .string()
                .regex(/^-----BEGIN CERTIFICATE-----/, 'write certificates in PEM')
                .optional()
                .describe('PEM of the authorities of that address; default: those of the API server’s system'),
            }),
          )
          .default({})
          .describe('By issuer: how the API server reaches it'),
        anonymous: z
          .strictObject({
            enabled: z.boolean().describe('Whether anybody may come without a credential'),
            paths: z
              .array(z.string().regex(/^\/[!-~]*$/, 'write a path'))
              .max(64)
              .optional()
              .describe('To these paths alone'),
          })
          .optional()
          .describe('Who comes without a credential; default: what `--anonymous-auth` says')
          .meta({ examples: [{ enabled: true, paths: ['/livez', '/readyz'] }] }),
      })
      .optional()
      .describe(
        'That the API server verifies the issuers’ tokens by itself: its `AuthenticationConfiguration` is written. Without it, groups come from the door',
      ),
    authorization: z
      .strictObject({
        webhook: z
          .strictObject({
            url: secureUrl().describe('Where the gateway answers SubjectAccessReviews about this cluster'),
            certificateAuthority: z
              .string()
              .regex(/^-----BEGIN CERTIFICATE-----/, 'write certificates in PEM')
              .optional()
              .describe('PEM of the authorities of that address; default: those of the API server’s system'),
            credential: z
              .union([
                z.strictObject({ tokenFile: absolute.describe('File with a token, read anew') }),
                z.strictObject({
                  certificate: absolute.describe('PEM file of a certificate'),
                  key: absolute.describe('PEM file of its key'),
                }),
              ])
              .describe('What the API server shows the gateway: files where it runs'),
            kubeconfig: absolute
              .default('/etc/kubernetes/ostiary.kubeconfig')
              .describe('Where the API server finds the kubeconfig that is written for it'),
            timeout: duration().default(3_000).describe('How long it waits for an answer; then the request is refused'),
            ttl: duration().default(10_000).describe('How long it takes an answer for the same: so late is a change of the policy'),
          })
          .describe('Whom it asks'),
      })
      .optional()
      .describe(
        'That the API server asks the gateway about each request of people of the issuers, before its own roles: then no roles are written',
      ),
    assume: z
      .array(z.enum(assumptionNames as [Assumption, ...Assumption[]]))
      .default([])
      .describe(
        `What the wiring vouches for, where the cluster can not tell: ${Object.entries(ASSUMPTIONS)
          .map(([one, { ensure }]) => `\`${one}\`: ${ensure}`)
          .join('; ')}`,
      ),
  })
  .superRefine(({ subjects, authentication, authorization, azure, context: cluster }, context) => {
    if (azure !== undefined && subjects !== 'object-ids')
      context.addIssue({ code: 'custom', path: ['azure'], message: 'assigns roles to groups of Entra: write `subjects: object-ids`' })
    if (azure !== undefined && cluster !== undefined)
      context.addIssue({ code: 'custom', path: ['azure'], message: 'leaves nothing for kubectl to apply: leave out `context`' })
    if (subjects === 'object-ids' && authorization !== undefined)
      context.addIssue({ code: 'custom', path: ['authorization'], message: 'asks about roles: leave out `subjects: object-ids`' })
    const reached = Object.values(authentication?.issuers ?? {})
    if (authentication?.form === 'aks' && (reached.length > 0 || authentication.anonymous !== undefined))
      context.addIssue({ code: 'custom', path: ['authentication'], message: 'has neither `issuers` nor `anonymous` with `form: aks`' })
    if (subjects === 'object-ids' && authentication !== undefined)
      context.addIssue({ code: 'custom', path: ['authentication'], message: 'makes groups of roles: leave out `subjects: object-ids`' })
  })

export type KubernetesTarget = z.output<typeof kubernetesSchema>

/** What names of users and groups begin with. */
export function prefixOf(
  { prefix, resource }: Pick<KubernetesTarget, 'prefix' | 'resource'>,
  { resources }: Pick<Wiring, 'resources'>,
): string {
  const { prefix: own } = (resources[resource] ?? {}) as { readonly prefix?: string }
  return prefix ?? own ?? DEFAULT_PREFIX
}
