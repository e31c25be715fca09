import type { TokenPath } from '../core/token.ts'

/** Where Envoy's `jwt_authn` leaves what it verified, whatever the filter is called. */
export const METADATA = 'envoy.filters.http.jwt_authn'

/** The keys under it that our filters use, for every issuer the same: `iss` tells them apart. */
export const PARTS: Readonly<Record<TokenPath['part'], string>> = { payload: 'payload', header: 'header' }
