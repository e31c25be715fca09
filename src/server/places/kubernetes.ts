/** A cluster: its roles and bindings are written to it, reached by kubectl. Whatever an API server has stored, it enforces. */
import { OstiaryError } from '../../core/errors.ts'
import { prefixOf, type KubernetesTarget } from '../../targets/kubernetes/schema.ts'
import { kubectlIn } from '../kubectl.ts'
import { applyRoles, driftText, lookAtRoles, type RoleDrift } from '../rolecluster.ts'
import type { Place, PlaceParts } from './place.ts'

/** @throws OstiaryError `target/no-context` */
export function openKubernetes({ place, target, config, documents, wiring, signal }: PlaceParts<KubernetesTarget>): Promise<Place> {
  if (config.context === undefined) throw new OstiaryError('target/no-context', { name: place })
  const kubectl = kubectlIn(config.context, ['kubectl'], signal)
  const owner = { target, prefix: prefixOf(config, wiring) }
  return Promise.resolve({
    look: async () => {
      const { drift, revisions } = await lookAtRoles(owner, documents, kubectl)
      const texts = (which: (is: RoleDrift['is']) => boolean): readonly string[] =>
        drift.filter(({ is }) => which(is)).map((one) => `${one.document}: ${driftText(one)}`)
      return {
        revision: revisions.length === 1 ? revisions[0] : undefined,
        differences: texts((is) => is === 'missing' || is === 'changed'),
        leftOver: texts((is) => is === 'left-over'),
        enforced: undefined,
        problems: [],
        rejections: [],
        rejected: {},
        warnings: texts((is) => is === 'foreign'),
      }
    },
    apply: (prunes) => applyRoles(owner, documents, prunes, kubectl),
    close: () => Promise.resolve(),
  })
}
