/** All candidates, in the order in which they are measured. The reference is measured against itself: it must come out at 1. */
import { caddy } from './caddy.ts'
import type { Candidate } from './candidate.ts'
import { envoyAuthorizing, envoyPlain, envoyUncached } from './envoy.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { ostiary } from './ostiary.ts'

export const candidates: readonly Candidate[] = [
  nginx,
  haproxy,
  caddy,
  envoyPlain,
  envoyAuthorizing,
  envoyUncached,
  ostiary('best-effort'),
  ostiary('spool'),
  ostiary('strict'),
]
