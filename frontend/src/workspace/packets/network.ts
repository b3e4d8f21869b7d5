// Addresses and networks of filters, IPv4 and IPv6, as bits. Pure.

export interface Network {
  bits: bigint;
  width: 32 | 128;
  prefix: number;
}

/** "10.0.0.0/24", "fd00::1"; null: it is none. */
export function networkOf(text: string): Network | null {
  const [address, length, ...more] = text.split("/");
  const found = addressOf(address ?? "");
  if (!found || more.length) return null;
  if (length === undefined) return { ...found, prefix: found.width };
  const prefix = Number(length);
  return /^\d+$/.test(length) && prefix <= found.width ? { ...found, prefix } : null;
}

export function within(address: string, network: Network): boolean {
  const found = addressOf(address);
  if (!found || found.width !== network.width) return false;
  const shift = BigInt(network.width - network.prefix);
  return found.bits >> shift === network.bits >> shift;
}

function addressOf(text: string): { bits: bigint; width: 32 | 128 } | null {
  return text.includes(":") ? ipv6Of(text) : ipv4Of(text);
}

function ipv4Of(text: string): { bits: bigint; width: 32 } | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return null;
  return { bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n), width: 32 };
}

function ipv6Of(text: string): { bits: bigint; width: 128 } | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [before, after] = halves.map((half) => half.split(":").filter(Boolean)) as [string[], string[] | undefined];
  const zeros = 8 - before.length - (after?.length ?? 0);
  if (after ? zeros < 1 : zeros !== 0) return null;
  const groups = [...before, ...Array<string>(after ? zeros : 0).fill("0"), ...(after ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return { bits: groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n), width: 128 };
}
