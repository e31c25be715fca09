import type { Register } from './index.ts'
import { adminClient, adminOptions } from '../admin.ts'

/** An id that Envoy gives a request (a UUID), or what it says of a denial. */
const IN_ENVOY = /^(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$|rbac_access_denied_matched_policy)/i

export const explain: Register = (root, action) =>
  void adminOptions(root.command('explain'))
    .description('why a decision came out as it did: the whole chain, and what would have to change')
    .argument(
      '<decision>',
      'decision id, from the `ostiary-decision` header; `last` for the newest; of an Envoy that decided by itself, `x-request-id` of its answer or the response details of its log',
    )
    .action(
      action(async ({ output }, [id], command) => {
        const client = await adminClient(command)
        const asked = encodeURIComponent(String(id))
        const path = IN_ENVOY.test(String(id)) ? `/api/requests?id=${asked}` : `/api/decisions/${asked}`
        const answer = (await client.request('GET', path)) as { text: string }
        output.answer(answer.text, answer)
      }),
    )
