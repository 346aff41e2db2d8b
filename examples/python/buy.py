#!/usr/bin/env python3
"""Buys calls with one Lightning invoice and makes them.

What a session needs to go on after a crash is in the file that --state names: whoever reads it can
spend what is left. Without --state that is tollcall-session.json; delete it to buy anew. Inputs may
hold no fractions (their canonical form is left out here).
"""
import argparse, json, os, secrets, shlex, subprocess, sys, time
import http.client, urllib.error, urllib.request
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from bundle import (ENCRYPTED, VERDICTS, ask_credential, b64, call_credential, check, check_quote,
                    fingerprint_of, make_request, decrypt_answer, open_reply, encrypt_input, unb64,
                    verify_receipt)


class Refused(Exception):
    """A problem document of the host; `problem["money"]` says where the money is."""

    def __init__(self, problem):
        facts = problem.get("facts", {})
        super().__init__(f'{problem["code"]}: {problem["title"]} {json.dumps(facts)}')
        self.problem = problem


class Payer:
    """One session with one host, kept in a file: everything is written before it is sent."""

    def __init__(self, url, fingerprint, state_file):
        self.url, self.file, self.state = url.rstrip("/"), state_file, {}
        about = json.loads(self.http("/.well-known/tollcall.json")[2])
        self.host_key = ser.load_pem_public_key(about["host_key"].encode())
        self.host, self.network = fingerprint_of(self.host_key), about["network"]
        check(self.host.hex() == fingerprint, f"this host is {self.host.hex()}")
        if os.path.exists(state_file):
            with open(state_file) as file:
                self.state = json.load(file)

    def save(self):
        fd = os.open(f"{self.file}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(fd)
        os.replace(f"{self.file}.new", self.file)

    def http(self, path, body=None, headers={}):
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()

    def rpc(self, method, params=None, toll=None):
        message = {"jsonrpc": "2.0", "id": 1, "method": method}
        message |= {} if params is None else {"params": params}
        message |= {} if toll is None else {"toll": toll}
        headers = {"content-type": "application/json"}
        answer = json.loads(self.http("/rpc", json.dumps(message).encode(), headers)[2])
        if "error" in answer:
            raise Refused(answer["error"]["data"])
        return answer["result"]

    def ask(self, question):
        key, session = unb64(self.state["key"]), bytes.fromhex(self.state["session"])
        toll = ask_credential(key, self.host, session, secrets.token_bytes(16), question)
        return self.rpc(f"toll.{question}", toll=toll)

    def buy(self, wanted):
        """Orders, checks and pays. The wallet is asked once per run; an invoice is paid once."""
        if "key" not in self.state:
            self.order(wanted)
        check(self.state["service"] == wanted.service, f"{self.file} is for another service")
        if not self.ask("session")["paid"]:
            subprocess.run([*shlex.split(wanted.pay), self.state["invoice"]], check=True,
                           stdout=sys.stderr)
        while not self.ask("session")["paid"]:
            time.sleep(0.2)

    def order(self, wanted):
        grant = secrets.token_bytes(32)
        made = {"payer": rsa.generate_private_key(65537, 4096), "k1": secrets.token_bytes(32),
                "ephemeral": X25519PrivateKey.generate()}
        order = {"service": wanted.service, "calls": wanted.calls, "grant": b64(grant)}
        request = make_request(self.host_key, self.host, order, made)
        reply = self.rpc("toll.setup", request)
        quote, key = open_reply(self.host_key, request, reply, grant, made)
        check_quote(self.host_key, quote, wanted, self.network)
        self.state = {"session": quote["session"], "key": b64(key), "invoice": quote["invoice"],
                      "service": wanted.service, "next": 0, "open": {}}
        self.save()

    def call(self, value, n=None):
        """The result and the balance. The same n again is the same call, charged once."""
        if n is None:
            n = self.state["next"]
            self.state["next"], self.state["open"][str(n)] = n + 1, value
            self.save()
        for attempt in range(8):
            time.sleep(0.1 * 2**attempt if attempt else 0)
            try:
                status, outcome, balance = self.send(n, value)
            except (OSError, http.client.HTTPException, InvalidTag):
                continue  # cut, or touched on the way: nobody knows
            ended = status is not None and (status == 200 or outcome["code"] in VERDICTS)
            if ended:
                self.state["open"].pop(str(n), None)
                self.save()
            if status == 200:
                return outcome, balance
            if ended or outcome["retry"] != "same":
                raise Refused(outcome)
        raise ConnectionError("no answer yet; the same command asks again")

    def send(self, n, value):
        """Status (None: somebody on the way may have said it), result or problem, balance."""
        key, session = unb64(self.state["key"]), bytes.fromhex(self.state["session"])
        service, salt = self.state["service"], secrets.token_bytes(16)
        done = min(map(int, self.state["open"]), default=n)
        credential = call_credential(key, self.host, session, n, done, salt, service, value)
        body = encrypt_input(key, salt, credential, service, json.dumps(value).encode())
        headers = {"content-type": ENCRYPTED, "authorization": f"Toll {credential}"}
        status, got, body = self.http(f"/call/{service}", body, headers)
        if got["content-type"] != ENCRYPTED:
            return None, json.loads(body), ""
        head = (status, got.get("toll-session", ""))
        return status, decrypt_answer(key, salt, credential, service, *head, body), head[1]


def main():
    parser = argparse.ArgumentParser(description="Buys calls with one invoice, and makes them.")
    parser.add_argument("url", help="http://127.0.0.1:8402")
    parser.add_argument("service")
    parser.add_argument("calls", type=int)
    parser.add_argument("input", type=json.loads, help='JSON, as {"symbol": "BTC"}')
    parser.add_argument("--fingerprint", required=True, help="of the host's key, 64 hex digits")
    parser.add_argument("--max-msat", required=True, type=int, help="your limit for all calls")
    parser.add_argument("--pay", required=True, help="a command that pays the invoice after it")
    parser.add_argument("--state", default="tollcall-session.json")
    wanted = parser.parse_args()
    payer = Payer(wanted.url, wanted.fingerprint, wanted.state)
    payer.buy(wanted)
    for n, value in list(payer.state["open"].items()):  # of a run that was cut
        show(*payer.call(value, int(n)))
    for _ in range(min(wanted.calls, payer.ask("session")["calls_left"])):
        show(*payer.call(wanted.input))
    facts = verify_receipt(payer.ask("receipt")["receipt"], payer.host_key)
    check(facts["session"] == payer.state["session"], "a receipt of another session")
    print(f'receipt verified: {facts["served-calls"]} calls, {facts["served-msat"]} msat served, '
          f'{facts["credit-msat"]} msat credit')


def show(result, balance):
    print(json.dumps(result), balance, sep="  ")


if __name__ == "__main__":
    try:
        main()
    except (Refused, ValueError, LookupError, TypeError, OSError, http.client.HTTPException,
            InvalidSignature, InvalidTag, subprocess.CalledProcessError) as error:
        sys.exit(f"buy: {error or type(error).__name__}")
