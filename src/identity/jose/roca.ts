const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
  149, 151, 157, 163, 167,
]

/** For each prime, the residues that 65537 generates. */
const subgroups: readonly { readonly prime: bigint; readonly residues: ReadonlySet<bigint> }[] = PRIMES.map((prime) => {
  const residues = new Set<bigint>()
  for (let power = 1; !residues.has(BigInt(power)); power = (power * 65_537) % prime) residues.add(BigInt(power))
  return { prime: BigInt(prime), residues }
})

/**
 * Whether an RSA modulus was made by the broken generator of CVE-2017-15361: its residues by small primes are powers of
 * 65537. A sound key looks so by chance once in about 2^27.
 */
export function hasRocaFingerprint(modulus: Uint8Array): boolean {
  const n = BigInt(`0x${Buffer.from(modulus).toString('hex')}`)
  return subgroups.every(({ prime, residues }) => residues.has(n % prime))
}
