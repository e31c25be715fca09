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
        const where = IN_ENVOY.test(String(id)) ? 'requests' : 'decisions'
        const answer = (await client.request('GET', `/api/${where}/${encodeURIComponent(String(id))}`)) as { text: string }
        output.answer(answer.text, answer)
      }),
    )
