"""The protocol `tollcall-bundle-1`, the payer's side: bytes in, bytes out, no network.

Written from docs/bundle.md alone; the numbers in comments are its sections. It needs Python 3.9
and the package `cryptography`.
"""
import hashlib, hmac, json, re, time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from cryptography.hazmat.primitives import hashes, serialization as ser
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PROTOCOL, ENCRYPTED, ZERO = "tollcall-bundle-1", "application/vnd.tollcall.encrypted", bytes(12)
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
VERDICTS = ("SERVICE_INPUT SERVICE_FAILED SERVICE_TIMEOUT SESSION_EXPIRED SESSION_EXHAUSTED "
            "CALL_FORGOTTEN CALL_CONFLICT CALL_OUTCOME_UNKNOWN CALL_FAILED CALL_RERUNS").split()
NETWORKS = {"bc": "mainnet", "tb": "testnet", "tbs": "signet", "bcrt": "regtest"}


# 1. Notation

def b64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    check(b64(data) == text, "not base64url without padding")
    return data


def raw(part):
    return part.encode() if isinstance(part, str) else part


def lp(*parts):
    return b"".join(len(raw(part)).to_bytes(4, "big") + raw(part) for part in parts)


def u64(number):
    return number.to_bytes(8, "big")


def sha256(*parts):
    return hashlib.sha256(b"".join(map(raw, parts))).digest()


def hkdf(key, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info.encode()).derive(key)


def jcs(value):
    """RFC 8785 for everything but fractions."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
        return "{" + ",".join(f"{jcs(name)}:{jcs(item)}" for name, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53):
        raise ValueError(f"{value}: write this number as a text")
    return json.dumps(value, ensure_ascii=False)


def signed_by(host_key, signature, statement):
    """Throws InvalidSignature."""
    host_key.verify(unb64(signature), statement, padding.PKCS1v15(), hashes.SHA256())


# 4. Set-up

def make_request(host_key, fingerprint, order, made):
    """`made` has what the payer makes: the keys `payer` and `ephemeral`, and `k1`."""
    der = (ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo)
    request = {
        "protocol": PROTOCOL,
        "host": fingerprint.hex(),
        "payer": b64(made["payer"].public_key().public_bytes(*der)),
        "ephemeral": b64(public_bytes(made["ephemeral"])),
        "wrapped": b64(host_key.encrypt(made["k1"], OAEP)),
    }
    return {**request, "encrypted": b64(encrypt_order(made["k1"], request, order))}


def public_bytes(private_key):
    return private_key.public_key().public_bytes(ser.Encoding.Raw, ser.PublicFormat.Raw)


def encrypt_order(k1, request, order):
    tag = "tollcall/bundle/setup/1"
    names = ("protocol", "host", "payer", "ephemeral", "wrapped")
    aad = lp(tag, *(request[name] for name in names))
    return AESGCM(hkdf(k1, None, tag)).encrypt(ZERO, jcs(order).encode(), aad)


def open_reply(host_key, request, reply, grant, made):
    """The quote and the code key K. Throws when the reply is not the host's answer to this."""
    unsigned = {name: value for name, value in reply.items() if name != "signature"}
    setup = sha256(jcs(request))
    statement = lp("tollcall/bundle/reply-signature/1", setup, sha256(jcs(unsigned)))
    signed_by(host_key, reply["signature"], statement)
    check(reply["setup"] == setup.hex(), "the reply is to another request")
    theirs = X25519PublicKey.from_public_bytes(unb64(reply["ephemeral"]))
    k2 = made["payer"].decrypt(unb64(reply["wrapped"]), OAEP)
    secret = made["k1"] + k2 + made["ephemeral"].exchange(theirs) + grant
    tag = "tollcall/bundle/reply/1"
    aad = lp(tag, reply["setup"], reply["ephemeral"], reply["wrapped"])
    box = AESGCM(hkdf(secret, sha256(aad), tag))
    quote = json.loads(box.decrypt(ZERO, unb64(reply["encrypted"]), aad))
    return quote, hkdf(secret, sha256(aad), "tollcall/bundle/code-key/1")


def check_quote(host_key, quote, wanted, network):
    """What a payer checks before it pays; the wallet checks the invoice's own signature."""
    key = unb64(quote["receipt_key"])
    signed_by(host_key, quote["receipt_certificate"], lp("tollcall/receipt-key/1", key))
    check((quote["service"], quote["calls"]) == (wanted.service, wanted.calls), "another order")
    total = int(quote["total_msat"])
    check(total <= wanted.max_msat, f"{total} msat is above --max-msat")
    hrp = re.match(r"ln(bcrt|tbs|bc|tb)(\d+)([munp]?)1", quote["invoice"])
    check(hrp is not None and NETWORKS[hrp[1]] == network, f"no invoice of {network}")
    per_unit = {"": 10**12, "m": 10**9, "u": 10**6, "n": 10**3, "p": 1}[hrp[3]]
    check(int(hrp[2]) * per_unit == 10 * total, "the invoice asks another amount")
    check(quote["expires_at_ms"] >= (time.time() + 3600) * 1000, "the session ends too soon")


def check(good, why):
    if not good:
        raise ValueError(why)


# 5 and 6. Calls, encrypted calls

def code(key, tag, *parts):
    return hmac.new(key, tag.encode() + lp(*parts), hashlib.sha256).digest()


def call_credential(key, host, session, n, done, salt, service, value, encrypted=True):
    """`host` and `session` are bytes."""
    digest = sha256(jcs({"service": service, "input": value}))
    digest = sha256(b"tollcall/bundle/encrypt-code/1" + digest) if encrypted else digest
    proof = code(key, "tollcall/bundle/call/1", host, session, u64(n), u64(done), salt, digest)
    return "b1." + b64(session + u64(n) + u64(done) + salt + proof)


def encrypt_input(key, salt, credential, service, body):
    tag = "tollcall/bundle/encrypt-request/1"
    return AESGCM(hkdf(key, salt, tag)).encrypt(ZERO, body, lp(tag, credential, service))


def decrypt_answer(key, salt, credential, service, status, balance, body):
    tag = "tollcall/bundle/encrypt-answer/1"
    box = AESGCM(hkdf(key, salt + body[:16], tag))
    aad = lp(tag, credential, service, str(status), balance)
    return json.loads(box.decrypt(ZERO, body[16:], aad))


# 7 to 9. Top-ups, questions, refunds

def top_up_credential(key, host, session, salt, params):
    what = (params["id"], params["service"], str(params["calls"]))
    return asked(session, salt, code(key, "tollcall/bundle/topup/1", host, session, salt, *what))


def check_top_up(key, quote):
    """The code of the quote is the host's: nobody else has the key."""
    unsigned = {name: value for name, value in quote.items() if name != "code"}
    mac = hmac.new(key, raw("tollcall/bundle/topup-quote/1" + jcs(unsigned)), hashlib.sha256)
    check(hmac.compare_digest(b64(mac.digest()), quote["code"]), "not a quote of this host")


def ask_credential(key, host, session, salt, question):
    proof = code(key, "tollcall/bundle/ask/1", host, session, salt, question)
    return asked(session, salt, proof)


def asked(session, salt, proof):
    return "a1." + b64(session + salt + proof)


# 10. Receipts

RECEIPT = ("host session service payment-hash paid-msat served-msat refunded-msat refund-fees-msat "
           "credit-msat served-calls at receipt-key receipt-certificate signature").split()


def verify_receipt(text, host_key):
    """What the receipt says. Throws when the host has not signed it. Needs no network."""
    title, *lines, end = text.split("\n")
    facts = dict(line.split(": ", 1) for line in lines)
    check((title, end, [*facts]) == ("tollcall receipt 1", "", RECEIPT), "not a receipt")
    check(len(lines) == len(RECEIPT), "a line twice")
    key, statement = unb64(facts["receipt-key"]), text[:text.index("\nsignature: ") + 1]
    signed_by(host_key, facts["receipt-certificate"], lp("tollcall/receipt-key/1", key))
    Ed25519PublicKey.from_public_bytes(key).verify(unb64(facts["signature"]), statement.encode())
    check(facts["host"] == fingerprint_of(host_key).hex(), "a receipt of another host")
    return facts


def fingerprint_of(host_key):
    return sha256(host_key.public_bytes(ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo))
