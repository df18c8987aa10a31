"""Reads a page over TLS and says what came back."""

import argparse
import json
import sys
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

HERE = Path(__file__).parent
TEST_CA = HERE / "certs" / "ca.pem"


def main() -> int:
    parser = argparse.ArgumentParser(prog="fetch", description=__doc__)
    parser.add_argument("url", nargs="?", help="default: a page of a server started for the occasion")
    parser.add_argument("--path", default="/", help="path on that server")
    trust = parser.add_mutually_exclusive_group()
    trust.add_argument("--ca", default=str(TEST_CA), help="file with the CAs to trust")
    trust.add_argument("--default-ca", action="store_true", help="trust what requests trusts")
    parser.add_argument("--retries", type=int, default=0, help="try again after 503")
    parser.add_argument("--text", action="store_true", help="print the text alone")
    options = parser.parse_args()

    url = options.url
    if url is None:
        import server

        url = server.start(HERE / "certs") + options.path
    try:
        answer = fetch(url, True if options.default_ca else options.ca, options.retries)
    except requests.exceptions.SSLError as error:
        print(f"fetch: no trust in {url}: {reason(error)}", file=sys.stderr)
        return 3
    except requests.exceptions.RequestException as error:
        print(f"fetch: {type(error).__name__}: {error}", file=sys.stderr)
        return 1

    if options.text:
        print(answer.text)
    else:
        print(json.dumps(describe(answer), ensure_ascii=False, indent=2))
    return 0 if answer.ok else 4


def fetch(url: str, verify, retries: int) -> requests.Response:
    with requests.Session() as session:
        if retries:
            from urllib3.util import Retry

            again = Retry(total=retries, status_forcelist=[503], backoff_factor=0.01)
            session.mount("https://", HTTPAdapter(max_retries=again))
        # `verify` is an argument here, but `session.verify` would be overruled
        # by REQUESTS_CA_BUNDLE all the same.
        return session.get(url, verify=verify, timeout=10)


def describe(answer: requests.Response) -> dict:
    return {
        "status": answer.status_code,
        "type": answer.headers.get("Content-Type"),
        "encoding": answer.encoding or answer.apparent_encoding,
        "redirects": len(answer.history),
        "cookies": requests.utils.dict_from_cookiejar(answer.cookies),
        "text": answer.text,
    }


def reason(error: Exception) -> str:
    return "certificate verify failed" if "CERTIFICATE_VERIFY_FAILED" in str(error) else str(error)


if __name__ == "__main__":
    sys.exit(main())
