/** An order, and who made it. */
export interface Order {
  readonly id: string
  readonly item: string
  readonly quantity: number
  readonly status: 'open' | 'shipped'
  /** Subject of whoever created it, as the gateway asserted it; undefined for those that were there from the start. */
  readonly createdBy?: string | undefined
}

/** Orders kept at most; further ones are refused. */
export const MAX_ORDERS = 1000
const MAX_ITEM_LENGTH = 100

const SEED: readonly (readonly [item: string, quantity: number, status: Order['status']])[] = [
  ['brass door handle', 12, 'shipped'],
  ['mortise lock', 4, 'open'],
  ['spare key, cut to pattern', 30, 'open'],
  ['hinge, pair', 8, 'shipped'],
  ['letter plate', 2, 'open'],
  ['door closer', 3, 'open'],
  ['strike plate, brass', 40, 'shipped'],
]

/** The orders of the demo, in memory: the same seven at every start. */
export class OrderBook {
  readonly #orders = new Map<string, Order>()
  #last = 0

  constructor() {
    for (const [item, quantity, status] of SEED) this.#put({ item, quantity, status })
  }

  list(): readonly Order[] {
    return [...this.#orders.values()]
  }

  get(id: string): Order | undefined {
    return this.#orders.get(id)
  }

  /** The new order, or what is wrong with `input`. */
  create(input: unknown, createdBy: string): Order | string {
    if (typeof input !== 'object' || input === null) return 'send a JSON object such as {"item": "mortise lock", "quantity": 2}'
    const { item, quantity = 1 } = input as { readonly item?: unknown; readonly quantity?: unknown }
    if (typeof item !== 'string' || item.trim() === '' || item.length > MAX_ITEM_LENGTH)
      return `\`item\` is text of 1 to ${MAX_ITEM_LENGTH} characters`
    if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1 || quantity > 10_000)
      return '`quantity` is a whole number from 1 to 10000'
    if (this.#orders.size >= MAX_ORDERS) return `there are ${MAX_ORDERS} orders already: delete one first`
    return this.#put({ item, quantity, status: 'open', createdBy })
  }

  /** True if there was such an order. */
  delete(id: string): boolean {
    return this.#orders.delete(id)
  }

  #put(order: Omit<Order, 'id'>): Order {
    const made = { id: String(++this.#last), ...order }
    this.#orders.set(made.id, made)
    return made
  }
}
