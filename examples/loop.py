"""Has a picture made again until it shows what was asked for, and says what became of each try.

Without any key the service draws with its layout sketch, and measures what it has drawn. With an
image model (IMAGE_LLM_*) and a judge (JUDGE_LLM_*) in its .env, the same lines make real pictures
and have them looked at:

    python examples/loop.py 'A red cat and a sign that reads "OPEN"' --max-cost "2 CNY"

SERVICE_URL and SERVICE_KEY say where the service is, and with which key.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import requests

SERVICE = os.environ.get("SERVICE_URL", "http://localhost:8000")
KEY = os.environ.get("SERVICE_KEY", "")
PROMPT = 'A red cat and a sign that reads "OPEN"'
WAIT_S = 60
WORDS = {True: "yes", False: "NO", None: "nobody can say"}


def ask(method: str, path: str, **options: Any) -> requests.Response:
    """Ask the service."""
    headers = {"Authorization": f"Bearer {KEY}"} if KEY else {}
    try:
        return requests.request(
            method, SERVICE + path, headers=headers, timeout=2 * WAIT_S, **options
        )
    except requests.ConnectionError:
        sys.exit(
            f"Nothing answers at {SERVICE}: `make run` starts the service, SERVICE_URL names it."
        )


def answered(response: requests.Response) -> dict[str, Any]:
    """Return what the service says, or end with its error."""
    document: dict[str, Any] = response.json()
    if "error" in document and response.status_code >= 400:
        sys.exit(document["error"]["message"])
    return document


def begun(body: dict[str, Any]) -> dict[str, Any]:
    """Begin the loop, with the built-in sketch where no image model is configured."""
    response = ask("POST", "/api/v1/images/generate", json=body)
    if response.status_code == 503 and "image_model_not_configured" in response.text:
        print("No image model is configured: the layout sketch draws.")
        response = ask("POST", "/api/v1/images/generate", json={**body, "model": "layout-sketch"})
    return answered(response)


def show(tries: list[dict[str, Any]]) -> None:
    """Print what became of each try."""
    for one in tries:
        print(f"\nTry {one['number']}: {one['prompt']}")
        if one["error"]:
            print(f"  no picture: {one['error']['message']}")
        for picture in one["pictures"]:
            verdict = picture["verdict"] or {"method": "nobody", "checkpoints": [], "passed": None}
            known = [one for one in verdict["checkpoints"] if one["passed"] is not None]
            of_all = f"{len(known)} of {len(verdict['checkpoints'])} known"
            print(f"  judged ({verdict['method']}): passed: {WORDS[verdict['passed']]}, {of_all}")
            for checkpoint in verdict["checkpoints"]:
                print(f"    {checkpoint['text']} {WORDS[checkpoint['passed']]}")


def main() -> None:
    """Run the loop, and write its best picture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("prompt", nargs="?", default=PROMPT)
    parser.add_argument("--max-cost", help='such as "2 CNY"; every model then needs a price')
    parser.add_argument("--max-tries", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("loop.png"))
    given = parser.parse_args()

    until = {"max_tries": given.max_tries, "max_cost": given.max_cost}
    task = begun({"prompt": given.prompt, "until": until, "wait_ms": 0})
    while task["status"] in {"queued", "running"}:
        task = answered(ask("GET", f"{task['poll_url']}?wait_ms={WAIT_S * 1_000}"))
    show(task["tries"])
    if task["result"] is None:
        sys.exit(task["error"]["message"] if task["error"] else "There is no picture.")

    best = task["result"]
    for warning in best["warnings"]:
        print(f"\nWarning ({warning['field']}): {warning['message']}")
    given.out.write_bytes(ask("GET", best["data"][0]["url"]).content)
    cost = best["total_cost_micros"]
    price = "unknown" if cost is None else f"{cost / 1e6} {best['total_currency'] or ''}".strip()
    print(f"\nStopped by {best['stopped_by']}; cost: {price}. The best one: {given.out}")


if __name__ == "__main__":
    main()
