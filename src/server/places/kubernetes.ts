/** A cluster: its roles and bindings are written to it, reached by kubectl. Whatever an API server has stored, it enforces. */
import { OstiaryError } from '../../core/errors.ts'
import { prefixOf, type KubernetesTarget } from '../../targets/kubernetes/schema.ts'
import { kubectlIn } from '../kubectl.ts'
import { applyRoles, driftText, lookAtRoles, type Prunes, type RoleDrift } from '../rolecluster.ts'
import type { Place, PlaceParts } from './place.ts'

export interface KubernetesPlace extends Place {
  /** As of any place; with `timed`, what was for a time and isn't among the documents is removed. */
  readonly apply: (prunes: Prunes) => Promise<readonly string[]>
}

/** @throws OstiaryError `target/no-context`, `target/in-azure` */
export function openKubernetes({
  place,
  target,
  config,
  documents,
  wiring,
  signal,
  clock,
}: PlaceParts<KubernetesTarget>): Promise<KubernetesPlace> {
  if (config.azure !== undefined) throw new OstiaryError('target/in-azure', { name: place })
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
    apply: (prunes) => applyRoles(owner, documents, prunes, kubectl, clock.now()),
    close: () => Promise.resolve(),
  })
}
