import { STANDARD_METHODS } from './template.ts'

/*
 * How the trie of a resource's path segments is written down: as an array of whole numbers, because what a decision looks at of a large
 * policy is in no cache yet, and each object on the way would have to be fetched by itself. Tries of many resources share an array, for the
 * same reason; places count from where one begins. 0 is nothing, wherever a place is meant.
 *
 * A node: its shape, which is how long the literal is that leads to it, and how many places the table of its own literals has, as a power of
 * two; its one literal as the place of that node, or that of the table; the node of a parameter; what stands at its end and what at its
 * `**`, by method; and the characters of the literal that leads to it, four in a number.
 * A table: for each place the number of a literal's text and its node.
 * By method: the record for every other method, how many there are, then for each its number and its record.
 * Records are whatever whole numbers were brought. They stand right behind, as does the one node that mostly comes next: what one request
 * looks at is fetched together.
 */
export const SHAPE = 0
export const LITERALS = 1
export const PARAMETER = 2
export const END = 3
export const REST = 4
export const TEXT = 5

/** In a shape, the length; the power of two, 0 for one literal without a table, begins behind it. */
export const LENGTH = 0xffff
export const POWER = 16

/** Where the first node is. */
export const ROOT = 1

/** By method. */
export const OTHERS = 0
export const COUNT = 1
export const EACH = 2

/** Numbers of methods; those of others come after them, in each trie by itself. */
export const METHODS: ReadonlyMap<string, number> = new Map(STANDARD_METHODS.map((method, i) => [method, i]))
