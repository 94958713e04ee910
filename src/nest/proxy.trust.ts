import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';

/** `trustProxy`, as in Express. */
export type Trust = boolean | number | string[];

/** Whether an address, the `hop`th from this server, is a proxy whose word is believed. */
type IsTrusted = (address: string, hop: number) => boolean;

interface Range {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly prefix: number;
}

/** Express's names for ranges (RFC 1122, 3927, 1918, 4291, 4193). */
const NAMED_RANGES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Bits that an IPv4 address shown as IPv6 (RFC 4291 §2.5.5.2) has before those of IPv4. */
const MAPPING_BITS = 96;

/** A socket that takes both families shows IPv4 clients as `::ffff:192.0.2.1`. */
function plain(address: string): string {
  return /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i.test(address) ? address.slice(7) : address;
}

/** One spelling per address, without the zone; empty for what is none. */
function canonical(text: string): string {
  const [address = ''] = text.split('%');
  if (isIP(address) === 4) return address;
  if (isIP(address) === 0) return '';
  return plain(new SocketAddress({ address, family: 'ipv6' }).address);
}

/** The prefix of a netmask such as 255.255.0.0; `NaN` for what is none. */
function prefixOf(mask: string): number {
  const bits = mask.split('.').map((part) => Number(part).toString(2).padStart(8, '0'));
  const [, ones] = /^(1+)0*$/.exec(bits.join('')) ?? [];
  return ones?.length ?? Number.NaN;
}

/** An address, or a subnet as proxy-addr, Express's own, reads it: never one of all addresses. */
function rangeOf(text: string): Range | undefined {
  const [written = '', size, ...rest] = text.split('/');
  const address = canonical(written);
  if (address === '' || rest.length > 0) return undefined;
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  const skipped = isIP(written) === 6 && family === 'ipv4' ? MAPPING_BITS : 0;
  const bits = family === 'ipv4' ? 32 : 128;
  let prefix = bits;
  if (size !== undefined) {
    if (/^\d{1,3}$/.test(size)) prefix = Number(size) - skipped;
    else prefix = isIP(written) === 4 && isIP(size) === 4 ? prefixOf(size) : Number.NaN;
  }
  return prefix >= 1 && prefix <= bits ? { address, family, prefix } : undefined;
}

export function isTrust(value: unknown): value is Trust {
  if (typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0;
  return (
    Array.isArray(value) &&
    value.every(
      (entry) =>
        typeof entry === 'string' &&
        (Object.hasOwn(NAMED_RANGES, entry) || rangeOf(entry) !== undefined),
    )
  );
}

function trusting(trust: Trust): IsTrusted {
  if (typeof trust === 'boolean') return () => trust;
  if (typeof trust === 'number') return (_address, hop) => hop < trust;
  // A list a family: in one for both, a subnet of IPv6 such as ::/64 holds all of IPv4.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const text of trust.flatMap((entry) => NAMED_RANGES[entry] ?? [entry])) {
    const range = rangeOf(text);
    if (range) lists[range.family].addSubnet(range.address, range.prefix, range.family);
  }
  return (text) => {
    const address = canonical(text);
    if (address === '') return false;
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    return lists[family].check(address, family);
  };
}

/** The client's address: the first, seen from this server, that is not a trusted proxy's. */
export function clientAddress(trust: Trust): (request: IncomingMessage) => string {
  const isTrusted = trusting(trust);
  return ({ socket, headers }) => {
    const peer = plain(socket.remoteAddress ?? '');
    const header = headers['x-forwarded-for'];
    if (trust === false || header === undefined) return peer;
    const forwarded = [header].flat().join(',');
    const hops = forwarded
      .split(',')
      .map((hop) => plain(hop.trim()))
      .filter(Boolean)
      .toReversed();
    let address = peer;
    for (let hop = 0; hop < hops.length && isTrusted(address, hop); hop++) address = hops[hop]!;
    return address;
  };
}
