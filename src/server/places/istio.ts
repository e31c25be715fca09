/** A mesh of Istio: its documents are in a cluster, reached by kubectl. What proxies have of them, nobody is asked. */
import { OstiaryError } from '../../core/errors.ts'
import type { IstioTarget } from '../../targets/istio/schema.ts'
import { applyToCluster, driftText, lookAtCluster, type Drift } from '../istiocluster.ts'
import { kubectlIn } from '../kubectl.ts'
import type { Place, PlaceParts, Stand } from './place.ts'

/** @throws OstiaryError `target/no-context` */
export function openIstio({ place, target, config, documents, signal }: PlaceParts<IstioTarget>): Promise<Place> {
  if (config.context === undefined) throw new OstiaryError('target/no-context', { name: place })
  const kubectl = kubectlIn(config.context, ['kubectl'], signal)
  return Promise.resolve({
    look: async () => standOf(await lookAtCluster(target, documents, true, kubectl)),
    apply: (prunes) => applyToCluster(target, documents, prunes, kubectl),
    close: () => Promise.resolve(),
  })
}

function standOf({ drift, revisions, conditions }: Awaited<ReturnType<typeof lookAtCluster>>): Stand {
  const texts = (which: (one: Drift) => boolean): readonly string[] =>
    drift.filter(which).map((one) => `${one.document}: ${driftText(one)}`)
  // What denies everything is never removed, and opens nothing.
  const isStaying = ({ is, stays }: Drift): boolean => is === 'left-over' && stays === true
  const refused = conditions.filter(({ isTrue }) => !isTrue)
  const taken = conditions.length - refused.length
  return {
    revision: revisions.length === 1 ? revisions[0] : undefined,
    differences: texts(({ is }) => is !== 'left-over'),
    leftOver: texts((one) => one.is === 'left-over' && !isStaying(one)),
    enforced: undefined,
    ...(conditions.length === 0 ? {} : { reported: `${taken} of ${conditions.length} conditions hold` }),
    problems: refused.map(
      ({ document, type, message }) =>
        `${document}: its control plane says that \`${type}\` is not so${message === '' ? '' : `: ${message}`}`,
    ),
    rejections: [],
    rejected: {},
    warnings: texts(isStaying),
  }
}
