import { z } from 'zod'
import { targetBase } from '../../config/schema.ts'

/** `targets.<name>` of kind `kuma`. */
export const kumaSchema = targetBase.extend({ kind: z.literal('kuma').describe('A mesh of Kuma') })

export type KumaTarget = z.output<typeof kumaSchema>
