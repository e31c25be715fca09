import { Hono } from 'hono'
import { OstiaryError } from '../../core/errors.ts'
import type { Access } from '../../policy/index.ts'
import { withActive } from './active.ts'
import type { AdminEnv } from './app.ts'
import type { AdminParts } from './parts.ts'
import { SEARCH_COSTS } from './people.ts'

/** Clusters on which the policy gives something to whoever asks: `/api/clusters`, which `ostiary kubeconfig` writes down. */
export function clusterRoutes(parts: AdminParts): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>()

  routes.get('/clusters', (context) => {
    const { principal, exchange } = context.get('passage')
    if (!parts.mayAsk(principal, SEARCH_COSTS)) throw new OstiaryError('server/too-many-questions')
    const { identity } = principal
    if (identity === undefined) return context.json([])
    const access = parts.policy().access(identity, withActive({ time: parts.now(), ip: exchange.ip }, identity, parts.activations))
    return context.json(parts.clusters().filter(({ name }) => reaches(access, name)))
  })

  return routes
}

/** Whether all parties have something there: who acts for somebody reaches no more than both do. */
function reaches({ resources, actor }: Access, cluster: string): boolean {
  const here = resources.some(({ resource, protocol }) => resource === cluster && protocol === 'kubernetes')
  return here && (actor === undefined || reaches(actor, cluster))
}
