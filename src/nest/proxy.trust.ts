import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** `trustProxy`, as in Express. */
export type Trust = boolean | number | string[];

/** Whether an address, the `hop`th from this server, is a proxy whose word is believed. */
type IsTrusted = (address: string, hop: number) => boolean;

/** Express's names for ranges (RFC 1122, 3927, 1918, 4291, 4193). */
const NAMED_RANGES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

function isRange(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
}

export function isTrust(value: unknown): value is Trust {
  if (typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0;
  return (
    Array.isArray(value) &&
    value.every((entry) => Object.hasOwn(NAMED_RANGES, String(entry)) || isRange(entry))
  );
}

function trusting(trust: Trust): IsTrusted {
  if (typeof trust === 'boolean') return () => trust;
  if (typeof trust === 'number') return (_address, hop) => hop < trust;
  const list = new BlockList();
  for (const range of trust.flatMap((entry) => NAMED_RANGES[entry] ?? [entry])) {
    const [address, prefix] = range.split('/') as [string, string?];
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** A socket that takes both families shows IPv4 clients as `::ffff:192.0.2.1`. */
function plain(address: string): string {
  return /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i.test(address) ? address.slice(7) : address;
}

/** The client's address: the first, seen from this server, that is not a trusted proxy's. */
export function clientAddress(trust: Trust): (request: IncomingMessage) => string {
  const isTrusted = trusting(trust);
  return ({ socket, headers }) => {
    const peer = plain(socket.remoteAddress ?? '');
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',');
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
