import type { Register } from './index.ts'
import { adminClient, adminOptions } from '../admin.ts'

export const explain: Register = (root, action) =>
  void adminOptions(root.command('explain'))
    .description('why a decision came out as it did: the whole chain, and what would have to change')
    .argument('<decision>', 'decision id, from the `ostiary-decision` header; `last` for the newest')
    .action(
      action(async ({ output }, [id], command) => {
        const client = await adminClient(command)
        const answer = (await client.request('GET', `/api/decisions/${encodeURIComponent(String(id))}`)) as { text: string }
        output.answer(answer.text, answer)
      }),
    )
