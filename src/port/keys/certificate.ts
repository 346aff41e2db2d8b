/**
 * Certificates: a chain from a host's key up to a CA that the payer names (RFC 5280, section 6,
 * without revocation lists, policies and name constraints).
 *
 * OpenSSL, behind Node, reads the certificates, checks names and signatures; what Node does not
 * show (path lengths, key usages, critical extensions) is read from the same bytes here.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { Fault } from '../../base/fault/index.ts';
import type { UnixMs } from '../../base/time/index.ts';
import { MAX_CERTIFICATES, MAX_CERTIFICATES_TEXT, MAX_CA_CERTIFICATES } from './limits.ts';
import { fingerprintOf } from './keys.ts';

/** What a chain is checked against. */
export interface CertificateCheck {
  /** The chain that the host shows, in PEM, its own certificate first. */
  readonly certificates: string;
  /** The CA certificates that the payer believes, in PEM. */
  readonly caPem: string;
  /** The DNS name or IP address that the certificate has to be made out for. */
  readonly name: string;
  /** The fingerprint of the host's key. */
  readonly fingerprint: string;
  readonly nowMs: UnixMs;
}

/**
 * Checks that a CA vouches for a host's key.
 * @throws Fault `HOST_CERTIFICATE` that says why not, `CONFIG_INVALID` for the CA's own file
 */
export async function checkCertificates(check: CertificateCheck): Promise<void> {
  const roots = readAnchors(check.caPem);
  const chain = readChain(check.certificates);
  const [leaf] = chain;
  if (leaf === undefined) throw refused('the host shows no certificate');
  if (fingerprintOf(leaf.publicKey) !== check.fingerprint) throw refused('it is for another key');
  if (!isFor(leaf, check.name)) throw refused('it is for another name', { name: check.name });
  const read = await extensionReader();
  assertValidNow(leaf, check.nowMs);
  assertLeaf(read(leaf));
  let below = leaf;
  for (const [depth, next] of [...chain.slice(1), undefined].entries()) {
    const root = roots.find((one) => isIssuer(one, below));
    const issuer = root ?? next;
    if (issuer === undefined || !isIssuer(issuer, below)) break;
    assertValidNow(issuer, check.nowMs);
    assertIssuer(issuer, read(issuer), depth);
    if (root) return;
    below = issuer;
  }
  throw refused('it does not lead to the named CA');
}

/**
 * Checks that a chain begins with a certificate of this key.
 * @throws Fault `HOST_CERTIFICATE`
 */
export function assertCertified(certificates: string, fingerprint: string): void {
  const [leaf] = readChain(certificates);
  if (leaf === undefined || fingerprintOf(leaf.publicKey) !== fingerprint) {
    throw refused('it is for another key');
  }
}

function refused(problem: string, facts: Readonly<Record<string, string>> = {}): Fault {
  return new Fault('HOST_CERTIFICATE', { problem, ...facts });
}

function readAnchors(caPem: string): readonly X509Certificate[] {
  try {
    const anchors = readCertificates(caPem, MAX_CA_CERTIFICATES);
    if (anchors.length > 0) return anchors;
  } catch (error) {
    throw new Fault('CONFIG_INVALID', { problem: 'the CA file cannot be read' }, error);
  }
  throw new Fault('CONFIG_INVALID', { problem: 'the CA file holds no certificate in PEM' });
}

function readChain(text: string): readonly X509Certificate[] {
  if (text.length > MAX_CERTIFICATES_TEXT) throw refused('the chain is too large');
  try {
    return readCertificates(text, MAX_CERTIFICATES);
  } catch {
    throw refused('the chain cannot be read');
  }
}

const PEM = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

function readCertificates(text: string, max: number): readonly X509Certificate[] {
  const blocks = text.match(PEM) ?? [];
  if (blocks.length > max) throw new Error('too many certificates');
  return blocks.map((block) => new X509Certificate(block));
}

const DNS_NAME = /^[\w-]+(\.[\w-]+)*$/;

/** The common name is not looked at: what is meant stands among the subject's alternative names. */
function isFor(leaf: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return leaf.checkIP(name) !== undefined;
  // To OpenSSL a leading dot means every name below.
  if (!DNS_NAME.test(name)) return false;
  const found = leaf.checkHost(name, { subject: 'never', partialWildcards: false });
  return found !== undefined;
}

function isIssuer(issuer: X509Certificate, of: X509Certificate): boolean {
  try {
    return of.checkIssued(issuer) && of.verify(issuer.publicKey);
  } catch {
    // Such as a kind of key that OpenSSL does not know.
    return false;
  }
}

function assertValidNow(certificate: X509Certificate, nowMs: UnixMs): void {
  const { validFromDate: from, validToDate: to } = certificate;
  if (!(from.getTime() <= nowMs && nowMs <= to.getTime())) {
    const facts = { from: certificate.validFrom, to: certificate.validTo };
    throw refused('a certificate of the chain is not valid now', facts);
  }
}

/** What Node does not say of a certificate. */
interface Extensions {
  readonly algorithm: string;
  /** Of the extensions that are not understood here, one that must be. */
  readonly unknown: string | undefined;
  readonly pathLength: number | undefined;
  /** `KeyUsageFlags`; undefined: any use. */
  readonly keyUsage: number | undefined;
  /** Object identifiers; undefined: any use. */
  readonly extendedKeyUsage: readonly string[] | undefined;
}

function assertLeaf({ keyUsage, extendedKeyUsage, ...rest }: Extensions): void {
  assertUnderstood(rest);
  // It signs set-ups and opens what was wrapped for it.
  const needed = USAGE.digitalSignature | USAGE.keyEncipherment;
  if (keyUsage !== undefined && (keyUsage & needed) !== needed) {
    throw refused('its key usage does not allow signatures and encipherment');
  }
  if (!isForServers(extendedKeyUsage)) throw refused('it is not made out for servers');
}

function isForServers(extendedKeyUsage: Extensions['extendedKeyUsage']): boolean {
  return extendedKeyUsage?.some((oid) => oid === SERVER_AUTH || oid === ANY_USE) ?? true;
}

/** @param depth how many certificates of CAs stand between it and the host's */
function assertIssuer(issuer: X509Certificate, extensions: Extensions, depth: number): void {
  const { keyUsage, pathLength, extendedKeyUsage, ...rest } = extensions;
  assertUnderstood(rest);
  const allowed = keyUsage === undefined || (keyUsage & USAGE.keyCertSign) !== 0;
  if (!issuer.ca || !allowed) throw refused('a certificate of the chain is not one of a CA');
  // A CA for mail, say, does not vouch for servers (as OpenSSL sees it; RFC 5280 leaves it open).
  if (!isForServers(extendedKeyUsage)) throw refused('a CA of the chain is not one for servers');
  if (pathLength !== undefined && depth > pathLength) throw refused('the chain is too long');
  const bits = issuer.publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS) throw refused('a key of the chain is too weak');
}

function assertUnderstood({ algorithm, unknown }: Pick<Extensions, 'algorithm' | 'unknown'>): void {
  if (!SIGNATURES.has(algorithm)) throw refused('a signature of the chain is too weak');
  if (unknown !== undefined) throw refused('an extension is not understood', { oid: unknown });
}

const MIN_RSA_BITS = 2048;
const USAGE = { digitalSignature: 1, keyEncipherment: 4, keyCertSign: 32 } as const;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_USE = '2.5.29.37.0';
const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
const NAME_CONSTRAINTS = '2.5.29.30';
/** Those that are checked: both above, alternative names and extended key usage. */
const UNDERSTOOD = new Set([BASIC_CONSTRAINTS, KEY_USAGE, '2.5.29.17', '2.5.29.37']);
/** RSA with SHA-2, RSA-PSS, ECDSA with SHA-2, Ed25519. */
const SIGNATURES = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.113549.1.1.10',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
]);

/** Loaded when it is needed: most payers name no CA. */
async function extensionReader(): Promise<(certificate: X509Certificate) => Extensions> {
  const [{ AsnConvert }, { BasicConstraints, Certificate, KeyUsage }] = await Promise.all([
    import('@peculiar/asn1-schema'),
    import('@peculiar/asn1-x509'),
  ]);
  return (certificate) => {
    try {
      const parsed = AsnConvert.parse(certificate.raw, Certificate);
      const list = [...(parsed.tbsCertificate.extensions ?? [])];
      const valueOf = (oid: string): ArrayBuffer | undefined =>
        list.find(({ extnID }) => extnID === oid)?.extnValue.buffer;
      const [constraints, usage] = [valueOf(BASIC_CONSTRAINTS), valueOf(KEY_USAGE)];
      const unknown = list.find(
        ({ extnID, critical }) =>
          extnID === NAME_CONSTRAINTS || (critical && !UNDERSTOOD.has(extnID)),
      );
      return {
        algorithm: parsed.signatureAlgorithm.algorithm,
        unknown: unknown?.extnID,
        pathLength:
          constraints && AsnConvert.parse(constraints, BasicConstraints).pathLenConstraint,
        keyUsage: usage && AsnConvert.parse(usage, KeyUsage).toNumber(),
        extendedKeyUsage: certificate.keyUsage,
      };
    } catch {
      throw refused('an extension cannot be read');
    }
  };
}
