import { audit } from './audit.ts'
import { cli } from './cli.ts'
import { config } from './config.ts'
import { demo } from './demo.ts'
import { http } from './http.ts'
import { identity } from './identity.ts'
import { kubernetes } from './kubernetes.ts'
import { policy } from './policy.ts'
import { recordings } from './recordings.ts'
import { secrets } from './secrets.ts'
import { server } from './server.ts'
import { store } from './store.ts'
import { target } from './target.ts'
import { xds } from './xds.ts'

/** Every error a user can meet, by code. One file per family; docs/reference/errors.md is generated from it. */
export const catalogue = {
  ...config,
  ...policy,
  ...identity,
  ...http,
  ...kubernetes,
  ...audit,
  ...recordings,
  ...secrets,
  ...server,
  ...store,
  ...xds,
  ...target,
  ...cli,
  ...demo,
}

export type Code = keyof typeof catalogue
